"""Which base bars are train, validation and test, drawn before anything learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from barsmith.config import SplitSettings
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.sessions import SessionBars
from barsmith.splits.calendar import SplitCalendar, draw_calendar, draw_calendar_by_date


@dataclass(frozen=True)
class Calendar:
    """split: `SplitCalendar.as_dict()`."""

    split: dict[str, Any]

    def drawn(self) -> SplitCalendar:
        rows = {name: range(*self.split[name]) for name in ("train", "val", "test")}
        return SplitCalendar(**rows, n=self.split["rows"], purge_bars=self.split["purge_bars"], embargo_bars=self.split["embargo_bars"])


@stage(unlisted=True)
def calendar(sessions: SessionBars, settings: SplitSettings) -> Calendar:
    """The split calendar over every base bar of the chosen session."""
    if settings.val_start is not None and settings.test_start is not None:
        gaps = {"purge_bars": settings.purge_bars, "embargo_bars": settings.embargo_bars}
        days = sessions.bars["trade_date"].to_numpy()
        return Calendar(draw_calendar_by_date(days, settings.val_start, settings.test_start, **gaps).as_dict())
    shares = settings.model_dump(exclude={"val_start", "test_start"})
    return Calendar(draw_calendar(len(sessions.bars), **shares).as_dict())
