"""Exact bars from trades against hand facts and a plain loop; minutes from trades."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from clock_by_hand import thresholds_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.clocks import Clock, clock_rung
from barsmith.bars.minutes import US_PER_MINUTE, Minutes, minute_of
from barsmith.bars.reading import Rules, validate_frame
from barsmith.bars.sessions import load_sessions
from barsmith.bars.trades import bars_from_trades, in_session, minutes_from_trades
from barsmith.errors import DataError

EQUITY = load_sessions("equity_index")
OPEN = datetime(2025, 6, 8, 22, tzinfo=UTC)  # a Monday's session, 17:00 in Chicago on Sunday
CLOSE = OPEN + timedelta(hours=23)
LATER = OPEN + timedelta(days=9)


def trades(*each: tuple[float, float, float], **more: list) -> pl.DataFrame:
    """(seconds since the open, price, size)"""
    when = [OPEN + timedelta(seconds=second) for second, _, _ in each]
    schema = {"datetime": pl.Datetime("us", "UTC"), "price": pl.Float64, "size": pl.Float64}
    return pl.DataFrame(
        {"datetime": when, "price": [p for _, p, _ in each], "size": [s for _, _, s in each], **more}, schema_overrides=schema
    )


FIVE = trades((0.25, 100, 2), (0.5, 103, 3), (30, 99, 7), (61, 101, 20), (61, 102, 1))


def test_a_volume_bar_closes_with_the_trade_that_reaches_the_threshold_and_no_trade_is_split() -> None:
    bars = bars_from_trades(FIVE, EQUITY, Clock("volume", threshold=10))
    assert bars["volume"].to_list() == [
        12.0,
        20.0,
    ]  # 2 + 3 + 7 is 12, not 10; of the 20 nothing goes to the next bar, which has 1 and goes on
    assert bars.row(0, named=True) == {
        "start": OPEN + timedelta(seconds=0.25),
        "end": OPEN + timedelta(seconds=30),
        "decision": OPEN + timedelta(seconds=30),
        "open": 100.0,
        "high": 103.0,
        "low": 99.0,
        "close": 99.0,
        "volume": 12.0,
        "trades": 3,
        "vwap": (200 + 309 + 693) / 12,
        "session_id": EQUITY.number(minute_of(OPEN)),
    }


def test_a_tick_bar_counts_trades() -> None:
    bars = bars_from_trades(FIVE, EQUITY, Clock("tick", threshold=2))
    assert bars["trades"].to_list() == [2, 2]
    assert bars["close"].to_list() == [103.0, 101.0]


def test_a_dollar_bar_counts_price_times_size_times_the_worth_of_a_point() -> None:
    bars = bars_from_trades(FIVE, EQUITY, Clock("dollar", threshold=5 * 509, usd_per_point=5.0))
    assert bars["volume"].to_list() == [5.0, 7.0, 20.0]  # 200 + 309 reaches 509, 693 and 2020 are above it alone, 102 goes on


def test_trades_of_one_stamp_may_end_and_begin_bars() -> None:
    bars = bars_from_trades(FIVE, EQUITY, Clock("tick", threshold=4), now=CLOSE)
    assert bars["trades"].to_list() == [4, 1]
    assert bars["start"].to_list() == [OPEN + timedelta(seconds=0.25), OPEN + timedelta(seconds=61)]


def test_the_last_bar_of_a_session_is_known_at_its_close() -> None:
    day = 86_400.0
    two_days = pl.concat([FIVE, trades((day, 105, 1), (day + 1, 106, 9))])
    bars = bars_from_trades(two_days, EQUITY, Clock("volume", threshold=10))
    assert bars["volume"].to_list() == [12.0, 20.0, 1.0, 10.0]
    assert bars["end"][2] == OPEN + timedelta(seconds=61)
    assert bars["decision"][2] == CLOSE
    assert len(bars_from_trades(FIVE, EQUITY, Clock("volume", threshold=10), now=CLOSE - timedelta(microseconds=1))) == 2
    assert len(bars_from_trades(FIVE, EQUITY, Clock("volume", threshold=10), now=CLOSE)) == 3


def test_a_bar_does_not_go_on_in_the_next_contract() -> None:
    named = FIVE.with_columns(contract=pl.Series(["MESM5"] * 2 + ["MESU5"] * 3))
    bars = bars_from_trades(named, EQUITY, Clock("volume", threshold=10))
    assert bars["volume"].to_list() == [5.0, 27.0]
    assert bars["contract"].to_list() == ["MESM5", "MESU5"]
    assert bars["decision"].to_list() == [OPEN + timedelta(seconds=30), OPEN + timedelta(seconds=61)]


def test_sides_give_bought_and_sold_volume() -> None:
    sided = FIVE.with_columns(side=pl.Series([1, -1, None, 1, 1], dtype=pl.Int8))
    bars = bars_from_trades(sided, EQUITY, Clock("volume", threshold=10))
    assert bars.select("volume", "buy_volume", "sell_volume").rows() == [(12.0, 2.0, 3.0), (20.0, 20.0, 0.0)]


def test_trades_outside_the_sessions_are_refused_and_can_be_left_out() -> None:
    stray = pl.concat([FIVE, trades((23 * 3600 + 5, 100, 1))])
    with pytest.raises(DataError, match="2025-06-09 21:00") as caught:
        bars_from_trades(stray, EQUITY, Clock("tick", threshold=2))
    assert caught.value.code == "trades/out-of-session"
    assert in_session(stray, EQUITY).equals(FIVE)


@pytest.mark.parametrize(
    ("frame", "came"),
    [
        (FIVE.drop("size"), "without size"),
        (FIVE.with_columns(pl.col("datetime").dt.replace_time_zone(None)), "datetime of"),
        (FIVE.reverse(), "go back"),
        (FIVE.with_columns(price=pl.lit(None, pl.Float64)), "prices"),
        (FIVE.with_columns(size=pl.lit(0.0)), "sizes"),
    ],
)
def test_a_frame_that_is_no_trades_is_refused(frame: pl.DataFrame, came: str) -> None:
    for make in (minutes_from_trades, lambda frame: bars_from_trades(frame, EQUITY, Clock("tick", threshold=2))):
        with pytest.raises(DataError, match=came) as caught:
            make(frame)
        assert caught.value.code == "trades/frame"


def test_minutes_from_trades_are_raw_bars_without_the_minute_that_goes_on() -> None:
    minutes = minutes_from_trades(FIVE)
    assert minutes.rows() == [(OPEN, 100.0, 103.0, 99.0, 99.0, 12.0)]
    both = minutes_from_trades(FIVE, now=OPEN + timedelta(minutes=2))
    assert both.rows()[1] == (OPEN + timedelta(minutes=1), 101.0, 102.0, 101.0, 102.0, 21.0)
    assert validate_frame(both, Rules("MES", history=False)).frame.equals(both)


def test_no_trades_make_no_bars() -> None:
    assert len(bars_from_trades(FIVE[:0], EQUITY, Clock("volume"))) == 0
    assert len(minutes_from_trades(FIVE[:0])) == 0


@st.composite
def tapes(draw: st.DrawFn) -> pl.DataFrame:
    """Trades of four sessions, many of them in one instant; sizes are not whole, so that sums are rounded."""
    n = draw(st.integers(1, 200))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    seconds = np.sort(random.integers(0, 4 * 86_400 * 1000, n) // 1000 * random.integers(0, 2, n)) + (0 if draw(st.booleans()) else 90)
    tape = trades(*zip(seconds.tolist(), (100 + random.normal(size=n).cumsum()).tolist(), random.exponential(size=n).tolist(), strict=True))
    return in_session(tape.with_columns(contract=pl.Series(np.where(np.arange(n) < n * 2 // 3, "MESM5", "MESU5"))), EQUITY)


clocks = st.builds(
    Clock,
    kind=st.sampled_from(["volume", "dollar", "tick"]),
    threshold=st.none() | st.floats(0.01, 1000),
    bars_per_session=st.floats(0.5, 20),
    sessions=st.integers(1, 3),
    usd_per_point=st.just(5.0),
)


def plain_loop(tape: pl.DataFrame, clock: Clock) -> list[tuple]:
    """(session, contract, rows, whether the threshold was reached) of each bar, the last one although it may go on."""
    of = [EQUITY.number(minute_of(t)) for t in tape["datetime"]]
    one = {"volume": lambda p, s: s, "dollar": lambda p, s: p * s * clock.usd_per_point, "tick": lambda p, s: 1.0}[clock.kind]
    amount = [one(p, s) for p, s in zip(tape["price"], tape["size"], strict=True)]
    numbers = sorted(set(of))
    sums = []
    for number in numbers:
        total = 0.0
        for a, n in zip(amount, of, strict=True):
            total += a if n == number else 0.0
        sums.append(total)
    is_whole = minute_of(tape["datetime"][0]) == EQUITY.span(of[0])[0]
    threshold = dict(zip(numbers, thresholds_by_hand(sums, is_whole, clock), strict=True))
    bars, taken, total = [], [], 0.0
    for i, number in enumerate(of):
        here = (number, tape["contract"][i])
        if taken and (of[taken[0]], tape["contract"][taken[0]]) != here:
            bars.append((of[taken[0]], tape["contract"][taken[0]], taken, False))
            taken, total = [], 0.0
        if threshold[number] is None:
            continue
        taken, total = [*taken, i], total + amount[i]
        if total >= threshold[number]:
            bars.append((*here, taken, True))
            taken, total = [], 0.0
    return bars + ([(of[taken[0]], tape["contract"][taken[0]], taken, False)] if taken else [])


@settings(deadline=None, max_examples=100)
@given(tapes(), clocks)
def test_exact_bars_equal_the_plain_loop_bit_for_bit(tape: pl.DataFrame, clock: Clock) -> None:
    if tape.is_empty():
        return
    expected = []
    for number, contract, rows, reached in plain_loop(tape, clock):
        price, size, when = (tape[name].gather(rows).to_list() for name in ("price", "size", "datetime"))
        volume = worth = 0.0
        for p, s in zip(price, size, strict=True):
            volume, worth = volume + s, worth + p * s
        known = (
            when[-1]
            if reached
            else min([OPEN + timedelta(minutes=EQUITY.span(number)[1] - minute_of(OPEN)), *tape["datetime"][rows[-1] + 1 :]])
        )
        values = (price[0], max(price), min(price), price[-1], volume, len(rows), worth / volume)
        expected.append((when[0], when[-1], known, *values, number, contract))
    assert bars_from_trades(tape, EQUITY, clock, now=LATER).rows() == expected


@settings(deadline=None, max_examples=60)
@given(tapes())
def test_minutes_from_trades_equal_a_group_by(tape: pl.DataFrame) -> None:
    minutes = minutes_from_trades(tape, now=LATER)
    grouped = tape.group_by(pl.col("datetime").dt.truncate("1m"), "contract", maintain_order=True).agg(
        open=pl.first("price"), high=pl.max("price"), low=pl.min("price"), close=pl.last("price"), volume=pl.sum("size")
    )
    assert minutes.drop("volume").equals(grouped.drop("contract", "volume").with_columns(grouped["contract"]))
    assert minutes["volume"].to_list() == pytest.approx(grouped["volume"].to_list(), rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(tapes(), clocks)
def test_minute_bars_are_exact_bars_where_each_minute_has_one_trade(tape: pl.DataFrame, clock: Clock) -> None:
    alone = tape.drop("contract").unique(pl.col("datetime").dt.truncate("1m"), keep="first", maintain_order=True)
    if alone.is_empty() or clock.kind == "tick":
        return
    exact = bars_from_trades(alone, EQUITY, clock, now=LATER)
    minutes = Minutes.from_frame(minutes_from_trades(alone, now=LATER))
    rung = clock_rung(minutes, EQUITY, clock, now=minute_of(LATER))
    assert rung.bars.tolist() == [list(row) for row in exact.select("open", "high", "low", "close", "volume").rows()]
    assert (rung.start * US_PER_MINUTE).tolist() == exact["start"].dt.truncate("1m").to_physical().to_list()
