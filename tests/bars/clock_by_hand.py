"""Clock bars by the words of the book, a minute or a trade at a time in plain Python."""

from __future__ import annotations

from barsmith.bars.clocks import Clock
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions


def amounts_by_hand(minutes: Minutes, clock: Clock) -> list[float]:
    unit = {
        "volume": lambda c, v: v,
        "dollar": lambda c, v: c * v * clock.usd_per_point,
        "tick": lambda c, v: v / (clock.lots_per_trade or 1.0),
    }
    return [unit[clock.kind](close, volume) for close, volume in zip(minutes.bars[:, 3].tolist(), minutes.bars[:, 4].tolist(), strict=True)]


def thresholds_by_hand(sums: list[float], is_whole: bool, clock: Clock) -> list[float | None]:
    """A threshold for each traded session, None where it has none."""
    out: list[float | None] = []
    for s in range(len(sums)):
        before = sums[0 if is_whole else 1 : s][-clock.sessions :] if s else []
        total = 0.0
        for one in before:
            total += one
        out.append(clock.threshold if clock.threshold else total / len(before) / clock.bars_per_session if total > 0 else None)
    return out


def bars_by_hand(minutes: Minutes, sessions: Sessions, clock: Clock, now: int, adjusted: bool = True) -> list[tuple]:
    """(start, end, bar, session, first, last, whether the sum reached the threshold) of each bar that ends by `now`."""
    amounts, prices = amounts_by_hand(minutes, clock), (minutes.adjusted() if adjusted else minutes.bars).tolist()
    days: dict[int, list[int]] = {}
    for i, time in enumerate(minutes.time.tolist()):
        days.setdefault(sessions.number(time), []).append(i)
    sums = []
    for rows in days.values():
        total = 0.0
        for i in rows:
            total += amounts[i]
        sums.append(total)
    is_whole = bool(days) and int(minutes.time[0]) == sessions.span(next(iter(days)))[0]
    out = []
    for (number, rows), threshold in zip(days.items(), thresholds_by_hand(sums, is_whole, clock), strict=True):
        while rows and threshold is not None:
            total, taken = 0.0, []
            while rows and (not taken or total < threshold):
                taken.append(rows.pop(0))
                total += amounts[taken[-1]]
            out.append(_bar(minutes, prices, sessions, number, taken, total >= threshold))
    return [bar for bar in out if bar[1] <= now]


def _bar(minutes: Minutes, prices: list[list[float]], sessions: Sessions, number: int, taken: list[int], reached: bool) -> tuple:
    mine = [prices[i] for i in taken]
    volume = mine[0][4]
    for bar in mine[1:]:
        volume += bar[4]
    end = int(minutes.time[taken[-1]]) + 1 if reached else sessions.span(number)[1]
    values = [mine[0][0], max(b[1] for b in mine), min(b[2] for b in mine), mine[-1][3], volume]
    return int(minutes.time[taken[0]]), end, values, number, taken[0], taken[-1], reached
