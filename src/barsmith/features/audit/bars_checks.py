"""Before any feature: whether cleaned minutes and the bars of every rung stay as they were once known, and what `on` shows of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from barsmith.bars import cleaning
from barsmith.bars import ladder as ladders
from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes
from barsmith.config import TIMEFRAMES
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.features.graph import close, on
from barsmith.features.plan import Plan

#: Raw rows before and after a moment that are cleaned and built into bars beside those before it alone.
AROUND = 1_500
LONGER = 4_500


def check_cleaning(history: History, cuts: Sequence[int], whole: Sequence[int], findings: Findings) -> None:
    """Minutes known when a minute begins, against the same with later rows. cuts: with rows around them; whole: with the whole history."""
    for cut in cuts:
        row = int(np.searchsorted(history.raw_time, history.minutes.time[cut]))
        compare_cleaning(history, max(0, row - AROUND), row, min(row + AROUND, len(history.raw)), findings)
    for cut in whole:
        row = int(np.searchsorted(history.raw_time, history.minutes.time[cut]))
        compare_cleaning(history, 0, row, len(history.raw), findings)


def compare_cleaning(history: History, first: int, row: int, last: int, findings: Findings) -> None:
    """The rows [first, row) cleaned alone, against those of [first, last) that were over when row `row` began."""
    now = int(history.raw_time[row])
    known, _ = cleaning.clean(history.raw[first:row], history.sessions, rolls=history.rolls)
    later, _ = cleaning.clean(history.raw[first:last], history.sessions, rolls=history.rolls)
    later = later[: int(np.searchsorted(later.time, now))]
    if same_minutes(known, later):
        return
    at, size = first_difference(known, later)
    findings.add(Leak("clean", "clean", history.bar(base_row(history, at)), size))


def same_minutes(a: Minutes, b: Minutes) -> bool:
    pairs = ((a.time, b.time), (a.bars, b.bars), (a.contract, b.contract), (a.factor, b.factor))
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


def first_difference(a: Minutes, b: Minutes) -> tuple[int, float | None]:
    """The first minute that differs, and by how much in price; None where it is there or not."""
    n = min(len(a), len(b))
    apart = (
        (a.time[:n] != b.time[:n])
        | (a.bars[:n] != b.bars[:n]).any(axis=1)
        | (a.factor[:n] != b.factor[:n])
        | (a.contract[:n] != b.contract[:n])
    )
    if not apart.any():
        longer = a if len(a) > n else b
        return int(longer.time[min(n, len(longer) - 1)]), None
    i = int(np.argmax(apart))
    if a.time[i] != b.time[i]:
        return int(min(a.time[i], b.time[i])), None
    return int(a.time[i]), float(np.abs(a.bars[i] - b.bars[i]).max())


def base_row(history: History, time: int) -> int:
    """The base bar that holds a minute, or the one before it."""
    return int(np.clip(np.searchsorted(history.rung.start, time, "right") - 1, 0, len(history) - 1))


def check_ladder(history: History, cuts: Sequence[int], timeframes: Sequence[str], findings: Findings) -> None:
    """The bars of every rung that are closed when a minute begins, against the same bars once more minutes are known."""
    for cut in cuts:
        first, last, now = max(0, cut - LONGER), min(cut + AROUND, len(history.minutes)), int(history.minutes.time[cut])
        known = ladders.ladder(history.minutes[first:cut], history.sessions, timeframes, now=now)
        later = ladders.ladder(history.minutes[first:last], history.sessions, timeframes)
        for timeframe in timeframes:
            time = first_apart(known[timeframe], later[timeframe], now)
            if time is not None:
                findings.add(Leak(f"bars of {timeframe}", "mtf", history.bar(base_row(history, time))))


def first_apart(known: Rung, later: Rung, now: int) -> int | None:
    """The start of the first bar that is there too early or has changed since."""
    early = known.end > now
    if early.any():
        return int(known.start[early][0])
    m = int(np.searchsorted(later.end, now, "right"))
    n = min(m, len(known))
    apart = (known.start[:n] != later.start[:n]) | (known.end[:n] != later.end[:n]) | (known.bars[:n] != later.bars[:n]).any(axis=1)
    if apart.any():
        return int(known.start[:n][apart][0])
    if m != len(known):
        longer = known if len(known) > n else later
        return int(longer.start[min(n, len(longer) - 1)])
    return None


def check_joins(history: History, timeframes: Sequence[str], findings: Findings) -> None:
    """`on(timeframe, close)` at every base bar, against the close of the last minute of the last bar that had ended by then.

    The expected value comes from minutes and the session table alone.
    """
    others = [timeframe for timeframe in timeframes if timeframe != history.base]
    plan = Plan({timeframe: on(timeframe, close) for timeframe in others}, base=history.base, sessions=history.sessions)
    reading = plan.read(history.minutes)
    for j, timeframe in enumerate(others):
        expected = closes_known(history, TIMEFRAMES[timeframe])
        found = reading.matrix[:, j]
        apart = ~((found == expected) | (np.isnan(found) & np.isnan(expected)))
        if apart.any():
            row = int(np.argmax(apart))
            size = abs(found[row] - expected[row])
            findings.add(Leak(f"on({timeframe!r}, ...)", "mtf", history.bar(row), float(size) if np.isfinite(size) else None))


def closes_known(history: History, step: int) -> np.ndarray:
    """(m,) for each base bar the close of the last bar of `step` minutes that has ended by its end; NaN where there is none."""
    time, table = history.minutes.time, history.sessions
    number = table.numbers(time)
    opened = table.opens[number]
    end = np.minimum(opened + ((time - opened) // step + 1) * step, table.closes[number])
    is_last = np.append(end[1:] != end[:-1], True)
    ends, closes = end[is_last], history.adjusted[is_last, 3]
    at = np.searchsorted(ends, history.rung.end, "right") - 1
    return np.where(at < 0, np.nan, closes[at])
