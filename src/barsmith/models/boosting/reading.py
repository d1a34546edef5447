"""What the readers of the boosters' files share: the frame of a reading, and the checks of names, numbers and parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
import orjson

from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken, format_error, structure_error

MAX_BYTES = 1 << 28
Trees = TypeVar("Trees")


def read_checked(data: bytes, where: str, *, begin: bytes, what: str, trees_of: Callable[[bytes], Trees]) -> Trees:
    """What `trees_of` finds in a file's bytes.

    Raises IntegrityError `bundle/format` for bytes that do not begin as such a file, `bundle/structure` for anything that it never has.
    """
    if not data.startswith(begin):
        raise format_error(what, f"bytes that begin with {data[:8]!r}", where)
    try:
        if len(data) > MAX_BYTES:
            broken(f"at most {MAX_BYTES} bytes", f"{len(data)}")
        return trees_of(data)
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:  # broken, nested without end, NaN
        raise structure_error("strict JSON, or UTF-8 text", str(error)[:120], where) from None
    except IntegrityError as error:
        raise structure_error(error.expected, error.came, where) from None


def checked_names(names: list[Any]) -> tuple[str, ...]:
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names) or len(set(names)) != len(names):
        broken("feature names, each once", f"{len(names)} of them")
    return tuple(names)


def item(holder: Any, key: str, kind: type, at: str = "") -> Any:
    """The value of a key, of one kind."""
    if not isinstance(holder, dict) or type(holder.get(key)) is not kind:
        came = "none" if not isinstance(holder, dict) or key not in holder else "another kind"
        broken(f"{at + ': ' if at else ''}{key}, a {kind.__name__}", came)
    return holder[key]


def same(holder: dict[str, Any], key: str, wanted: Any, at: str = "") -> None:
    if holder.get(key) != wanted:
        broken(f"{at + ': ' if at else ''}{key} {wanted}", str(holder.get(key))[:40])


def numbers(lists: Sequence[list[Any]], lengths: Sequence[int], *, whole: bool, what: str) -> np.ndarray:
    """int64 or float64 of one JSON list a tree, of these lengths, end to end."""
    kinds = {int} if whole else {int, float}
    for number, (values, n) in enumerate(zip(lists, lengths, strict=True)):
        if len(values) != n:
            broken(f"tree {number}: {what}: {n} numbers", f"{len(values)} values")
    flat = list(chain.from_iterable(lists))
    if not set(map(type, flat)) <= kinds:
        broken(f"{what}: {'whole ' if whole else ''}numbers", "others")
    try:
        return np.array(flat, np.int64 if whole else np.float64)
    except OverflowError:
        broken(f"{what}: numbers of 64 bits", "a larger one")


def margins(given: list[Any], what: str) -> np.ndarray:
    """(3,) float64 of a JSON list."""
    return numbers([given], [CLASSES], whole=False, what=what)
