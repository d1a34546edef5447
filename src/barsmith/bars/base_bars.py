"""Base bars, on which decisions are made: of a timeframe or of a clock, told apart by their name, which says all about them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from barsmith.bars.clocks import Clock, clock_rung
from barsmith.bars.ladder import Rung, ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.config import TIMEFRAMES, Settings
from barsmith.errors import UsageError, did_you_mean
from barsmith.instruments import Instrument

NAME = re.compile(r"(?P<kind>[a-z]+)\((?P<numbers>[a-z_]+=[^,()]+(?:, [a-z_]+=[^,()]+)*)\)")


def base_name(settings: Settings, contract: Instrument) -> str:
    """The base bars of a run: `5m`, or for a clock as `dollar(bars_per_session=78.0, sessions=20, usd_per_point=5.0)`."""
    chosen = settings.clock
    if chosen.kind == "time":
        return settings.base_timeframe
    numbers = chosen.model_dump(exclude={"kind"})
    return clock_name(Clock(chosen.kind, **numbers, usd_per_point=contract.usd_per_point))


def clock_name(clock: Clock) -> str:
    """A clock as text: its kind and the numbers that matter to it."""
    names = ["bars_per_session", "sessions"] if clock.threshold is None else ["threshold"]
    names += {"dollar": ["usd_per_point"], "tick": ["lots_per_trade"], "volume": []}[clock.kind]
    given = {name: getattr(clock, name) for name in names}
    return f"{clock.kind}({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"


def bar_kind(base: str) -> str:
    """`5m`, or `dollar` of a dollar clock: what a table says of bars whose whole name stands elsewhere."""
    return base if base in TIMEFRAMES else base.partition("(")[0]


@functools.lru_cache(maxsize=64)
def clock_of(base: str) -> Clock | None:
    """The clock of base bars, None for a timeframe. Raises UsageError `config/timeframe` for a name of neither."""
    if base in TIMEFRAMES:
        return None
    found = NAME.fullmatch(base)
    try:
        pairs = [pair.split("=") for pair in found["numbers"].split(", ")] if found else []
        return Clock(found["kind"], **{name: _number(value) for name, value in pairs}) if found else _unknown(base)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _unknown(base)


def _number(text: str) -> float:
    return int(text) if text.isdigit() else float(text)


def _unknown(base: str) -> Clock:
    expected = f"one of {', '.join(TIMEFRAMES)}, or a clock as volume(threshold=5000.0)"
    raise UsageError("config/timeframe", expected=expected, came=ascii(base)[:120], do=did_you_mean(base, TIMEFRAMES))


def bar_minutes(base: str) -> tuple[int, int]:
    """Minutes of the shortest and of the longest bar there may be: a clock's bar lasts between a minute and a session."""
    return (TIMEFRAMES[base], TIMEFRAMES[base]) if base in TIMEFRAMES else (1, TIMEFRAMES["1d"])


def rungs(minutes: Minutes, sessions: Sessions, names: Sequence[str], *, adjusted: bool = True, now: int | None = None) -> dict[str, Rung]:
    """`ladder` for timeframes and clocks alike."""
    timeframes = [name for name in names if name in TIMEFRAMES]
    found = ladder(minutes, sessions, timeframes, adjusted=adjusted, now=now) if timeframes else {}
    clocks = {name: clock for name in names if (clock := clock_of(name)) is not None}
    return found | {name: clock_rung(minutes, sessions, clock, adjusted=adjusted, now=now) for name, clock in clocks.items()}


def base_rung(minutes: Minutes, sessions: Sessions, base: str, *, adjusted: bool = True, now: int | None = None) -> Rung:
    """The finished base bars."""
    return rungs(minutes, sessions, [base], adjusted=adjusted, now=now)[base]
