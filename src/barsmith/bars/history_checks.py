"""What is odd about a history as a whole: its interval, gaps, frozen stretches, broken scales, and how it fits the sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.minutes import FIELDS, moment
from barsmith.bars.quality import NAMED, Quality
from barsmith.bars.row_checks import Rows
from barsmith.errors import DataError

if TYPE_CHECKING:  # sessions bring Numba, which reading a file does not need
    from barsmith.bars.sessions import Sessions

BREAK = 60
"""Without sessions a hole of an hour or more counts as a break of the market, not as a gap."""
STALE = 30
SCALE = np.sqrt(10.0)
SPIKE, BACK = 0.10, 0.02
FULL = 0.5
CROWD = 60
DAILY = 240
"""A break of the market of four hours or less is a daily one."""
IDLE = 30
LEAST_BREAKS = 5


def check_history(rows: Rows, quality: Quality, *, sessions: Sessions | None, tick_size: float | None, history: bool, where: str) -> None:
    """Refuse what cannot be a history of minutes, warn of what is odd. `rows` are good, sorted and unique.

    history: whether it must be one to learn from, of two bars and more whose prices move.
    Raises DataError `bars/too-few-rows`, `bars/constant`, `bars/wrong-interval`.
    """
    time, steps = rows["time"], np.diff(rows["time"])
    if history:
        _refuse_nothing_to_learn(rows, where)
    _refuse_interval(steps, where)
    if sessions is None:
        _warn_gaps(time, steps, quality)
    else:
        _warn_sessions(time, sessions, quality)
        _warn_zone(time, rows["volume"], sessions, quality)
    _warn_volume(rows["volume"], time, quality)
    _warn_stale(rows, quality)
    _warn_scale(rows, quality)
    if tick_size is not None:
        _warn_off_tick(rows, tick_size, quality)


def _times(minutes: np.ndarray) -> list[str]:
    return [f"{moment(int(minute)):%Y-%m-%d %H:%M} UTC" for minute in minutes[:NAMED]]


def _refuse_nothing_to_learn(rows: Rows, where: str) -> None:
    if len(rows["time"]) < 2:
        came = f"{len(rows['time'])} good one"
        raise DataError("bars/too-few-rows", expected="a history of two bars or more", came=came, do="bring a longer file", where=where)
    first = rows["open"][0]
    if all((rows[name] == first).all() for name in FIELDS[:4]):
        raise DataError(
            "bars/constant",
            expected="prices that move",
            came=f"{float(first)} in every bar",
            do="check the export or the feed",
            where=where,
        )


def _refuse_interval(steps: np.ndarray, where: str) -> None:
    if len(steps) < 3 or 2 * np.count_nonzero(steps == 1) > len(steps):
        return
    values, counts = np.unique(steps, return_counts=True)
    usual = int(values[counts.argmax()])
    if usual != 1:
        raise DataError(
            "bars/wrong-interval",
            expected="one-minute bars",
            came=f"bars {usual} minutes apart in {counts.max()} of {len(steps)} cases",
            do="bring one-minute bars; longer ones are made from them",
            where=where,
        )


def _warn_gaps(time: np.ndarray, steps: np.ndarray, quality: Quality) -> None:
    holes = np.flatnonzero((steps > 1) & (steps <= BREAK))
    if len(holes):
        note = f"minutes missing in {len(holes)} holes shorter than an hour; kept as gaps"
        quality.warn("bars/gap", int((steps[holes] - 1).sum()), _times(time[holes] + 1), note)


def _warn_sessions(time: np.ndarray, sessions: Sessions, quality: Quality) -> None:
    number = sessions.numbers(time)
    inside = np.flatnonzero(number >= 0)
    if len(inside) < len(time):
        outside = time[number < 0]
        quality.warn("bars/out-of-session", len(outside), _times(outside), "kept here, left out where the session filter stands")
        _warn_closed_days(outside, sessions, quality)
    if not len(inside):
        return
    t, n = time[inside], number[inside]
    step, same = np.diff(t), np.diff(n) == 0
    holes = np.flatnonzero(same & (step > 1))
    if len(holes):
        note = f"minutes missing in {len(holes)} holes within sessions; kept as gaps"
        quality.warn("bars/gap", int((step[holes] - 1).sum()), _times(t[holes] + 1), note)
    missing = np.setdiff1d(np.arange(n[0], n[-1] + 1), n)
    if len(missing):
        quality.warn(
            "bars/calendar", len(missing), _times(sessions.opens[missing]), "sessions of the calendar without any bar, by their opens"
        )
    _warn_stamps(time, n, sessions, quality)


def _warn_closed_days(outside: np.ndarray, sessions: Sessions, quality: Quality) -> None:
    _, first, counts = np.unique(np.searchsorted(sessions.opens, outside), return_index=True, return_counts=True)
    crowded = counts >= CROWD
    if crowded.any():
        note = f"times the calendar has the market closed with {CROWD} bars or more"
        quality.warn("bars/calendar", int(crowded.sum()), _times(outside[first[crowded]]), note)


def _warn_zone(time: np.ndarray, volume: np.ndarray, sessions: Sessions, quality: Quality) -> None:
    """Most daily breaks traded through, and most sessions standing still elsewhere: the market's clock is another than this file's."""
    number = sessions.numbers(time)
    seen = np.unique(number[number >= 0])
    before = seen[:-1][np.diff(seen) == 1]
    closes, opens = sessions.closes[before], sessions.opens[before + 1]
    is_daily = (opens > closes) & (opens - closes <= DAILY)
    before, closes, opens = before[is_daily], closes[is_daily], opens[is_daily]
    if len(before) < LEAST_BREAKS:
        return
    traded = time[(number < 0) & (volume > 0)]
    crowded = np.searchsorted(traded, opens) - np.searchsorted(traded, closes) >= (opens - closes) / 2
    inside = number >= 0
    edges = np.concatenate((sessions.opens[before] - 1, time[inside], sessions.closes[before]))
    of = np.concatenate((before, number[inside], before))
    order = np.lexsort((edges, of))
    edges, of = edges[order], of[order]
    idle = np.unique(of[1:][(np.diff(edges) > IDLE) & (np.diff(of) == 0)])
    still = np.isin(before, idle)
    if crowded.mean() > FULL and still.mean() > FULL:
        note = f"of {len(before)} daily breaks of the market are traded through, while {int(still.sum())} sessions stand still for half an hour or more: the zone or the stamps of this file are not what was said"
        quality.warn("bars/zone", int(crowded.sum()), _times(closes[crowded]), note)


def _warn_stamps(time: np.ndarray, numbers: np.ndarray, sessions: Sessions, quality: Quality) -> None:
    """Bars stamped at their open begin with the session's open; stamped at their close they end with its close."""
    seen = np.unique(numbers)
    opens, closes = sessions.opens[seen], sessions.closes[seen]
    apart = closes[:-1] < opens[1:] if len(seen) > 1 else np.ones(0, bool)
    if not apart.all():
        return  # a market without breaks shows no convention
    at_open, at_close = np.isin(opens, time).mean(), np.isin(closes, time).mean()
    before_open, at_last = np.isin(opens - 1, time).mean(), np.isin(closes - 1, time).mean()
    if at_close > max(FULL, at_open):
        note = "sessions end with a bar at their close and do not begin at their open: these stamps look like closes (timestamps: close)"
        quality.warn("bars/stamp-convention", round(at_close * len(seen)), _times(opens), note)
    elif before_open > max(FULL, at_last):
        note = "sessions begin a minute before their open: these stamps look like opens already (timestamps: open)"
        quality.warn("bars/stamp-convention", round(before_open * len(seen)), _times(opens), note)


def _warn_volume(volume: np.ndarray, time: np.ndarray, quality: Quality) -> None:
    empty = np.flatnonzero(volume == 0)
    if len(empty):
        note = "no bar has any volume: features of volume say nothing" if len(empty) == len(volume) else "bars without volume"
        quality.warn("bars/zero-volume", len(empty), _times(time[empty]), note)


def _warn_stale(rows: Rows, quality: Quality) -> None:
    same = np.logical_and.reduce([rows[name][1:] == rows[name][:-1] for name in FIELDS])
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.view(np.int8), [0]))))
    starts, ends = edges[::2], edges[1::2]  # bars starts..ends are alike
    long = ends - starts + 1 >= STALE
    if long.any():
        first, last = rows["time"][starts[long]], rows["time"][ends[long]]
        quality.stale = list(zip(_iso(first), _iso(last), strict=True))
        bars = int((ends - starts + 1)[long].sum())
        quality.warn("bars/stale-feed", bars, _times(first), f"bars in {len(first)} stretches of {STALE} or more that do not differ")


def _iso(minutes: np.ndarray) -> list[str]:
    return [f"{moment(int(minute)):%Y-%m-%dT%H:%MZ}" for minute in minutes]


def _warn_scale(rows: Rows, quality: Quality) -> None:
    time, opened, close = rows["time"], rows["open"], rows["close"]
    jump = opened[1:] / close[:-1]
    broken = np.concatenate(([False], (jump > SCALE) | (jump < 1 / SCALE))) | (rows["high"] > SCALE * rows["low"])
    at = np.flatnonzero(broken)
    if len(at):
        quality.warn("bars/scale-break", len(at), _times(time[at]), "prices jump by more than a factor of 3: a decimal sign may have moved")
    before, after = close[:-2], opened[2:]
    calm = np.abs(after / before - 1) < BACK
    away = np.maximum(rows["high"][1:-1] / before, before / rows["low"][1:-1]) > 1 + SPIKE
    spikes = np.flatnonzero(calm & away & ~broken[1:-1]) + 1
    if len(spikes):
        quality.warn("bars/spike", len(spikes), _times(time[spikes]), "bars that leave by 10 % and are back with the next one")


def _warn_off_tick(rows: Rows, tick_size: float, quality: Quality) -> None:
    off = np.zeros(len(rows["time"]), bool)
    for name in FIELDS[:4]:
        ticks = rows[name] / tick_size
        off |= np.abs(ticks - np.rint(ticks)) > 1e-6 * np.maximum(1.0, np.abs(ticks) * 1e-3)
    at = np.flatnonzero(off)
    if len(at):
        quality.warn("bars/off-tick", len(at), _times(rows["time"][at]), f"prices that are no multiples of {tick_size:g}")
