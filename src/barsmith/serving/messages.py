"""One live minute as a message: its fields, checked at the door with the words of the feed."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from barsmith.bars.contracts import contract_of
from barsmith.bars.minutes import FIELDS, as_minutes
from barsmith.bars.rolls import RATIOS
from barsmith.bars.row_checks import LARGEST_VOLUME
from barsmith.errors import DataError

MAX_BYTES = 64 * 1024
MAX_AHEAD = 10  # minutes that a feed's clock may run ahead of ours


@dataclass(frozen=True)
class MinuteMessage:
    """A checked minute: open time in minutes since 1970 UTC, (open, high, low, close, volume), and the contract where it is told."""

    time: int
    bar: tuple[float, float, float, float, float]
    contract: str | None = None
    roll_ratio: float | None = None


def parsed(line: str | bytes) -> Mapping[str, Any]:
    """The JSON object of one line. Raises DataError `stream/json`, `stream/too-large`, `stream/schema`."""
    if len(line) > MAX_BYTES:
        raise refused("stream/too-large", f"a message of at most {MAX_BYTES} bytes", f"{len(line)} bytes", "send one minute a line")
    try:
        message = json.loads(line, object_pairs_hook=once, parse_constant=not_a_number)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise refused(
            "stream/json", "one JSON object on a line", f"{shown(line)} ({str(error)[:80]})", "send the message again, whole"
        ) from error
    if not isinstance(message, dict):
        raise refused("stream/schema", "a JSON object", type(message).__name__, "send {datetime, open, high, low, close, volume}")
    return message


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys each stand once: of two values nobody knows which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def not_a_number(constant: str) -> Any:
    raise ValueError(constant)


def checked(message: Mapping[str, Any], *, symbol: str, price_limits: tuple[float, float]) -> MinuteMessage:
    """A message as a minute. Raises DataError `stream/*`; unknown fields are ignored."""
    missing = [name for name in ("datetime", *FIELDS) if name not in message]
    if missing:
        raise refused(
            "stream/schema", "the fields datetime, open, high, low, close, volume", f"none named {', '.join(missing)}", "send all six"
        )
    told = message.get("symbol")
    if told is not None and told != symbol:
        raise refused("stream/symbol", f"minutes of {symbol}", repr(told)[:80], "start one stream for each symbol")
    time = minute_stamp(message["datetime"])
    where = f"minute {message['datetime']}"
    values = []
    for name in FIELDS:
        value = message[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
            code = "stream/volume" if name == "volume" else "stream/ohlc"
            raise refused(code, f"a finite number for {name}", repr(value)[:80], "send the minute again", where)
        values.append(float(value))
    open_, high, low, close, volume = values
    if not 0 <= volume <= LARGEST_VOLUME:
        raise refused("stream/volume", f"a volume of 0 to {LARGEST_VOLUME:g}", f"{volume:g}", "send the minute again", where)
    if min(values[:4]) <= 0 or high < max(open_, close) or low > min(open_, close):
        came = f"open {open_:g}, high {high:g}, low {low:g}, close {close:g}"
        raise refused("stream/ohlc", "positive prices with low <= open, close <= high", came, "send the minute again", where)
    lowest, highest = price_limits
    if not (lowest <= low and high <= highest):
        came = f"{low:g} to {high:g}"
        raise refused(
            "stream/out-of-range",
            f"prices between {lowest:g} and {highest:g}",
            came,
            "check the feed, or set the instrument's limits",
            where,
        )
    contract, ratio = message.get("contract"), message.get("roll_ratio")
    if contract is not None and (not isinstance(contract, str) or not 0 < len(contract) <= 64):
        raise refused("stream/schema", "a contract's name", repr(contract)[:80], "name the contract or leave the field out", where)
    if contract is not None:
        try:
            contract = contract_of(contract, symbol)
        except DataError as error:
            raise refused("stream/symbol", error.expected, error.came, error.do, where) from error
    if ratio is not None and (isinstance(ratio, bool) or not isinstance(ratio, int | float) or not RATIOS[0] <= ratio <= RATIOS[1]):
        expected = f"a roll_ratio of {RATIOS[0]:g} to {RATIOS[1]:g}"
        raise refused("stream/schema", expected, repr(ratio)[:80], "send new price / old price at the last common minute", where)
    return MinuteMessage(time, (open_, high, low, close, volume), contract, None if ratio is None else float(ratio))


def messages_of(raw: pl.DataFrame) -> Iterator[MinuteMessage]:
    """Checked raw bars (`validate_frame(...).frame`) as the messages of a feed."""
    columns: list[Iterable[Any]] = [as_minutes(raw["datetime"]).tolist(), zip(*(raw[name].to_list() for name in FIELDS), strict=True)]
    columns += [raw[name].to_list() if name in raw.columns else [None] * len(raw) for name in ("contract", "roll_ratio")]
    for time, bar, contract, ratio in zip(*columns, strict=True):
        yield MinuteMessage(time, bar, contract, ratio)


def minute_stamp(value: Any) -> int:
    """An ISO 8601 stamp with its zone, or an aware datetime, of a whole minute -> minutes since 1970 UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refused(
            "stream/bad-time",
            "an ISO 8601 time with its zone, as 2026-03-12T06:00:00Z",
            f"the number {value}",
            "a number's unit is not told: send text",
        )
    stamp = value
    if isinstance(value, str):
        try:
            stamp = datetime.fromisoformat(value)
        except ValueError:
            stamp = None
    if not isinstance(stamp, datetime) or stamp.tzinfo is None:
        raise refused(
            "stream/schema",
            "an ISO 8601 time with its zone, as 2026-03-12T06:00:00Z",
            repr(value)[:80],
            "send the bar's open in UTC with a Z",
        )
    try:
        stamp = stamp.astimezone(UTC)
    except OverflowError:
        raise refused("stream/bad-time", "a time between 1970 and now", repr(value)[:80], "send the bar's open in UTC with a Z") from None
    if stamp.year < 1970:
        raise refused("stream/bad-time", "a time between 1970 and now", repr(value)[:80], "send the bar's open in UTC with a Z")
    if stamp.second or stamp.microsecond:
        raise refused(
            "stream/schema",
            "the open of a one-minute bar, on a whole minute",
            repr(value)[:80],
            "send the bar's open, not the time of sending",
        )
    time = int(stamp.timestamp()) // 60
    if time > clock.time() // 60 + MAX_AHEAD:
        raise refused(
            "stream/future",
            f"a minute that has begun, give or take {MAX_AHEAD} minutes",
            str(stamp),
            "check the clocks of the feed and of this machine",
        )
    return time


def refused(code: str, expected: str, came: str, do: str, where: str = "") -> DataError:
    return DataError(code, expected=expected, came=came, do=do, where=where)


def shown(line: str | bytes) -> str:
    return ascii(line[:60])
