"""Kinds of columns, told by the unit that the catalogue gives them: flags, bounded oscillators, and everything else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

Kind = Literal["flags", "bounded"]
_STATE = re.compile(r"-?[01]( \w+)?")
_BOUNDED = re.compile(r"(-1|0)\.\.[01]( in equal steps)?|probability")


def kind_of(unit: str) -> Kind | None:
    """What a unit says: states as `-1, 0 or 1` are flags, an interval within -1 to 1 is bounded.

    >>> [kind_of(unit) for unit in ("1 up, 0 none, -1 down", "0..1", "about 0..1", "log return")]
    ['flags', 'bounded', None, None]
    """
    states = re.split(", | or ", unit)
    if len(states) > 1 and all(map(_STATE.fullmatch, states)):
        return "flags"
    return "bounded" if _BOUNDED.fullmatch(unit) else None


def columns_of_kind(kinds: Iterable[Kind], catalogue: Iterable[Mapping[str, Any]]) -> dict[str, Kind]:
    """{column: kind} of the columns of these kinds. catalogue: entries with name and unit."""
    wanted = set(kinds)
    found = {entry["name"]: kind_of(entry["unit"]) for entry in catalogue}
    return {name: kind for name, kind in found.items() if kind in wanted and kind is not None}
