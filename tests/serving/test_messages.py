"""Live minutes at the door: what is refused, with which code, and that nothing slips through."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from barsmith.errors import DataError
from barsmith.serving.messages import MAX_BYTES, MinuteMessage, checked, parsed

GOOD = {"datetime": "2026-03-12T06:00:00Z", "open": 10, "high": 12.5, "low": 9, "close": 11, "volume": 3}
LIMITS = (1.0, 1000.0)


def minute(**changes) -> MinuteMessage:
    message = {k: v for k, v in {**GOOD, **changes}.items() if v is not ...}
    return checked(parsed(json.dumps(message)), symbol="MES", price_limits=LIMITS)


def test_a_good_minute_is_its_time_and_five_numbers():
    assert minute() == MinuteMessage(29554920, (10.0, 12.5, 9.0, 11.0, 3.0))
    assert minute(symbol="MES", contract="MESM6", roll_ratio=1.01, tick_count=7).contract == "MESM6"


@pytest.mark.parametrize("stamp", ["2026-03-12T06:00:00+00:00", "2026-03-12T01:00:00-05:00", "2026-03-12 06:00:00Z"])
def test_any_zone_is_the_same_moment(stamp):
    assert minute(datetime=stamp).time == minute().time


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("stream/schema", {"open": ...}),
        ("stream/schema", {"datetime": ...}),
        ("stream/schema", {"datetime": "2026-03-12T06:00:00"}),
        ("stream/schema", {"datetime": "yesterday"}),
        ("stream/schema", {"datetime": True}),
        ("stream/schema", {"datetime": "2026-03-12T06:00:30Z"}),
        ("stream/bad-time", {"datetime": 1773295200}),
        ("stream/bad-time", {"datetime": 1773295200.5}),
        ("stream/future", {"datetime": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:00Z")}),
        ("stream/bad-time", {"datetime": "0001-01-01T00:00:00+23:59"}),
        ("stream/bad-time", {"datetime": "9999-12-31T23:59:00-23:59"}),
        ("stream/bad-time", {"datetime": "1969-12-31T23:59:00Z"}),
        ("stream/volume", {"volume": 2**60}),
        ("stream/volume", {"volume": 1e308}),
        ("stream/symbol", {"contract": "MGCZ5"}),
        ("stream/symbol", {"contract": "MESZ5-MESH6"}),
        ("stream/schema", {"roll_ratio": 90000}),
        ("stream/symbol", {"symbol": "MGC"}),
        ("stream/symbol", {"symbol": "mes"}),
        ("stream/ohlc", {"open": "10"}),
        ("stream/ohlc", {"open": None}),
        ("stream/ohlc", {"open": False}),
        ("stream/ohlc", {"low": 0}),
        ("stream/ohlc", {"low": -1}),
        ("stream/ohlc", {"high": 10.5}),
        ("stream/ohlc", {"low": 10.5}),
        ("stream/volume", {"volume": -1}),
        ("stream/volume", {"volume": None}),
        ("stream/out-of-range", {"high": 1e12}),
        ("stream/schema", {"contract": 7}),
        ("stream/schema", {"contract": ""}),
        ("stream/schema", {"roll_ratio": 0}),
        ("stream/schema", {"roll_ratio": "1.0"}),
    ],
)
def test_a_bad_minute_is_refused_with_its_code(code, changes):
    with pytest.raises(DataError) as refused:
        minute(**changes)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("stream/json", "{"),
        ("stream/json", '{"open": NaN}'),
        ("stream/json", '{"a": 1}{"b": 2}'),
        ("stream/json", '{"open": 1, "open": 2}'),
        ("stream/json", b"\xff\xfe"),
        ("stream/schema", "[1, 2]"),
        ("stream/schema", "3"),
        ("stream/too-large", "x" * (MAX_BYTES + 1)),
    ],
)
def test_a_line_that_is_no_message_is_refused(code, line):
    with pytest.raises(DataError) as refused:
        parsed(line)
    assert refused.value.code == code


@pytest.mark.parametrize(("told", "contract"), [("MES", None), ("MES ", None), (" MESM6 ", "MESM6")])
def test_a_contract_means_live_what_it_means_in_a_file(told, contract):
    assert minute(contract=told).contract == contract


def test_a_volume_of_zero_is_a_volume():
    assert minute(volume=0).bar[4] == 0.0
