"""What followed a decision: the arrays that every method of labelling fills, and the window of bars that it may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.errors import DataError, UsageError

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes

OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3


@dataclass(frozen=True)
class Barriers:
    """k_up, k_down: distances of the upper and the lower barrier in their unit. max_bars: patience in base bars."""

    k_up: float
    k_down: float
    max_bars: int


def default_barriers(k_up: float, k_down: float, horizons: Sequence[int], max_bars: int | None = None) -> dict[int, Barriers]:
    """{horizon: the same distances for all, and the horizon's own patience where max_bars is None}, before anything is tuned."""
    return {horizon: Barriers(k_up, k_down, max_bars or horizon) for horizon in horizons}


@dataclass(frozen=True, eq=False)
class Labels:
    """What followed each of m base bars, for one horizon. Arrays are (m,); where `has_label` is false they say nothing.

    label: int8 -1 short, 0 neutral, +1 long. has_label: bool.
    label_end: int64 minutes since 1970, when the outcome was known; a row without a label carries its own decision time.
    log_return: float64, from the entry to the exit: the barrier's price, at a tie or timeout the last close.
    mfe, mae: float64, furthest move for and against the label's side, in the barriers' unit, from the entry through the deciding minute;
        a neutral row is measured as a long trade. Both are 0 where the unit is (a flat ATR).
    tie: bool, one minute touched both barriers.
    k_up, k_down: distances of the barriers in their unit; 1 where a method has none. max_bars: patience in base bars.
    is_meta: the label says whether the primary signal's trade paid (1) or not (0); return and excursions are that trade's.
    """

    label: np.ndarray
    has_label: np.ndarray
    label_end: np.ndarray
    log_return: np.ndarray
    mae: np.ndarray
    mfe: np.ndarray
    tie: np.ndarray
    k_up: float
    k_down: float
    max_bars: int
    is_meta: bool = False

    def __len__(self) -> int:
        return len(self.label)

    @property
    def barriers(self) -> Barriers:
        return Barriers(self.k_up, self.k_down, self.max_bars)

    def counts(self) -> dict[str, int]:
        """Rows short, neutral, long, of which ties, and unlabelled."""
        known = self.label[self.has_label]
        of = {name: int((known == value).sum()) for name, value in (("short", -1), ("neutral", 0), ("long", 1))}
        return {**of, "ties": int(self.tie.sum()), "unlabelled": int((~self.has_label).sum())}


@dataclass(frozen=True, eq=False)
class Window:
    """The bars t+1 .. last that the outcome of row t may depend on.

    last: (m,) int64 bar numbers, -1 where the window is not whole: it runs past the data, or into another contract than row t's.
    end: (m,) int64 minutes since 1970, when the window is over; -1 where it is not whole.
    """

    last: np.ndarray
    end: np.ndarray


def window(base: Rung, max_bars: int, closes: np.ndarray | None = None) -> Window:
    """The windows of `max_bars` base bars; with `closes` none reaches past the session in which its trade is entered.

    closes: (m,) minutes since 1970, the close of each base bar's session. A window that it cuts is over at the close, for only then is it
    sure that no bar follows; in the last session of the data it is whole only where that close has come.
    """
    last, end = np.empty(len(base), np.int64), np.empty(len(base), np.int64)
    _windows(max_bars, *window_inputs(base, closes), last, end)
    return Window(last, end)


def window_inputs(base: Rung, closes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(contract, final, end, closes), (m,) int64 each; final: the last bar of each bar's session where a trade ends there and the session is
    surely over, else m."""
    m = len(base)
    final = np.full(m, m)
    if closes is not None and m:
        final = np.searchsorted(base.session, base.session, "right") - 1
        if base.end[-1] < closes[-1]:
            final[base.session == base.session[-1]] = m
    columns = (base.contract, final, base.end, base.end if closes is None else closes)
    contract, final, end, closes = (np.asarray(column, np.int64) for column in columns)
    return contract, final, end, closes


@njit
def _windows(max_bars, contract, final, end, closes, last, until):  # type: ignore[no-untyped-def]
    m = len(last)
    for t in range(m):
        j = min(t + max_bars, final[t + 1]) if t + 1 < m else m
        is_whole = j < m and contract[j] == contract[t]
        last[t] = j if is_whole else -1
        until[t] = -1 if not is_whole else end[j] if j == t + max_bars else closes[j]


@dataclass(frozen=True, eq=False)
class Held:
    """The prices of a position held through each row's window, (m,) float64; top and bottom include the entry. NaN where there is none."""

    entry: np.ndarray
    leave: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


def held(minutes: Minutes, base: Rung, last: np.ndarray) -> Held:
    """From the open of bar t+1's first minute to the close of bar `last`, none where that is -1."""
    entry, leave, top, bottom = (np.full(len(base), np.nan) for _ in range(4))
    _held(minutes.bars, np.asarray(base.first, np.int64), base.bars, last, entry, leave, top, bottom)
    return Held(entry, leave, top, bottom)


@njit
def _held(minute, first, bar, last, entry, leave, top, bottom):  # type: ignore[no-untyped-def]
    for t in range(len(last)):
        if last[t] < 0:
            continue
        entry[t], leave[t] = minute[first[t + 1], OPEN], bar[last[t], CLOSE]
        top[t], bottom[t] = entry[t], entry[t]
        for j in range(t + 1, last[t] + 1):
            top[t], bottom[t] = max(top[t], bar[j, HIGH]), min(bottom[t], bar[j, LOW])


def held_labels(
    base: Rung, scale: np.ndarray, whole: Window, position: Held, label: np.ndarray, has_label: np.ndarray, barriers: Barriers
) -> Labels:
    """Labels whose outcome is known when their window is over: the position is held so long."""
    unit = np.divide(1.0, scale, out=np.zeros(len(scale)), where=scale > 0.0)
    rise, fall = (position.top - position.entry) * unit, (position.entry - position.bottom) * unit
    is_short = label == -1
    return Labels(
        label=np.where(has_label, label, 0).astype(np.int8),
        has_label=has_label,
        label_end=np.where(has_label, whole.end, base.end),
        log_return=np.log(position.leave / position.entry),
        mae=np.where(is_short, rise, fall),
        mfe=np.where(is_short, fall, rise),
        tie=np.zeros(len(base), np.bool_),
        k_up=barriers.k_up,
        k_down=barriers.k_down,
        max_bars=barriers.max_bars,
    )


def check_barriers(barriers: Barriers, horizon: int) -> None:
    """Raises UsageError `labels/settings`."""
    for name, value in (("k_up", barriers.k_up), ("k_down", barriers.k_down)):
        if not (np.isfinite(value) and value > 0):
            raise bad_setting(f"{name} above 0", str(value), name)
    if horizon < 1 or barriers.max_bars < 1:
        raise bad_setting("whole bars, 1 or more", f"{barriers.max_bars} for horizon {horizon}", "label_horizons and labels.max_bars")


def check_prices(minutes: Minutes, base: Rung) -> None:
    """Raises DataError `labels/adjusted` when base bars and minutes have other prices."""
    if not np.array_equal(base.bars[:, CLOSE], minutes.bars[base.last, CLOSE]):
        raise DataError(
            "labels/adjusted",
            expected="base bars in the contract's own prices, as the minutes are",
            came="bars whose closes are not those of their last minutes",
            do="build them by ladder(minutes, ..., adjusted=False)",
        )


def check_any(has_label: np.ndarray, horizon: int, max_bars: int, *, sampled: bool = False) -> None:
    """Raises DataError `labels/no-future` where no row has a label. sampled: not every row was asked for one."""
    if not has_label.any():
        raise DataError(
            "labels/no-future",
            expected=f"bars that are followed by {max_bars} finished bars of their own contract, with their barriers' distance known"
            + (", among the events" if sampled else ""),
            came=f"{len(has_label)} base bars, none of them so",
            do="bring a longer file, or ask for shorter label_horizons (or labels.max_bars)"
            + (", or for more events (labels.cusum_threshold, labels.primary_signal)" if sampled else ""),
            where=f"horizon {horizon}",
        )


def bad_setting(expected: str, came: str, setting: str) -> UsageError:
    return UsageError("labels/settings", expected=expected, came=came, do=f"correct {setting}")
