"""One-minute bars as arrays: what every clean history, live journal and bundle is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

FIELDS = ("open", "high", "low", "close", "volume")
US_PER_MINUTE = 60_000_000


@dataclass(frozen=True, eq=False)
class Minutes:
    """In-session one-minute bars in the order of time.

    time: (n,) int64, whole minutes since 1970 UTC, the bars' opens, strictly increasing.
    bars: (n, 5) float64, open high low close volume, in the contract's own prices.
    contract: (n,) int32, the contract's number in the order of appearance, never decreasing.
    factor: (n,) float64, product of the roll ratios so far: an adjusted price is the price divided by it; 1.0 before the first roll.
    names: the contracts' names by number, empty where the source does not name them.
    """

    time: np.ndarray
    bars: np.ndarray
    contract: np.ndarray
    factor: np.ndarray
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, time: np.ndarray, bars: np.ndarray) -> Minutes:
        """Minutes of one contract, without rolls."""
        time = np.ascontiguousarray(time, np.int64)
        return cls(time, np.ascontiguousarray(bars, np.float64), np.zeros(len(time), np.int32), np.ones(len(time)))

    @classmethod
    def empty(cls) -> Minutes:
        return cls.of(np.empty(0, np.int64), np.empty((0, 5)))

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice) -> Minutes:
        contract = self.contract[rows]
        known = int(contract[-1]) + 1 if len(contract) else 0  # a slice does not know the contracts of its future
        return Minutes(self.time[rows], self.bars[rows], contract, self.factor[rows], self.names[:known])

    def adjusted(self) -> np.ndarray:
        """(n, 5) bars whose prices are adjusted forward by the roll ratios: what features read."""
        out = self.bars.copy()
        out[:, :4] /= self.factor[:, None]
        return out

    def to_frame(self) -> pl.DataFrame:
        """datetime (UTC, the bar's open), open high low close volume, contract, roll_factor."""
        return pl.DataFrame(
            {
                "datetime": as_datetime(self.time),
                **{name: np.ascontiguousarray(self.bars[:, i]) for i, name in enumerate(FIELDS)},
                "contract": self.contract,
                "roll_factor": self.factor,
            }
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, names: tuple[str, ...] = ()) -> Minutes:
        """The inverse of `to_frame`; a frame without `contract` and `roll_factor` is one contract."""
        time = as_minutes(frame["datetime"])
        bars = np.column_stack([frame[name].cast(pl.Float64).to_numpy() for name in FIELDS]) if len(frame) else np.empty((0, 5))
        plain = cls.of(time, bars)
        if "contract" not in frame.columns:
            return plain
        return cls(
            plain.time,
            plain.bars,
            np.ascontiguousarray(frame["contract"].to_numpy(), np.int32),
            np.ascontiguousarray(frame["roll_factor"].to_numpy(), np.float64),
            names,
        )


def problem_of(minutes: Minutes) -> str | None:
    """What is wrong with minutes that come from a file, in words; None where they are as they must be."""
    time, bars, contract, factor = minutes.time, minutes.bars, minutes.contract, minutes.factor
    open_, high, low, close, volume = bars.T
    checks = {
        "times that do not grow": bool((np.diff(time) <= 0).any()),
        "numbers that are not finite": not (np.isfinite(bars).all() and np.isfinite(factor).all()),
        "prices of zero or less": bool((bars[:, :4] <= 0).any()),
        "a high or low within its bar's body": bool((high < np.maximum(open_, close)).any() or (low > np.minimum(open_, close)).any()),
        "negative volumes": bool((volume < 0).any()),
        "roll factors of zero or less": bool((factor <= 0).any()),
        "contracts out of order": bool(len(contract) and (contract[0] != 0 or (np.diff(contract) < 0).any())),
        "contracts without a name": bool(minutes.names and len(contract) and contract[-1] + 1 != len(minutes.names)),
    }
    return next((what for what, is_so in checks.items() if is_so), None)


def as_datetime(minutes: np.ndarray) -> pl.Series:
    """Whole minutes since 1970 -> Datetime[us, UTC]."""
    return pl.Series(np.asarray(minutes, np.int64) * US_PER_MINUTE).cast(pl.Datetime("us", "UTC"))


def as_minutes(datetimes: pl.Series) -> np.ndarray:
    """Datetime[UTC] of whole minutes -> (n,) int64 minutes since 1970."""
    return np.ascontiguousarray(datetimes.dt.cast_time_unit("us").to_physical().to_numpy() // US_PER_MINUTE, np.int64)


def minute_of(moment: datetime) -> int:
    """An aware datetime -> whole minutes since 1970 UTC."""
    return int(moment.timestamp()) // 60


def moment(minute: int) -> datetime:
    """Whole minutes since 1970 -> an aware UTC datetime."""
    return datetime.fromtimestamp(int(minute) * 60, UTC)
