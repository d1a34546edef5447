"""Checks of minutes: whether a series of several contracts was made continuous with what was known at each roll."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.minutes import moment
from barsmith.validation.checks import Finding

if TYPE_CHECKING:
    from barsmith.bars.minutes import Minutes


def factors_of_later_rolls(minutes: Minutes, known: Mapping[int, float]) -> Iterator[Finding]:
    """Leak 12: roll factors that are not the running product of the ratios of the rolls so far, 1 before the first.

    known: minute -> the ratio that the file gives there; that of a minute left out counts for the next one that stayed. Where the file gives
    none, the first open over the last close.
    """
    expected = np.ones(len(minutes))
    told = np.array(sorted(known), np.int64)
    for i in (np.flatnonzero(np.diff(minutes.contract)) + 1).tolist():
        low, high = np.searchsorted(told, minutes.time[i - 1 : i + 1], "right")
        given = [known[minute] for minute in told[low:high].tolist()]
        ratio = float(np.prod(given)) if given else float(minutes.bars[i, 0] / minutes.bars[i - 1, 3])
        expected[i:] = expected[i - 1] * ratio
    wrong = np.flatnonzero(~np.isclose(minutes.factor, expected, rtol=1e-9, atol=0.0))
    if len(wrong):
        at = f"{moment(int(minutes.time[wrong[0]])):%Y-%m-%d %H:%M} UTC"
        what = f"{len(wrong)} minutes are not adjusted by the rolls before them alone, the first at {at}: "
        what += f"factor {minutes.factor[wrong[0]]:.6g}, expected {expected[wrong[0]]:.6g}"
        yield Finding("ingest/roll-factor", what, len(wrong))
