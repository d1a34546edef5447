"""A contract's numbers, where they are the user's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from barsmith.config.section import Section, shown, wrong
from barsmith.config.values import Multiple
from barsmith.errors import did_you_mean

SHIPPED_SYMBOLS = ("MES", "MNQ", "ES", "NQ", "MGC", "GC", "SI", "CL")
CALENDARS = ("equity_index", "metals", "energy", "always")


class ContractSettings(Section):
    """A contract of the user's, or other numbers for a shipped one: what is left out there is the shipped number."""

    tick: Annotated[float, Field(gt=0, le=1e6)] | None = None
    usd_per_point: Annotated[float, Field(gt=0, le=1e9)] | None = None
    fee_per_side_usd: Annotated[float, Field(ge=0, le=1e6)] | None = None
    slippage_ticks: Annotated[float, Field(ge=0, le=1e4)] | None = None  # a round trip
    k_up: Multiple | None = None
    k_down: Multiple | None = None
    calendar: str | None = None
    min_price: Annotated[float, Field(gt=0, le=1e9)] | None = None
    max_price: Annotated[float, Field(gt=0, le=1e9)] | None = None

    @field_validator("calendar")
    @classmethod
    def _calendar_exists(cls, calendar: str | None) -> str | None:
        if calendar is not None and calendar not in CALENDARS:
            raise wrong("config/calendar", "one of " + ", ".join(CALENDARS), shown(calendar), did_you_mean(calendar, CALENDARS))
        return calendar
