"""What each family of models reads by default, of the columns that validation kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Reads = Literal["tabular", "sequence", "multires"]
FAMILIES: tuple[Reads, ...] = ("tabular", "sequence", "multires")


def columns_read(reads: Reads, kept: Sequence[str], catalogue: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns of `kept` that a family reads.

    tabular: all of them. sequence: those that read no other timeframe, since a window has a past of its own, and no raw prices of the
    rungs. multires: none, because it reads the bars of the rungs themselves.
    catalogue: entries with name, group and timeframes (those read besides the base).
    """
    if reads == "multires":
        return []
    if reads == "tabular":
        return list(kept)
    without = {one["name"] for one in catalogue if one["timeframes"] or one["group"] == "multires"}
    return [name for name in kept if name not in without]
