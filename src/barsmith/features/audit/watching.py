"""What a user's file opens: Python's own audit events in its process, and the kernel's for whoever reads around Python."""

from __future__ import annotations

import contextlib
import ctypes
import os
import site
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: Files that are code; what Python and its libraries read lies in folders of their own.
CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dylib", ".dll", ".pth", ".egg-link", ".nbi", ".nbc", ".zip")
SYSTEM = (
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/usr/lib",
    "/usr/share",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/System",
    "/Library",
    "C:\\Windows",
)
_OPENS = (
    "open",
    "sqlite3.connect",
    "socket.connect",
    "socket.getaddrinfo",
    "urllib.Request",
    "subprocess.Popen",
    "os.system",
    "os.posix_spawn",
)


class Watcher:
    """Notes what is opened in this process from `begin` on, by the file of a user and whatever it calls."""

    def __init__(self, file: Path) -> None:
        self.file, self.noted = file.resolve(), dict[str, None]()
        self.own = own_folders()

    def begin(self) -> None:
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _OPENS:
            return
        if event == "open":
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                with contextlib.suppress(Exception):  # a hook that raises would change what it watches
                    self.note(os.path.abspath(os.fsdecode(path)))
        elif event.startswith(("socket", "urllib", "sqlite3")) or self.is_called_by_user():
            self.noted[f"{event} {ascii(arguments)[:100]}"] = None

    def note(self, path: str) -> None:
        if is_data(path, self.own) and Path(path) != self.file:
            self.noted[path] = None

    def is_called_by_user(self) -> bool:
        """Whether the nearest caller outside the standard library is the user's own code, not an installed library's."""
        standard = sysconfig.get_paths()["stdlib"]
        packages = sysconfig.get_paths()["purelib"]
        frame: Any = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(packages) or ("barsmith" in name and name != str(self.file)):
                if name != __file__:
                    return False
            elif not name.startswith((standard, "<frozen")):
                return True
            frame = frame.f_back
        return False

    def seen(self) -> list[str]:
        return list(self.noted)


def own_folders() -> tuple[str, ...]:
    """Where Python, its libraries, barsmith and the compiled code's cache lie."""
    import numba

    places = [
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        os.path.dirname(os.__file__),
        *site.getsitepackages(),
        site.getusersitepackages(),
    ]
    places += [str(Path(__file__).parents[2]), str(vars(numba.config)["CACHE_DIR"]), *SYSTEM]
    places += [os.path.join(os.path.expanduser("~"), each) for each in (".cache", ".config/matplotlib", ".matplotlib")]
    return tuple(os.path.realpath(place) for place in places) + tuple(places)


def is_data(path: str, own: Iterable[str]) -> bool:
    """Whether a path is neither code nor one of the system's own folders."""
    real = os.path.realpath(path)
    if real.lower().endswith(CODE) or "__pycache__" in real or os.path.isdir(real):
        return False
    return not any(real == place or real.startswith(place.rstrip(os.sep) + os.sep) for place in own)


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
        """The files that were opened since it was last asked; code and folders are left out."""
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
                if name and not mask & 0x40000000 and is_data(str(path), ()):
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
