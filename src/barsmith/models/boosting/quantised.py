"""Rows that are quantised once for all trainings on them: the trials and the seeds of one training slice.

    with shared_rows():
        for params in trials:
            fit_model(ModelRegistry.create("xgboost", **params), X, y, X_stop, y_stop)

Bin edges come from the rows of the training slice and nothing else, and depend on neither labels nor weights; a matrix is used
again only where the rows are the same to the last byte. So a shared matrix gives the booster that its own would have given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np


@dataclass(eq=False)
class Kept:
    matrices: Any
    lock: Lock = field(default_factory=Lock)


_kept: ContextVar[dict[bytes, Kept] | None] = ContextVar("quantised rows", default=None)


@contextmanager
def shared_rows() -> Iterator[None]:
    """Inside, boosters that are trained on the same rows quantise them once. A byte or two a value is held until the end."""
    before = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(before)


def is_shared() -> bool:
    """Are rows kept for further trainings here."""
    return _kept.get() is not None


@contextmanager
def quantised(build: Callable[[], Any], *about: Any) -> Iterator[Any]:
    """What `build` makes of the arrays and plain values in `about`, for one training at a time: labels and weights are set on it."""
    kept = _kept.get()
    if kept is None:
        yield build()
        return
    key = digest(about)
    if key not in kept:
        kept[key] = Kept(build())
    found = kept[key]
    if not found.lock.acquire(blocking=False):  # another thread trains on it
        yield build()
        return
    try:
        yield found.matrices
    finally:
        found.lock.release()


def digest(about: tuple[Any, ...]) -> bytes:
    """SHA-256 of arrays and plain values: a thirtieth of a second for 60 MB, whose quantising takes seconds."""
    whole = hashlib.sha256()
    for each in about:
        if isinstance(each, np.ndarray):
            whole.update(f"{each.dtype} {each.shape}".encode())
            whole.update(np.ascontiguousarray(each).data)
        else:
            whole.update(repr(each).encode())
    return whole.digest()
