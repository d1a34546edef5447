"""The live session: the bits of batch whatever the feed does, and a state that a bad message never touches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from forging import forge
from live_feed import answers, batch, live, with_holes

from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.errors import DataError
from barsmith.serving.bundle import Bundle
from barsmith.serving.scoring import Scorer
from barsmith.serving.session import LiveSession
from small_market import SmallMarket, later_bars

Message = dict[str, Any]


def messages(bars: pl.DataFrame) -> list[Message]:
    return list(bars.iter_rows(named=True))


def refused(session: LiveSession, message: Message) -> DataError:
    with pytest.raises(DataError) as error:
        session.update(message)
    return error.value


# equal to batch


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_live_is_batch_bit_for_bit_with_holes_and_restored_at_random_points(seed: int, bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = with_holes(fresh, seed)
    points = set(np.random.default_rng(seed).choice(len(bars), 4, replace=False).tolist())
    found, session = live(bundle.live(), bars, restore_after=points)
    expected = batch(bundle, bars)
    assert {start: found[start] for start in expected} == expected
    assert len(expected) > 500
    assert len(session.minutes()) == len(bundle.history) + len(bars)


def test_a_restored_session_has_the_minutes_of_the_one_before(bundle: Bundle, fresh: pl.DataFrame) -> None:
    _, session = live(bundle.live(), fresh[:700])
    minutes, again = session.minutes(), LiveSession(bundle, session.minutes()).minutes()
    for name in ("time", "bars", "contract", "factor"):
        assert getattr(minutes, name).tobytes() == getattr(again, name).tobytes()


def test_a_session_goes_on_after_a_history_of_the_users(bundle: Bundle, fresh: pl.DataFrame) -> None:
    expected = batch(bundle, fresh[:2000])
    found, _ = live(bundle.live(fresh[:1500]), fresh[1500:2000])
    assert found == {start: expected[start] for start in found}
    assert len(found) > 95
    assert live(bundle.live(fresh[:0]), fresh[:50])[0] == live(bundle.live(), fresh[:50])[0]


@pytest.mark.parametrize("first", [0, 7, 423])
def test_a_session_without_any_history_is_silent_until_it_has_settled(first: int, bundle: Bundle) -> None:
    """Begun in the middle of a session, of an hour, of a bar: what is not whole settles nothing, live as in batch."""
    bars = later_bars()[first:6000]
    found, _ = live(LiveSession(bundle, Minutes.empty()), bars)
    minutes, _ = clean(bars, bundle.sessions)
    reading = bundle.plan.read(minutes)
    signals = bundle.answers(reading, np.arange(len(reading.base))).rows()
    nothing = np.array([np.nan]).view(np.int64)[0]
    spoken = [found[int(start)][-1] != nothing for start in reading.base.start.tolist()]
    assert spoken == [row[2] is not None for row in signals]
    assert spoken.index(True) > 300
    assert all(spoken[spoken.index(True) :])


def test_what_the_clock_closes_is_what_the_next_minute_would_have_closed(bundle: Bundle, fresh: pl.DataFrame) -> None:
    """The last minute of a bar is missing: its answer comes with the clock, and the same one with the next minute."""
    bars = fresh[:103]
    one, two = bundle.live(), bundle.live()
    live(one, bars)
    live(two, bars)
    end = (int(as_minutes(bars["datetime"])[-1]) // 5 + 1) * 5
    assert one.advance(end - 1) == []
    (by_clock,) = one.advance(end)
    following = fresh.filter(as_minutes(fresh["datetime"]) >= end)
    (by_minute,) = two.update(messages(following[:1])[0])
    assert by_clock == by_minute
    assert by_clock.probabilities is not None
    late = {**messages(following[:1])[0], "datetime": datetime.fromtimestamp((end - 1) * 60, UTC)}
    assert refused(one, late).code == "stream/late"
    first, _ = live(one, following[:60])
    second, _ = live(two, following[1:60])
    assert {start: first[start] for start in second} == second


# rolls


def with_roll(bars: pl.DataFrame, at: int, ratio: float, **columns: pl.Expr) -> pl.DataFrame:
    """From row `at` on the prices of another contract."""
    later = pl.int_range(pl.len()) >= at
    prices = [pl.when(later).then(pl.col(name) * ratio).otherwise(name).alias(name) for name in ("open", "high", "low", "close")]
    return bars.with_columns(*prices, **columns)


AT = 1377  # in the middle of a session, of an hour and of a bar
ROW = pl.int_range(pl.len())
NAMES = pl.when(ROW >= AT).then(pl.lit("MESU25")).otherwise(pl.lit("MESM25"))
RATIO = pl.when(ROW == AT).then(pl.lit(1.0078125))


@pytest.mark.parametrize(
    "columns",
    [
        {"contract": NAMES, "roll_ratio": RATIO},
        {"contract": NAMES},
        {"roll_ratio": RATIO},
    ],
    ids=["names and ratio", "names", "ratio"],
)
def test_a_roll_is_read_live_as_in_batch(columns: dict[str, pl.Expr], bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = with_roll(fresh[:2400], AT, 1.0078125, **columns)
    expected = batch(bundle, bars)
    found, session = live(bundle.live(), bars, restore_after=(AT - 1, AT, AT + 1, AT + 300))
    assert {start: found[start] for start in expected} == expected
    minutes = session.minutes()
    assert minutes.contract[-1] == 1
    assert np.flatnonzero(np.diff(minutes.contract)).tolist() == [len(bundle.history) + AT - 1]
    if "roll_ratio" in columns:
        assert set(minutes.factor) == {1.0, 1.0078125}
        unrolled = batch(bundle, fresh[:2400])
        assert expected == unrolled  # prices and ratio are binary fractions: the adjusted market is the same to the last bit


def test_a_contract_need_not_be_named_every_minute(bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = with_roll(fresh[:2400], AT, 1.0078125, contract=NAMES, roll_ratio=RATIO)
    now_and_then = bars.with_columns(contract=pl.when(ROW % 3 == 0).then("contract"))
    assert AT % 3 == 0
    assert live(bundle.live(), now_and_then)[0] == live(bundle.live(), bars)[0]


def test_roll_times_of_the_settings_are_read_live_as_in_batch(market: SmallMarket, fresh: pl.DataFrame, tmp_path: Path) -> None:
    time = f"{fresh['datetime'][AT]:%Y-%m-%dT%H:%MZ}"
    folder = shutil.copytree(market.bundle, tmp_path / "rolled")
    forge(folder, lambda record: record["settings"].update(rolls=[time]))
    bundle = Bundle.load(folder)
    bars = with_roll(fresh[:2400], AT, 1.0078125)
    found, session = live(bundle.live(), bars, restore_after=(AT - 1, AT))
    expected = batch(bundle, bars)
    assert {start: found[start] for start in expected} == expected
    assert session.minutes().contract[-1] == 1
    assert session.minutes().factor[-1] != 1.0


def test_a_contract_that_comes_back_is_refused_and_changes_nothing(bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = with_roll(fresh[:1500], AT, 1.0078125, contract=NAMES, roll_ratio=RATIO)
    _, session = live(bundle.live(), bars[:1400])
    for bad in ({"contract": "MESM25"}, {"roll_ratio": 1.5}):
        error = refused(session, {**messages(bars[1400:1401])[0], "contract": "MESU25", **bad})
        assert error.code in ("bars/contract-order", "bars/roll-ratio")
    expected = batch(bundle, bars)
    found, _ = live(session, bars[1400:])
    assert found == {start: expected[start] for start in found}
    assert len(found) == 20


# a feed that errs


def test_the_newest_minute_sent_again_is_answered_again_and_an_older_one_with_nothing(bundle: Bundle, fresh: pl.DataFrame) -> None:
    session = bundle.live()
    rows = messages(fresh[:300])
    for number, row in enumerate(rows):
        answer = session.update(row)
        assert session.update(row) == answer
        if number:
            assert session.update(rows[number - 1]) == []
    assert session.counts["repeated"] == 300 + 299
    assert len(session.minutes()) == len(bundle.history) + 300


def test_after_a_restart_the_newest_minute_is_still_answered_as_it_was(bundle: Bundle, fresh: pl.DataFrame) -> None:
    session, answered = bundle.live(), 0
    for row in messages(fresh[:40]):
        answer = session.update(row)
        again = LiveSession(bundle, session.minutes())
        assert again.update(row) == answer
        answered += len(answer)
    assert answered == 8


def test_a_minute_of_the_history_sent_again_is_no_news(bundle: Bundle, market: SmallMarket) -> None:
    session = bundle.live()
    for row in messages(pl.read_parquet(market.raw)[-30:-1]):
        assert session.update(row) == []
    assert session.counts["repeated"] == 29


def faults(rows: list[Message]) -> dict[str, Message]:
    last, following = rows[-2], rows[-1]
    return {
        "stream/late": {**last, "close": last["close"] + 0.25, "high": last["high"] + 0.25},
        "stream/late ": {**following, "datetime": datetime(2025, 2, 6, 15, 0, tzinfo=UTC)},
        "stream/symbol": {**following, "symbol": "MGC"},
        "stream/ohlc": {**following, "high": following["low"] - 1},
        "stream/volume": {**following, "volume": float("nan")},
        "stream/out-of-range": {
            name: value * 1e4 if name in ("open", "high", "low", "close") else value for name, value in following.items()
        },
        "stream/schema": {**following, "datetime": following["datetime"].replace(tzinfo=None)},
        "stream/bad-time": {**following, "datetime": 5},
        "stream/future": {**following, "datetime": datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=2)},
    }


def test_a_message_that_is_refused_changes_nothing(bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = fresh[:400]
    expected = batch(bundle, bars)
    session, found = bundle.live(), {}
    for number, row in enumerate(messages(bars)):
        if number in range(50, 60) or number == 333:
            for code, message in faults(messages(bars[number - 1 : number + 1])).items():
                assert refused(session, message).code == code.strip()
        found |= answers(session, row)
    assert {start: found[start] for start in expected} == expected
    assert len(session.minutes()) == len(bundle.history) + 400


def test_minutes_outside_the_session_are_counted_and_make_no_bar(bundle: Bundle, fresh: pl.DataFrame) -> None:
    bars = fresh[:400]
    session, found = bundle.live(), {}
    for row in messages(bars):
        found |= answers(session, row)
        for away in (timedelta(days=4), timedelta(hours=-30)):  # a Saturday, and the hour between two sessions
            other = {**row, "datetime": row["datetime"] + away}
            if bundle.sessions.number(int(other["datetime"].timestamp()) // 60) < 0:
                assert session.update(other) == []
    expected = batch(bundle, bars)
    assert {start: found[start] for start in expected} == expected
    assert session.counts["out_of_session"] > 300


# something breaks


def broken(*args: object, **keywords: object) -> None:
    raise RuntimeError("planted")


@pytest.mark.parametrize("breaks", ["a feature's step", "the model"])
def test_an_exception_in_the_middle_of_a_bar_leaves_the_state_as_it_was(
    breaks: str, bundle: Bundle, fresh: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = fresh[:600]
    expected = batch(bundle, bars)
    session, found = bundle.live(), {}
    failures = 0
    for number, row in enumerate(messages(bars)):
        if row["datetime"].minute % 5 == 4 and number % 7 == 0:  # the last minute of a bar
            with monkeypatch.context() as patch:
                if breaks == "the model":
                    patch.setattr(Scorer, "live_input", broken)
                else:
                    _break_a_step(session, patch)
                with pytest.raises(RuntimeError, match="planted"):
                    session.update(row)
                failures += 1
        found |= answers(session, row)
    assert failures >= 10
    assert {start: found[start] for start in expected} == expected


def _break_a_step(session: LiveSession, patch: pytest.MonkeyPatch) -> None:
    program = session.features.programs["5m"]
    number, (functions, records, calls) = next(each for each in enumerate(program.turns) if each[1][2])
    middle = len(calls) // 2
    changed = [*calls[:middle], (broken, *calls[middle][1:]), *calls[middle + 1 :]]
    patch.setattr(program, "turns", [*program.turns[:number], (functions, records, changed), *program.turns[number + 1 :]])


def test_a_session_answers_only_for_what_it_was_asked(bundle: Bundle, fresh: pl.DataFrame) -> None:
    one, two = bundle.live(), bundle.live()
    call: Callable[[LiveSession], list[Any]] = lambda session: [each for row in messages(fresh[:100]) for each in session.update(row)]  # noqa: E731
    first = call(one)
    assert len(two.minutes()) == len(bundle.history)
    assert call(two) == first
