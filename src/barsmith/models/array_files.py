"""Arrays of a fitted model in files of their own, one `.npy` each: no pickle, and nothing is believed that was not checked."""

from __future__ import annotations

import tokenize
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

from barsmith.artifacts import write_bytes
from barsmith.models.refusals import broken, format_error
from barsmith.models.storage import read_file

#: What NumPy raises for a file that is none of its own, or not whole.
_UNREADABLE = (ValueError, EOFError, SyntaxError, TypeError, OverflowError, KeyError, OSError, MemoryError, tokenize.TokenError)


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """`NAME.npy` for each."""
    for name, value in arrays.items():
        file = BytesIO()
        np.save(file, value, allow_pickle=False)
        write_bytes(folder / f"{name}.npy", file.getvalue())


def read_arrays(folder: Path, wanted: Mapping[str, tuple[str, int]]) -> dict[str, np.ndarray]:
    """The arrays of these names, of these types and numbers of axes, all finite.

    Raises IntegrityError `bundle/missing-file`, `bundle/format` for what is no such file, `bundle/structure` for another array.
    """
    return {name: read_one(folder / f"{name}.npy", kind, axes) for name, (kind, axes) in wanted.items()}


def read_one(path: Path, kind: str, axes: int) -> np.ndarray:
    found = opened(path)
    if found.dtype != np.dtype(kind) or found.ndim != axes:
        broken(f"{axes} axes of {np.dtype(kind)}", f"{found.ndim} axes of {found.dtype}", str(path))
    if not np.isfinite(found).all():
        broken("finite numbers", "others", str(path))
    return np.array(found, order="C")


def opened(path: Path) -> np.ndarray:
    """The array in a file, not yet read: its size is compared with the file's before anything is reserved; no pickle, no zip.

    Raises IntegrityError `bundle/missing-file`, `bundle/format`.
    """
    read_file(path)  # is it there
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except _UNREADABLE as error:
        raise format_error("a NumPy array of numbers", f"{type(error).__name__}: {error}"[:120], str(path)) from None
