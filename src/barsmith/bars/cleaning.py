"""From checked raw bars to in-session minutes of one continuous series. Every rule is causal; gaps stay gaps.

Interpolating a gap, or an outlier rule over the whole series, is not offered: both would read the future. Rules that leave out or
fill minutes on request are in `minute_rules.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minute_rules import carried, filled, sifted, without_holed
from barsmith.bars.minutes import Minutes, as_minutes, moment
from barsmith.bars.rolls import continue_minutes, roll_list
from barsmith.bars.sessions import EPOCH, Sessions
from barsmith.compiled import njit
from barsmith.config import CleanSettings

DOUBTFUL_MINUTES = 30
"""So many minutes on one day outside the sessions are no echoes of a feed: the table may be wrong."""


def clean(
    raw: pl.DataFrame,
    sessions: Sessions,
    *,
    rolls: Sequence[int] = (),
    after: Minutes | None = None,
    rules: CleanSettings = CleanSettings(),
) -> tuple[Minutes, dict[str, Any]]:
    """In-session minutes of one continuous series, after those of `after`, and what was counted on the way.

    raw: checked raw bars (`read_raw(...).frame`), sorted and unique. rolls: see `continue_minutes`. rules: see `minute_rules.py`.
    Counts of raw: rows, out_of_session (dropped), thin (dropped), outliers, outliers_dropped, minutes, sessions,
    empty_sessions (of the table's, between the first and the last), missing_minutes (between the first and the last minute of their
    session), filled, dropped_sessions, rolls, guessed_rolls, first_outliers (UTC minutes), doubtful_days (ISO dates on which many
    minutes fell outside the sessions: bars beat the table, so correct it with `exceptions`).
    """
    before = after if after is not None else Minutes.empty()
    time = as_minutes(raw["datetime"])
    number = sessions.numbers(time)
    inside = number >= 0
    start = int(np.searchsorted(time, before.time[-1], "right")) if len(before) else 0
    frame, time_in, number_in = carried(raw[start:], inside[start:]), time[start:][inside[start:]], number[start:][inside[start:]]
    found = sifted(frame, time_in, number_in, rules, rolls, before, sessions)
    frame, made = carried(frame, found.kept), 0
    if rules.gaps == "fill":
        kept = len(frame)
        frame = filled(frame, time_in[found.kept], rules.max_fill, before, sessions)
        made = len(frame) - kept
    minutes = continue_minutes(frame, rolls=rolls, after=after)
    rolled = roll_list(minutes[max(len(before) - 1, 0) :] if len(before) else minutes)
    holed = 0
    if rules.gaps == "drop_session":
        minutes, holed = without_holed(minutes, sessions, rules.max_gap)
    return minutes, {
        "rows": len(raw),
        "out_of_session": len(time) - int(np.count_nonzero(inside)),
        "thin": found.thin,
        "outliers": found.far,
        "outliers_dropped": found.far if rules.outliers == "drop" else 0,
        "minutes": int(np.count_nonzero(inside)) - int(np.count_nonzero(~found.kept)),
        "filled": made,
        **_sessions_seen(time, number),
        "dropped_sessions": holed,
        "rolls": len(rolled),
        "guessed_rolls": sum(not roll["known"] for roll in rolled),
        "first_outliers": [f"{moment(minute):%Y-%m-%dT%H:%MZ}" for minute in found.first],
        "doubtful_days": _doubtful_days(time[~inside]) if sessions.hours == "ETH" else [],
    }


def _sessions_seen(time: np.ndarray, number: np.ndarray) -> dict[str, int]:
    traded, missing = _survey(time, number)
    seen = number[number >= 0]
    empty = int(seen[-1] - seen[0]) + 1 - int(traded) if len(seen) else 0
    return {"sessions": int(traded), "empty_sessions": empty, "missing_minutes": int(missing)}


def _doubtful_days(outside: np.ndarray) -> list[str]:
    days, many = np.unique(outside // 1440, return_counts=True)
    return [str(EPOCH + timedelta(day)) for day in days[many >= DOUBTFUL_MINUTES].tolist()]


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
