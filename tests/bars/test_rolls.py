"""Contracts in a row: whose ratio, which factor, and that no later roll touches an earlier minute."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.minutes import Minutes, as_datetime, minute_of
from barsmith.bars.rolls import continue_minutes, roll_list
from barsmith.errors import DataError

START = minute_of(datetime(2025, 6, 10, 12, tzinfo=UTC))


def frame(opens: list[float], closes: list[float], *, start: int = START, **extra: list) -> pl.DataFrame:
    high, low = np.maximum(opens, closes) + 1, np.minimum(opens, closes) - 1
    prices = {"open": opens, "high": high, "low": low, "close": closes, "volume": [1.0] * len(opens)}
    return pl.DataFrame({"datetime": as_datetime(np.arange(start, start + len(opens))), **prices, **extra}, strict=False)


def test_without_rolls_it_is_one_contract_at_its_own_prices() -> None:
    minutes = continue_minutes(frame([10.0, 11.0], [11.0, 12.0]))
    assert minutes.contract.tolist() == [0, 0]
    assert minutes.factor.tolist() == [1.0, 1.0]
    assert minutes.names == ()
    assert roll_list(minutes) == []


def test_a_roll_without_a_ratio_is_the_first_open_over_the_last_close() -> None:
    minutes = continue_minutes(frame([10.0, 10.0, 25.0, 26.0], [10.0, 20.0, 26.0, 50.0]), rolls=[START + 2])
    assert minutes.contract.tolist() == [0, 0, 1, 1]
    assert minutes.factor.tolist() == [1.0, 1.0, 1.25, 1.25]
    assert minutes.adjusted()[:, 3].tolist() == [10.0, 20.0, 20.8, 40.0]
    prices = {"last_close": 20.0, "first_open": 25.0}
    assert roll_list(minutes) == [{"time": START + 2, "ratio": 1.25, "from": "0", "to": "1", **prices, "known": False}]


def test_a_given_ratio_at_the_last_common_minute_is_used_instead() -> None:
    ratio, names = [None, None, 1.5, None], ["MGCZ5", "MGCZ5", "MGCG6", "MGCG6"]
    minutes = continue_minutes(frame([10.0, 10.0, 25.0, 26.0], [10.0, 20.0, 26.0, 50.0], contract=names, roll_ratio=ratio))
    assert minutes.factor.tolist() == [1.0, 1.0, 1.5, 1.5]
    assert minutes.names == ("MGCZ5", "MGCG6")
    prices = {"last_close": 20.0, "first_open": 25.0}
    assert roll_list(minutes) == [{"time": START + 2, "ratio": 1.5, "from": "MGCZ5", "to": "MGCG6", **prices, "known": True}]


def test_a_roll_takes_place_at_the_first_minute_at_or_after_its_time() -> None:
    minutes = continue_minutes(frame([1.0] * 4, [1.0] * 4), rolls=[START - 5, START + 3, START + 100])
    assert minutes.contract.tolist() == [1, 1, 1, 2]
    assert minutes.factor.tolist() == [1.0] * 4


def back_adjusted(minutes: Minutes) -> np.ndarray:
    """The planted leak: the newest contract keeps its prices, and all earlier ones are moved."""
    return minutes.bars[:, 3] * (minutes.factor[-1] / minutes.factor)


def moved_by_a_later_roll(adjusted) -> bool:  # type: ignore[no-untyped-def]
    bars = frame([10.0, 10.0, 25.0, 26.0, 40.0, 41.0], [10.0, 20.0, 26.0, 50.0, 41.0, 42.0])
    rolls = [START + 2, START + 4]
    early, late = (adjusted(continue_minutes(bars[:n], rolls=rolls)) for n in (4, 6))
    return not np.array_equal(early, late[:4])


def test_a_later_roll_leaves_earlier_adjusted_prices_as_they_are_and_back_adjustment_is_caught() -> None:
    assert not moved_by_a_later_roll(lambda minutes: minutes.adjusted()[:, 3])
    assert moved_by_a_later_roll(back_adjusted)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), max_size=5), st.integers(0, 40), st.booleans())
def test_continuing_a_history_gives_the_same_bits_as_reading_it_at_once(rolls: list[int], cut: int, named: bool) -> None:
    random = np.random.default_rng(cut)
    prices = (100 + random.normal(size=40)).tolist()
    times = sorted({START + r for r in rolls})
    extra = {}
    if named:
        number = np.searchsorted(times, np.arange(START, START + 40), "right")
        changed = np.diff(number, prepend=number[0]) > 0
        extra = {
            "contract": [f"C{n}" for n in number],
            "roll_ratio": [1.0 + n / 7 if c else None for n, c in zip(number, changed, strict=True)],
        }
        times = []
    whole = frame(prices, prices[::-1], **extra)
    once = continue_minutes(whole, rolls=times)
    twice = continue_minutes(whole, rolls=times, after=continue_minutes(whole[:cut], rolls=times) if cut else None)
    for name in ("time", "bars", "contract", "factor"):
        assert np.array_equal(getattr(once, name), getattr(twice, name)), name
    assert once.names == twice.names


def test_rows_that_are_not_later_than_the_history_are_left_out() -> None:
    history = continue_minutes(frame([1.0, 2.0], [1.0, 2.0]))
    assert continue_minutes(frame([9.0, 9.0], [9.0, 9.0]), after=history) is history
    longer = continue_minutes(frame([9.0, 9.0, 3.0], [9.0, 9.0, 3.0]), after=history)
    assert longer.bars[:, 0].tolist() == [1.0, 2.0, 3.0]


def test_live_a_ratio_alone_begins_a_new_contract() -> None:
    history = continue_minutes(frame([10.0], [10.0], contract=["A"]))
    minutes = continue_minutes(frame([20.0, 20.0], [20.0, 20.0], start=START + 1, roll_ratio=[2.0, None]), after=history)
    assert minutes.contract.tolist() == [0, 1, 1]
    assert minutes.factor.tolist() == [1.0, 2.0, 2.0]
    assert minutes.names == ("A", "")
    named = continue_minutes(frame([20.0], [20.0], start=START + 3, contract=["B"]), after=minutes)
    assert named.names == ("A", "B")
    assert named.contract.tolist() == [0, 1, 1, 1]


def test_a_history_without_names_goes_on_under_the_first_name() -> None:
    history = continue_minutes(frame([10.0, 12.0], [10.0, 12.0]), rolls=[START + 1])
    same = continue_minutes(frame([12.0, 24.0], [12.0, 24.0], start=START + 2, contract=["B", "C"]), after=history)
    assert same.contract.tolist() == [0, 1, 1, 2]
    assert same.names == ("", "B", "C")
    assert same.factor.tolist() == [1.0, 1.2, 1.2, 2.4]
    new = continue_minutes(frame([12.0], [12.0], start=START + 2, contract=["B"], roll_ratio=[1.1]), after=history)
    assert new.contract.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("extra", "rolls", "code"),
    [
        ({"contract": ["A", "B", "A"]}, [], "bars/contract-order"),
        ({"contract": ["A", "A", "A"], "roll_ratio": [None, 1.1, None]}, [], "bars/roll-ratio"),
        ({"contract": ["A", "B", "B"], "roll_ratio": [None, -1.0, None]}, [], "bars/roll-ratio"),
        ({"roll_ratio": [None, float("inf"), None]}, [], "bars/roll-ratio"),
        ({"contract": ["A", "B", "B"]}, [START + 1], "bars/rolls-twice"),
    ],
)
def test_contradictions_are_refused(extra: dict, rolls: list[int], code: str) -> None:
    with pytest.raises(DataError) as caught:
        continue_minutes(frame([1.0] * 3, [1.0] * 3, **extra), rolls=rolls)
    assert caught.value.code == code
