"""Which base bars are train, validation and test, drawn before anything learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from barsmith.config import SplitSettings
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.sessions import SessionBars
from barsmith.splits.calendar import SplitCalendar, draw_calendar


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
    return Calendar(draw_calendar(len(sessions.bars), **settings.model_dump()).as_dict())
