"""From raw file to base bars: how it is read, what is left out and filled, which hours are kept, what closes a bar."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from barsmith.config.section import Section, wrong


class IngestSettings(Section):
    """How the raw file is read."""

    timezone: str | None = None  # of naive stamps, as America/Chicago
    timestamps: Literal["open", "close"] = "open"  # what a stamp marks
    epoch_unit: Literal["s", "ms", "us", "ns"] | None = None  # of stamps that are whole numbers since 1970
    fixed_point: Annotated[int, Field(ge=1, le=12)] | None = None  # decimals of prices that are whole numbers, 9 in Databento's raw CSV
    on_bad_rows: Literal["refuse", "quarantine"] = "refuse"
    repair: bool = False  # widen a high or low that its own open or close crosses
    allow_outside: bool = False  # follow a link out of data/raw


def _gaps(value: object) -> object:
    if value == "interpolate":
        expected = (
            "keep, fill or drop_session: a gap that is interpolated between the prices around it tells its bars the price that comes after"
        )
        raise wrong("config/leakage", expected, "interpolate", "keep gaps, or fill them forward with the last close (gaps: fill)")
    return value


class CleanSettings(Section):
    """What is left out and what is filled; every rule looks back only, and holds live as in a file."""

    gaps: Annotated[Literal["keep", "fill", "drop_session"], BeforeValidator(_gaps)] = "keep"
    max_fill: Annotated[int, Field(ge=1, le=1440)] = 5  # minutes of a gap that are filled with the last close, for fill
    max_gap: Annotated[int, Field(ge=1, le=1440)] = 30  # minutes missing in a row that a session survives, for drop_session
    outliers: Literal["flag", "drop"] = "flag"
    outlier_ranges: Annotated[float, Field(gt=0, le=1e6)] = 30.0  # mean ranges of 60 minutes that a minute may reach from the close before
    min_volume: Annotated[float, Field(ge=0, le=1e12)] = (
        0.0  # contracts below which a minute is left out; 1 leaves out fillers without volume
    )


class SessionSettings(Section):
    """Which minutes of the day are kept."""

    hours: Literal["ETH", "RTH", "all"] = "ETH"


class ClockSettings(Section):
    """What closes a base bar: the time (then it is one of base_timeframe), or so many contracts, dollars or trades."""

    kind: Literal["time", "volume", "dollar", "tick"] = "time"
    threshold: Annotated[float, Field(gt=0, le=1e18)] | None = None  # contracts, dollars or trades; None: it trails, by the next two
    bars_per_session: Annotated[float, Field(gt=0, le=1440)] = 78.0
    sessions: Annotated[int, Field(ge=1, le=250)] = 20  # of the average total
    lots_per_trade: Annotated[float, Field(gt=0, le=1e9)] | None = None  # for tick: minutes do not count trades

    @model_validator(mode="after")
    def _trades_can_be_counted(self) -> ClockSettings:
        if self.kind == "tick" and self.lots_per_trade is None:
            expected = "clock.lots_per_trade, the contracts in an average trade, since minutes carry no count of trades"
            raise wrong("config/clock", expected, "none", "set it (an approximation), or choose volume or dollar", "clock.lots_per_trade")
        return self
