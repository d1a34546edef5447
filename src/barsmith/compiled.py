"""Numba's `njit` as this house uses it: cached in the user's cache folder, NumPy's rules for division, never fastmath."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_DISABLE_INTEL_SVML", "1")  # its log of four rows at once has other last digits than its log of one
import numba


def cache_folder() -> Path:
    """One folder for each state of the package's sources.

    Numba looks only at the file of the function it compiled, so a kernel that inlines a changed function of
    another file would be read stale from a shared folder.
    """
    package = Path(__file__).parent
    state = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for source in sorted(package.rglob("*.py")):
        stat = source.stat()
        state.update(f"{source.relative_to(package)} {stat.st_size} {stat.st_mtime_ns}".encode())
    roots: list[str | None] = [os.environ.get("XDG_CACHE_HOME"), os.path.join(os.path.expanduser("~"), ".cache"), tempfile.gettempdir()]
    for root in filter(None, roots):
        folder = Path(root) / "barsmith" / "numba" / state.hexdigest()[:16]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:  # no home, or one that cannot be written: the next place
            continue
        if os.access(folder, os.W_OK):
            os.utime(folder)
            forget_old(folder.parent)
            return folder
    return Path(tempfile.mkdtemp(prefix="barsmith-numba-"))


def forget_old(caches: Path, days: int = 30) -> None:
    """Remove the caches of states that nobody has used for so long."""
    for folder in caches.iterdir():
        if time.time() - folder.stat().st_mtime > days * 86_400:
            shutil.rmtree(folder, ignore_errors=True)


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`numba.njit(cache=True, error_model="numpy")`; with or without arguments."""
    options = {"cache": True, "error_model": "numpy", **options}
    return numba.njit(function, **options) if function is not None else numba.njit(**options)
