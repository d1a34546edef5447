"""What a user's file opens: Python's own audit events in its process, and the kernel's for whoever reads around Python."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import site
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl

#: Code, where whoever opens it is one that loads or shows code.
CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dylib", ".dll", ".pth", ".egg-link", ".nbi", ".nbc", ".zip")
#: Code whose opening the kernel reports, be it by an editor.
SOURCES = (".py", ".pyc")
#: Folders and devices that hold nobody's data.
SYSTEM: tuple[str, ...] = ("/proc", "/sys", "/etc", "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/System", "/Library", "C:\\Windows")
SYSTEM += ("/dev/null", "/dev/urandom", "/dev/random", "/usr/share/locale")
#: What every process may open, whoever asks for it: the clock changes of the world.
ZONES = "zoneinfo"
#: Libraries that open whatever they are told to: who calls them has opened it.
READERS = ("numpy", "polars", "pandas", "pyarrow", "scipy", "joblib")
#: Events that count whoever raises them, and those that count where the user's own code does.
ALWAYS = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "urllib.Request", "sqlite3.connect")
BY_USER: tuple[str, ...] = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.listdir",
    "os.scandir",
)
BY_USER += ("ctypes.dlopen", "mmap.__new__", "gc.get_objects", "gc.get_referrers", "sys._current_frames")


class Watcher:
    """Notes what is opened in this process from `begin` on, by the file of a user and whatever it calls."""

    def __init__(self, file: Path) -> None:
        self.file, self.noted = file.resolve(), dict[str, None]()
        self.own, self.loaders, self.standard, self.packages = own_folders(), loaders(), tuple(standard_library()), tuple(packages())
        self.readers = tuple(os.path.join(place, name) + os.sep for place in self.packages for name in READERS)

    def begin(self) -> None:
        for name in dir(pl):
            if name.startswith(("read_", "scan_")):  # its own code opens files where Python does not see it
                setattr(pl, name, self.noting(getattr(pl, name)))
        sys.addaudithook(self.hook)

    def noting(self, reader: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(reader)
        def read(*arguments: Any, **more: Any) -> Any:
            for source in (*arguments[:1], more.get("source")):
                if isinstance(source, str | os.PathLike):
                    self.noted[os.path.abspath(os.fspath(source))] = None
            return reader(*arguments, **more)

        return read

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        with contextlib.suppress(Exception):  # a hook that raises would change what it watches
            if event == "open":
                if isinstance(arguments[0], str | bytes | os.PathLike):
                    self.note(os.path.abspath(os.fsdecode(arguments[0])))
            elif event in ALWAYS or (event in BY_USER and self.is_called_by_user()):
                self.noted[f"{event} {ascii(arguments)[:100]}"] = None

    def note(self, path: str) -> None:
        real = os.path.realpath(path)
        if Path(path) == self.file or ZONES in real or os.path.isdir(real):
            return
        is_code = real.lower().endswith(CODE) or "__pycache__" in real
        if is_code and sys._getframe(2).f_code.co_filename.startswith(self.loaders):
            return
        if not is_below(real, self.own) or self.is_called_by_user():
            self.noted[path] = None

    def is_called_by_user(self) -> bool:
        """Whether the nearest caller that is no reader of files for others is the user's own code, not a library's or an import."""
        frame: Any = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return False
            if name == str(self.file):
                return True
            if name != __file__ and not name.startswith(self.readers):
                if name.startswith(self.packages):
                    return False
                if not name.startswith(("<frozen", *self.standard)):
                    return True
            frame = frame.f_back
        return False

    def seen(self) -> list[str]:
        return list(self.noted)


def packages() -> Iterable[str]:
    """Where installed packages and barsmith lie."""
    places = {*site.getsitepackages(), site.getusersitepackages(), *(each for each in sys.path if each.endswith("-packages"))}
    places |= {sysconfig.get_paths()[kind] for kind in ("purelib", "platlib")} | {str(Path(__file__).parents[2])}
    return sorted(places | {os.path.realpath(place) for place in places})


def standard_library() -> Iterable[str]:
    places = {os.path.dirname(os.__file__), *(sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib"))}
    return sorted(places | {os.path.realpath(place) for place in places})


def loaders() -> tuple[str, ...]:
    """Who opens code for what it is: imports, tracebacks, and the cache of compiled code."""
    showing = [
        os.path.join(place, f"{name}.py") for place in standard_library() for name in ("linecache", "tokenize", "pkgutil", "zipfile")
    ]
    return ("<frozen", *showing, *(os.path.join(place, name) for place in packages() for name in ("numba", "llvmlite")))


def own_folders() -> tuple[str, ...]:
    """Where Python, its libraries, barsmith and the compiled code's cache lie."""
    import numba

    home = [os.path.join(os.path.expanduser("~"), each) for each in (".cache/matplotlib", ".config/matplotlib", ".matplotlib")]
    places = [*standard_library(), *packages(), str(vars(numba.config)["CACHE_DIR"]), *SYSTEM, *home]
    return tuple({*places, *map(os.path.realpath, places)})


def is_below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(place.rstrip(os.sep) + os.sep) for place in places)


class Folders:
    """The kernel's word on files of these folders that anybody opens (Linux; elsewhere it sees nothing)."""

    IN_OPEN = 0x20

    def __init__(self, folders: Iterable[Path]) -> None:
        self.fd, self.names = -1, dict[int, Path]()
        if not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        with contextlib.suppress(AttributeError, OSError):
            self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            for folder in folders if self.fd >= 0 else ():
                watch = libc.inotify_add_watch(self.fd, os.fsencode(folder), self.IN_OPEN)
                if watch >= 0:
                    self.names[watch] = folder

    def opened(self) -> list[str]:
        """The files that were opened since it was last asked; sources and folders are left out."""
        found: dict[str, None] = {}
        while self.fd >= 0:
            try:
                events = os.read(self.fd, 65_536)
            except OSError:
                break
            at = 0
            while at < len(events):
                watch, mask, _, size = struct.unpack_from("iIII", events, at)
                name = events[at + 16 : at + 16 + size].rstrip(b"\0")
                at += 16 + size
                path = self.names.get(watch, Path("?")) / os.fsdecode(name)
                if name and not mask & 0x40000000 and path.suffix.lower() not in SOURCES:
                    found[str(path)] = None
        return list(found)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def folders_with_data(workspace: Path, modules: Iterable[Path], most: int = 300) -> list[Path]:
    """The workspace's folders with its data, and those beside the user's files."""
    found: dict[Path, None] = {}
    for top in (workspace / "data", *(module.resolve().parent for module in modules)):
        if top == Path(tempfile.gettempdir()) or not top.is_dir():
            continue
        for place, below, _ in os.walk(top):
            below[:] = [name for name in below if not name.startswith((".", "__"))]
            found[Path(place).resolve()] = None
            if len(found) >= most:
                return list(found)
    return list(found)
