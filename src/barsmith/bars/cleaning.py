"""From checked raw bars to in-session minutes of one continuous series. Every rule is causal; gaps stay gaps.

Interpolating a gap, or an outlier rule over the whole series, is not offered: both would read the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.bars.rolls import continue_minutes, roll_list
from barsmith.bars.sessions import EPOCH, Sessions
from barsmith.compiled import njit

DOUBTFUL_MINUTES = 30
"""So many minutes on one day outside the sessions are no echoes of a feed: the table may be wrong."""


def clean(
    raw: pl.DataFrame, sessions: Sessions, *, rolls: Sequence[int] = (), after: Minutes | None = None
) -> tuple[Minutes, dict[str, Any]]:
    """In-session minutes of one continuous series, after those of `after`, and what was counted on the way.

    raw: checked raw bars (`read_raw(...).frame`), sorted and unique. rolls: see `continue_minutes`.
    Counts of raw: rows, out_of_session (dropped), minutes, sessions, empty_sessions (of the table's, between the first and the
    last), missing_minutes (between the first and the last minute of their session), rolls, guessed_rolls, doubtful_days
    (ISO dates on which many minutes fell outside the sessions: bars beat the table, so correct it with `exceptions`).
    """
    time = as_minutes(raw["datetime"])
    number = sessions.numbers(time)
    inside = number >= 0
    dropped = len(time) - int(np.count_nonzero(inside))
    minutes = continue_minutes(raw.filter(inside) if dropped else raw, rolls=rolls, after=after)
    kept = number[inside] if dropped else number
    traded, missing = _survey(time, number)
    found = roll_list(minutes[max(len(after) - 1, 0) :] if after is not None else minutes)
    days, many = np.unique(time[~inside] // 1440, return_counts=True) if sessions.hours == "ETH" else (time[:0], time[:0])
    return minutes, {
        "rows": len(raw),
        "out_of_session": dropped,
        "minutes": len(kept),
        "sessions": int(traded),
        "empty_sessions": int(kept[-1] - kept[0]) + 1 - int(traded) if len(kept) else 0,
        "missing_minutes": int(missing),
        "rolls": len(found),
        "guessed_rolls": sum(not roll["known"] for roll in found),
        "doubtful_days": [str(EPOCH + timedelta(day)) for day in days[many >= DOUBTFUL_MINUTES].tolist()],
    }


@njit
def _survey(time, number):  # type: ignore[no-untyped-def]
    """How many sessions have a minute, and how many minutes are missing between the first and the last of their session."""
    sessions, missing, before, last = 0, 0, -1, 0
    for i in range(len(time)):
        if number[i] < 0:
            continue
        if number[i] == before:
            missing += time[i] - last - 1
        else:
            sessions += 1
        before, last = number[i], time[i]
    return sessions, missing
