"""How a feature's values are spread: a few numbers and a histogram, over the rows on which it has settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

SHARES = {"1%": 0.01, "25%": 0.25, "50%": 0.5, "75%": 0.75, "99%": 0.99}
#: Bars of a histogram; a feature of no more distinct values than this gets one for each.
BINS = 15
BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Distribution:
    """count: values that are numbers. missing: rows without one (NaN or infinite). quantiles: by their share, as `1%`.

    deviation: standard, of the population. The numbers are None where there is no value.
    """

    count: int
    missing: int
    mean: float | None
    deviation: float | None
    min: float | None
    quantiles: dict[str, float | None]
    max: float | None

    @classmethod
    def of(cls, values: np.ndarray) -> Distribution:
        """values: (n,) float64 of settled rows."""
        known = values[np.isfinite(values)]
        missing = len(values) - len(known)
        if not len(known):
            return cls(0, missing, None, None, None, dict.fromkeys(SHARES), None)
        with np.errstate(all="ignore"):  # a sum may be too large for a double, and then there is no mean
            mean, deviation = known.mean(), known.std()
        quantiles = {share: finite(value) for share, value in zip(SHARES, np.quantile(known, list(SHARES.values())), strict=True)}
        return cls(len(known), missing, finite(mean), finite(deviation), finite(known.min()), quantiles, finite(known.max()))

    def as_dict(self) -> dict[str, Any]:
        """{count, missing, mean, deviation, min, 1%, 25%, 50%, 75%, 99%, max}."""
        head = {"count": self.count, "missing": self.missing, "mean": self.mean, "deviation": self.deviation, "min": self.min}
        return {**head, **self.quantiles, "max": self.max}


@dataclass(frozen=True)
class Histogram:
    """counts: (k,) values in each bin. edges: (k + 1,) of bins of one width, or None where `values` (k,) are all that occur.

    below, above: values outside the bins.
    """

    counts: list[int]
    edges: list[float] | None
    values: list[float] | None
    below: int = 0
    above: int = 0

    @classmethod
    def of(cls, values: np.ndarray) -> Histogram | None:
        """Bins from the 1 % to the 99 % quantile, so that one wild bar does not squeeze all others into one; None of nothing."""
        known = values[np.isfinite(values)]
        if not len(known):
            return None
        distinct, counts = np.unique(known, return_counts=True)
        if len(distinct) <= BINS:
            return cls(counts.tolist(), None, distinct.tolist())
        low, high = np.quantile(known, [SHARES["1%"], SHARES["99%"]])
        if not low < high:
            low, high = distinct[0], distinct[-1]
        counts, edges = np.histogram(known, BINS, (low, high))
        return cls(counts.tolist(), edges.tolist(), None, int((known < low).sum()), int((known > high).sum()))

    def rows(self) -> list[tuple[str, int]]:
        """(what, how many) from the lowest to the highest."""
        if self.values is not None:
            return [(f"{value:.6g}", count) for value, count in zip(self.values, self.counts, strict=True)]
        assert self.edges is not None
        bins = [(f"{low:.4g} to {high:.4g}", n) for low, high, n in zip(self.edges, self.edges[1:], self.counts, strict=False)]
        return [("below", self.below), *bins, ("above", self.above)]

    def drawn(self, width: int = 40) -> list[str]:
        """A line for each bin, its bar as long as its share of the fullest one."""
        rows = self.rows()
        most, named = max(count for _, count in rows), max(len(what) for what, _ in rows)
        return [f"{what:>{named}}  {bar(count / most, width)}  {count:,}".rstrip() for what, count in rows]

    def as_dict(self) -> dict[str, Any]:
        return {"counts": self.counts, "edges": self.edges, "values": self.values, "below": self.below, "above": self.above}


def finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def bar(share: float, width: int) -> str:
    """A bar in eighths of a character; what is there at all is seen."""
    eighths = max(round(share * width * 8), int(share > 0))
    return ("█" * (eighths // 8) + BLOCKS[eighths % 8].strip()).ljust(width)
