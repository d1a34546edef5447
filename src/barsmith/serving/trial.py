"""A bundle that nobody here has made or opened before is first opened in a process of its own, which it may take down with it.

What is known is a list of digests in the user's cache folder. A bundle's files are hashed and its structure is checked wherever it
is opened; this is for what those checks and the libraries behind them have overlooked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from barsmith.errors import BarsmithError, IntegrityError
from barsmith.serving.bundle_record import bad

PATIENCE = 120.0
"""Seconds that a bundle may take to open; it takes two or three."""
MEMORY = 8 << 30
"""Bytes of data that the process may hold; a bundle takes some hundred million, and PyTorch more of what it never uses."""
STARTING = "from barsmith.serving.trial import main; main()"


def known_file() -> Path:
    """One digest a line."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "barsmith" / "known_bundles"


def is_known(digest: str) -> bool:
    try:
        return digest in known_file().read_text().split()
    except (OSError, UnicodeDecodeError):  # none, or none that can be read: then it is tried
        return False


def remember(digest: str) -> None:
    """Where the user's cache cannot be written, a bundle is tried each time that it is opened."""
    with contextlib.suppress(OSError):
        known_file().parent.mkdir(parents=True, exist_ok=True)
        with known_file().open("a") as file:
            file.write(f"{digest}\n")


def try_in_child(folder: Path, workspace: Path, modules: Iterable[Path]) -> None:
    """Open the bundle in a fresh process. Raises IntegrityError: the one that it meets there, or `bundle/load-failed`."""
    job = json.dumps([str(folder.absolute()), str(workspace.absolute()), [str(each.absolute()) for each in modules]])
    with tempfile.TemporaryDirectory(prefix="bundle-") as place:
        told = Path(place) / "told.json"
        process = subprocess.Popen(  # noqa: S603 this interpreter
            [sys.executable, "-c", STARTING, job, str(told)],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(each) for each in sys.path)},
            start_new_session=True,  # so that what it starts can be ended with it
        )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            end(process)
            raise refused(f"one that has not opened after {PATIENCE:g} seconds", folder) from None
        except BaseException:
            end(process)
            raise
        judge(code, told.read_text() if told.is_file() else "", folder)


def judge(code: int, told: str, folder: Path) -> None:
    if code == 0 and told == "opened":
        return
    try:
        kind, *rest = json.loads(told)
    except (ValueError, TypeError):
        how = f"ended it by signal {-code}" if code < 0 else f"ended it with {code}"
        raise refused(f"one that {how}", folder) from None
    if kind == "memory":
        raise refused(f"one that wants more than {MEMORY >> 30} GiB", folder)
    expected, came, do, where = rest
    raise IntegrityError(kind, expected=expected, came=came, do=do, where=where)


def refused(came: str, folder: Path) -> IntegrityError:
    do = "do not use this bundle; tell whoever made it"
    return bad("bundle/load-failed", "a bundle that opens in a process of its own", came, do, str(folder))


def end(process: subprocess.Popen[bytes]) -> None:
    """The process and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def main() -> None:
    """The child's side: say how it went in the file that was named."""
    from barsmith.parallel import end_with_parent
    from barsmith.serving.bundle import Bundle

    end_with_parent()
    limit_memory()
    (folder, workspace, modules), told = json.loads(sys.argv[1]), Path(sys.argv[2])
    try:
        Bundle.load(folder, workspace=workspace, modules=modules, trusted=True)
        told.write_text("opened")
    except MemoryError:
        told.write_text(json.dumps(["memory"]))
    except BarsmithError as error:
        if isinstance(error.__cause__, MemoryError):
            told.write_text(json.dumps(["memory"]))
        else:
            told.write_text(json.dumps([error.code, error.expected, error.came, error.do, error.where]))


def limit_memory() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY if most == resource.RLIM_INFINITY else min(MEMORY, most), most))
