"""Which rows are train, validation and test, and what is left out between them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from barsmith.config.section import Section, wrong
from barsmith.config.values import TIMEFRAMES, Day, Share

EMBARGO_MINUTES = 7200  # five days
SPLIT_KEYS = ("train_pct", "val_pct", "test_pct", "purge_bars", "embargo_bars")


class SplitSettings(Section):
    """Shares of the rows in the order of time, or the days on which validation and test begin; and what is left out between, in base bars."""

    train_pct: Share = 0.70
    val_pct: Share = 0.15
    test_pct: Share = 0.15
    val_start: Day | None = None  # a trade date; with test_start, instead of the shares
    test_start: Day | None = None
    purge_bars: Annotated[int, Field(ge=0, le=1_000_000)] = 60
    embargo_bars: Annotated[int, Field(ge=0, le=10_000_000)] = 1440

    @model_validator(mode="after")
    def _shares_are_the_whole(self) -> SplitSettings:
        total = self.train_pct + self.val_pct + self.test_pct
        if abs(total - 1.0) > 1e-9:
            came = f"{self.train_pct:g} + {self.val_pct:g} + {self.test_pct:g} = {total:g}"
            raise wrong("config/splits", "train_pct + val_pct + test_pct = 1", came, "set all three")
        if (self.val_start is None) != (self.test_start is None):
            came = "val_start" if self.test_start is None else "test_start"
            raise wrong("config/splits", "val_start and test_start, or neither", f"{came} alone", "set both")
        if self.val_start is not None and self.test_start is not None and self.val_start >= self.test_start:
            raise wrong("config/splits", "val_start before test_start", f"{self.val_start} and {self.test_start}", "correct the two")
        return self


def five_days_of(base: object, clock: object) -> int:
    """Base bars of five days; what is no timeframe or clock is refused elsewhere."""
    if isinstance(clock, dict) and clock.get("kind", "time") != "time":
        bars = clock.get("bars_per_session", 78)
        trails = clock.get("threshold") is None and isinstance(bars, int | float) and 0 < bars <= 1440
        return max(5, round(5 * bars)) if trails else EMBARGO_MINUTES // TIMEFRAMES["5m"]
    return max(1, EMBARGO_MINUTES // TIMEFRAMES.get(base if isinstance(base, str) else "", 5))
