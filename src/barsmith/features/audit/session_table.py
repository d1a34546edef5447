"""Whether the sessions keep the exchange's clock: the same local opens on both sides of a clock change, and bars anchored on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from barsmith.bars import ladder as ladders
from barsmith.bars.minutes import moment
from barsmith.bars.sessions import CHICAGO
from barsmith.config import TIMEFRAMES
from barsmith.features.audit.bars_checks import base_row
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History

#: Sessions on each side of a clock change that are compared, and how many of the table's beyond the data are looked at.
SIDE, BEYOND = 15, 260
#: Minutes by which the market's first or last minute may move against the table; less than the hour of a clock change.
MOVED = 45
#: Rows outside the sessions that a day may have more after a clock change than before it.
STRAY = 30


def check_sessions(history: History, findings: Findings) -> None:
    """The table against the exchange's clock, then against the bars themselves."""
    table = history.sessions
    if table.calendar == "always" or table.hours == "all" or not len(history):
        findings.did.append("sessions are days of UTC: they have no clock to keep")
        return
    numbers = np.unique(history.rung.session)
    changes = clock_changes(table.opens[: int(numbers[-1]) + BEYOND])
    for change in changes[changes > numbers[0] - BEYOND].tolist():
        check_opens(history, change, findings)
        if numbers[0] + 3 <= change <= numbers[-1] - 3:
            check_minutes(history, change, findings)


def clock_changes(opens: np.ndarray) -> np.ndarray:
    """Numbers of the sessions that are the first after the exchange's clocks were changed."""
    offsets = [local(int(minute)).utcoffset() for minute in opens]
    return np.array([i for i in range(1, len(offsets)) if offsets[i] != offsets[i - 1]], np.int64)


def local(minute: int):  # type: ignore[no-untyped-def]
    return moment(minute).astimezone(CHICAGO)


def usual_time(minutes: Sequence[int]) -> int:
    """The most common time of day, in minutes of the exchange's clock."""
    times = Counter(local(int(minute)).hour * 60 + local(int(minute)).minute for minute in minutes)
    return max(times, key=lambda time: (times[time], -time)) if times else 0


def check_opens(history: History, change: int, findings: Findings) -> None:
    """The table's usual open and close on both sides of a clock change."""
    table = history.sessions
    before, after = slice(max(0, change - SIDE), change), slice(change, change + SIDE)
    for times in (table.opens, table.closes):
        moved = usual_time(times[after].tolist()) - usual_time(times[before].tolist())
        if moved:
            at = int(np.clip(np.searchsorted(history.rung.session, change), 0, len(history) - 1))
            findings.add(Leak("sessions", "sessions", history.bar(at), float(abs(moved))))


def check_minutes(history: History, change: int, findings: Findings) -> None:
    """When trading begins and ends in the bars themselves, against the table, on both sides of a clock change."""
    sides = [survey(history, *span) for span in ((change - SIDE, change), (change, change + SIDE))]
    late, early, stray = (abs(sides[1][i] - sides[0][i]) for i in range(3))
    if late > MOVED or early > MOVED or stray > STRAY:
        at = int(np.clip(np.searchsorted(history.rung.session, change), 0, len(history) - 1))
        findings.add(Leak("sessions", "sessions", history.bar(at), float(max(late, early))))


def survey(history: History, first: int, last: int) -> tuple[float, float, float]:
    """Of these sessions: median minutes from open to the first minute, from the last to the close, and rows outside by session."""
    table, time = history.sessions, history.minutes.time
    numbers = [n for n in range(max(first, 0), last) if n < len(table)]
    spans = [np.searchsorted(time, [table.opens[n], table.closes[n]]) for n in numbers]
    traded = [(n, a, b) for n, (a, b) in zip(numbers, spans, strict=True) if a < b]
    if not traded:
        return 0.0, 0.0, 0.0
    late = float(np.median([time[a] - table.opens[n] for n, a, _ in traded]))
    early = float(np.median([table.closes[n] - 1 - time[b - 1] for n, _, b in traded]))
    if table.hours != "ETH":  # most rows lie outside the floor's hours
        return late, early, 0.0
    raw = history.raw_time[slice(*np.searchsorted(history.raw_time, [table.opens[numbers[0]], table.closes[numbers[-1]]]))]
    return late, early, float(np.count_nonzero(table.numbers(raw) < 0)) / len(traded)


def check_anchors(history: History, timeframes: Sequence[str], findings: Findings) -> None:
    """Every bar of every rung stands on its session's open and holds only minutes of its own."""
    table, time = history.sessions, history.minutes.time
    for timeframe, rung in ladders.ladder(history.minutes, table, timeframes).items():
        step, opened, closed = TIMEFRAMES[timeframe], table.opens[rung.session], table.closes[rung.session]
        wrong = ((rung.start - opened) % step != 0) | (rung.start < opened) | (rung.end != np.minimum(rung.start + step, closed))
        wrong |= (time[rung.first] < rung.start) | (time[rung.last] >= rung.end)
        if wrong.any():
            at = int(rung.start[np.argmax(wrong)])
            findings.add(Leak(f"bars of {timeframe}", "sessions", history.bar(base_row(history, at))))
