"""What is wrong with single bars: each bad bar is refused, put aside, or, where its range is too narrow, widened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barsmith.bars.minutes import FIELDS
from barsmith.bars.quality import Quality, bar_name, bar_names, others
from barsmith.errors import DataError

LARGEST_VOLUME = 1e12
ASIDE = "correct the source, or pass --on-bad-rows quarantine to put such bars aside"
WIDEN = "pass --repair to widen ranges, or --on-bad-rows quarantine to put such bars aside"

Rows = dict[str, np.ndarray]
"""`time` in minutes, open high low close volume and perhaps roll_ratio, (n,) each, in the order of the source."""


@dataclass(frozen=True)
class Bounds:
    """Prices from `lowest` to `highest`, opens up to the minute `now`."""

    lowest: float
    highest: float
    now: int


@dataclass(frozen=True)
class RowCheck:
    """A case of a bad bar: what is expected, which bars are otherwise, what to say of one, what to do."""

    code: str
    expected: str
    finds: Callable[[Rows, Bounds], np.ndarray]
    says: Callable[[dict[str, float]], str]
    do: str = ASIDE


def _all_values(bar: dict[str, float]) -> str:
    return ", ".join(f"{name} {bar[name]!r}" for name in FIELDS)


def _any_price(finds: Callable[[np.ndarray, Bounds], np.ndarray]) -> Callable[[Rows, Bounds], np.ndarray]:
    return lambda rows, bounds: np.logical_or.reduce([finds(rows[name], bounds) for name in FIELDS[:4]])


def _high_below_body(bar: dict[str, float]) -> str:
    name = "close" if bar["close"] >= bar["open"] else "open"
    return f"high {bar['high']!r} below {name} {bar[name]!r}"


def _low_above_body(bar: dict[str, float]) -> str:
    name = "close" if bar["close"] <= bar["open"] else "open"
    return f"low {bar['low']!r} above {name} {bar[name]!r}"


ROW_CHECKS = (
    RowCheck(
        "bars/future",
        "bars that have opened",
        lambda rows, bounds: rows["time"] > bounds.now,
        lambda bar: "an open that this machine's clock has not reached",
        "check timezone, timestamps and this machine's clock, or pass --on-bad-rows quarantine to put such bars aside",
    ),
    RowCheck("bars/nan-price", "four prices in each bar", _any_price(lambda price, _: np.isnan(price)), _all_values),
    RowCheck("bars/infinite-price", "finite prices", _any_price(lambda price, _: np.isinf(price)), _all_values),
    RowCheck("bars/nonpositive-price", "prices above zero", _any_price(lambda price, _: price <= 0), _all_values),
    RowCheck(
        "bars/out-of-range",
        "prices within the instrument's limits",
        _any_price(lambda price, bounds: (price < bounds.lowest) | (price > bounds.highest)),
        _all_values,
        f"check the price's unit and the instrument's min_price and max_price; {ASIDE}",
    ),
    RowCheck(
        "bars/high-below-low",
        "high at or above low",
        lambda rows, _: rows["high"] < rows["low"],
        lambda bar: f"high {bar['high']!r} below low {bar['low']!r}",
    ),
    RowCheck(
        "bars/high-below-body",
        "high at or above open and close",
        lambda rows, _: rows["high"] < np.maximum(rows["open"], rows["close"]),
        _high_below_body,
        WIDEN,
    ),
    RowCheck(
        "bars/low-above-body",
        "low at or below open and close",
        lambda rows, _: rows["low"] > np.minimum(rows["open"], rows["close"]),
        _low_above_body,
        WIDEN,
    ),
    RowCheck("bars/nan-volume", "a volume in each bar", lambda rows, _: np.isnan(rows["volume"]), _all_values),
    RowCheck("bars/infinite-volume", "finite volumes", lambda rows, _: np.isinf(rows["volume"]), _all_values),
    RowCheck("bars/negative-volume", "volumes of zero or more", lambda rows, _: rows["volume"] < 0, _all_values),
    RowCheck("bars/out-of-range", f"volumes up to {LARGEST_VOLUME:g}", lambda rows, _: rows["volume"] > LARGEST_VOLUME, _all_values),
    RowCheck(
        "bars/roll-ratio",
        "roll_ratio above zero where it is given",
        lambda rows, _: (rows["roll_ratio"] <= 0) | np.isinf(rows["roll_ratio"]),
        lambda bar: f"roll_ratio {bar['roll_ratio']!r}",
    ),
)
"""In this order: a bad bar is counted under the first that finds it."""


def all_good(rows: Rows, bounds: Bounds) -> bool:
    """Whether no check would find anything: their conditions together, in few passes. NaN fails every comparison."""
    o, h, l, c, v = (rows[name] for name in FIELDS)
    return bool(
        "roll_ratio" not in rows
        and (h >= np.maximum(o, c)).all()
        and (l <= np.minimum(o, c)).all()
        and l.min() >= bounds.lowest
        and l.min() > 0
        and h.max() <= bounds.highest
        and v.min() >= 0
        and v.max() <= LARGEST_VOLUME
        and rows["time"].max() <= bounds.now
    )


def widen(rows: Rows, quality: Quality) -> Rows:
    """High and low out to open and close, where high is not below low: no price is used that the bar did not have."""
    o, h, l, c = (rows[name] for name in FIELDS[:4])
    known = np.isfinite(o) & np.isfinite(h) & np.isfinite(l) & np.isfinite(c) & (h >= l)
    narrow = np.flatnonzero(known & ((h < np.maximum(o, c)) | (l > np.minimum(o, c))))
    if not len(narrow):
        return rows
    quality.repaired = len(narrow)
    quality.warn("bars/repaired", len(narrow), bar_names(narrow, rows["time"]), "high and low widened to open and close")
    high, low = h.copy(), l.copy()
    high[narrow] = np.maximum(h, np.maximum(o, c))[narrow]
    low[narrow] = np.minimum(l, np.minimum(o, c))[narrow]
    return {**rows, "high": high, "low": low}


def bad_rows(rows: Rows, bounds: Bounds) -> np.ndarray:
    """(n,) the number of the first check that finds the bar, counted from 1; 0 for good bars."""
    found = np.zeros(len(rows["time"]), np.int8)
    if all_good(rows, bounds):
        return found
    for number, check in enumerate(ROW_CHECKS, start=1):
        if check.code != "bars/roll-ratio" or "roll_ratio" in rows:
            found[check.finds(rows, bounds) & (found == 0)] = number
    return found


def refusal(rows: Rows, found: np.ndarray, where: str) -> DataError:
    """The error that names the bars of the first check that found any, and counts the rest."""
    number = int(found[found > 0].min())
    check, bad = ROW_CHECKS[number - 1], np.flatnonzero(found == number)
    first = int(bad[0])
    bar = {name: float(column[first]) for name, column in rows.items()}
    rest = Counter(ROW_CHECKS[n - 1].code for n in found[(found > 0) & (found != number)])
    also = "".join(f", and {count} with {code}" for code, count in rest.items())
    came = f"{bar_name(first, int(rows['time'][first]))} with {check.says(bar)}{others(bad)}{also}"
    return DataError(check.code, expected=check.expected, came=came, do=check.do, where=where)


def put_aside(rows: Rows, found: np.ndarray, quality: Quality) -> None:
    """Count the bad bars under their codes."""
    for number in np.unique(found[found > 0]):
        bad = np.flatnonzero(found == number)
        quality.warn(ROW_CHECKS[number - 1].code, len(bad), bar_names(bad, rows["time"]), "put aside")
    quality.quarantined = int(np.count_nonzero(found))
