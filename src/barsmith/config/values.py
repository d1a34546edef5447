"""How a value is written in the settings: a timeframe, a symbol, a time, a level, a list."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from barsmith.config.section import shown, wrong
from barsmith.errors import did_you_mean

TIMEFRAMES = {"1m": 1, "5m": 5, "10m": 10, "15m": 15, "20m": 20, "25m": 25, "30m": 30, "45m": 45, "1h": 60, "4h": 240, "1d": 1440}
"""Minutes of each rung of the ladder. `1d` is the session's bar."""
MAX_HORIZON = 1000

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,11}")


def timeframe_name(text: object) -> Any:
    """`5min` is `5m`."""
    return text[:-2] if isinstance(text, str) and re.fullmatch(r"[0-9]+min", text) else text


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _names(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise wrong(
            "config/type",
            "a name, or a list of names and patterns",
            shown(value),
            "write one, as tabular or rsi_*, or a list: [rsi_14, macd_*]",
        )
    return (value,) if isinstance(value, str) else _listed(value)


def _timeframe(value: object) -> object:
    value = timeframe_name(value)
    if isinstance(value, str) and value not in TIMEFRAMES:
        raise wrong("config/timeframe", "one of " + ", ".join(TIMEFRAMES), shown(value), did_you_mean(value, TIMEFRAMES))
    return value


def _symbol(value: object) -> object:
    if isinstance(value, str) and not _SYMBOL.fullmatch(value):
        near = f"; did you mean {value.upper()}?" if _SYMBOL.fullmatch(value.upper()) else ""
        raise wrong("config/symbol", "a contract's symbol in capital letters and digits, as MES", shown(value), "correct the symbol" + near)
    return value


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        in_utc = moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and last hours of the calendar are in no year of UTC
        moment = None
    if moment is None or moment.tzinfo is None or moment.second or moment.microsecond or in_utc.second or in_utc.microsecond:
        raise wrong("config/dates", "a whole minute with its zone, as 2026-03-12T06:00Z", shown(value), "write it so")
    return in_utc


def _day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(value)
    if isinstance(value, str | datetime):
        raise wrong("config/dates", "a day, as 2025-09-01", shown(str(value)), "write it so")
    return value


def _level(value: object) -> object:
    """`5m_h20`: a timeframe and a horizon."""
    if not isinstance(value, str):
        return value
    timeframe, _, horizon = value.rpartition("_h")
    timeframe = timeframe_name(timeframe)
    if timeframe not in TIMEFRAMES or not re.fullmatch(r"[1-9][0-9]{0,3}", horizon) or int(horizon) > MAX_HORIZON:
        do = did_you_mean(timeframe, TIMEFRAMES) if timeframe and timeframe not in TIMEFRAMES else "correct the key"
        expected = f"a timeframe and a horizon of 1 to {MAX_HORIZON}, as 5m_h20"
        raise wrong("config/unknown-key", expected, shown(value), do)
    return f"{timeframe}_h{horizon}"


Timeframe = Annotated[str, BeforeValidator(_timeframe)]
Symbol = Annotated[str, BeforeValidator(_symbol)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Level = Annotated[str, BeforeValidator(_level)]
Horizon = Annotated[int, Field(ge=1, le=MAX_HORIZON)]
Multiple = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]
Listed = BeforeValidator(_listed)
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Setting = int | float | str
Values = Annotated[tuple[Setting, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list | tuple) else (value,))]
Moments = Annotated[tuple[Moment, ...], Listed]
Rolls = Annotated[
    Annotated[Moments, Tag("times")] | Annotated[dict[Symbol, Moments], Tag("symbols")],
    Discriminator(lambda value: "symbols" if isinstance(value, dict) else "times"),
]
"""Times for the run's one symbol, or for each symbol its own."""
