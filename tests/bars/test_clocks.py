"""Bars of volume, dollar and tick clocks from minutes: hand facts, a slow fold in plain Python, and the live twin."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from clock_by_hand import bars_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.cleaning import clean
from barsmith.bars.clocks import Clock, LiveClock, by_session, clock_rung
from barsmith.bars.ladder import Rung
from barsmith.bars.minutes import Minutes, minute_of
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.errors import DataError, UsageError

EQUITY = load_sessions("equity_index")
MONDAY = minute_of(datetime(2025, 6, 8, 22, tzinfo=UTC))  # 17:00 in Chicago
TUESDAY, CLOSE = MONDAY + 1440, MONDAY + 1380
NUMBER = EQUITY.number(MONDAY)


def lots(first: int, *volumes: float) -> Minutes:
    """Minutes one after the other from `first`: the i-th opens at i, closes at i + 1, and so many lots trade."""
    n = np.arange(len(volumes), dtype=float)
    return Minutes.of(np.arange(first, first + len(n)), np.column_stack([n + 1, n + 3.0, n + 0.5, n + 2.0, np.array(volumes, float)]))


def together(*parts: Minutes) -> Minutes:
    return Minutes.of(np.concatenate([part.time for part in parts]), np.concatenate([part.bars for part in parts]))


def rows(rung: Rung) -> list[tuple]:
    return list(zip(*(column.tolist() for column in (rung.start, rung.end, rung.bars, rung.session, rung.first, rung.last)), strict=True))


def test_a_volume_bar_closes_with_the_minute_that_reaches_the_threshold() -> None:
    bars = clock_rung(lots(MONDAY, 4, 5, 1, 30, 2, 3), EQUITY, Clock("volume", threshold=10))
    assert bars.start.tolist() == [MONDAY, MONDAY + 3]
    assert bars.end.tolist() == [MONDAY + 3, MONDAY + 4]  # 4 + 5 + 1 = 10 is enough; the 20 lots too many are not carried over
    assert bars.bars.tolist() == [[1, 5, 0.5, 4, 10], [4, 6, 3.5, 5, 30]]
    assert (bars.first.tolist(), bars.last.tolist()) == ([0, 3], [2, 3])
    assert bars.timeframe == "volume"


def test_a_dollar_bar_counts_close_times_lots_times_the_worth_of_a_point() -> None:
    bars = clock_rung(lots(MONDAY, 1, 1, 1, 1), EQUITY, Clock("dollar", threshold=25, usd_per_point=5))  # 10, 15, 20, 25 dollars
    assert bars.end.tolist() == [MONDAY + 2, MONDAY + 4]


def test_dollars_are_those_of_the_contract_whatever_the_roll_factor() -> None:
    plain = lots(MONDAY, 1, 1, 1, 1)
    rolled = Minutes(plain.time, plain.bars, np.array([0, 0, 1, 1], np.int32), np.array([1.0, 1.0, 4.0, 4.0]))
    clock = Clock("dollar", threshold=25, usd_per_point=5)
    adjusted, own = (clock_rung(rolled, EQUITY, clock, adjusted=is_adjusted) for is_adjusted in (True, False))
    assert adjusted.end.tolist() == own.end.tolist() == [MONDAY + 2, MONDAY + 4]
    assert own.bars[1].tolist() == [3, 6, 2.5, 5, 2]
    assert adjusted.bars[1].tolist() == [0.75, 1.5, 0.625, 1.25, 2]
    assert adjusted.contract.tolist() == [0, 1]


def test_tick_bars_from_minutes_are_volume_bars_in_units_of_a_trade_and_are_refused_without_one() -> None:
    minutes = lots(MONDAY, 4, 4, 4, 4)
    by_trades = clock_rung(minutes, EQUITY, Clock("tick", threshold=4, lots_per_trade=2))
    assert rows(by_trades) == rows(clock_rung(minutes, EQUITY, Clock("volume", threshold=8)))
    with pytest.raises(UsageError, match="lots_per_trade") as caught:
        clock_rung(minutes, EQUITY, Clock("tick", threshold=4))
    assert caught.value.code == "clock/no-trade-count"


def test_the_last_bar_of_a_session_is_short_and_finished_when_the_session_has_ended() -> None:
    minutes = lots(CLOSE - 5, 10, 3)  # the sum stands at 3 and three minutes do not trade
    clock = Clock("volume", threshold=10)
    assert clock_rung(minutes, EQUITY, clock).end.tolist() == [CLOSE - 4]
    assert clock_rung(minutes, EQUITY, clock, now=CLOSE - 1).end.tolist() == [CLOSE - 4]
    assert clock_rung(minutes, EQUITY, clock, now=CLOSE).end.tolist() == [CLOSE - 4, CLOSE]
    later = clock_rung(together(minutes, lots(TUESDAY, 9)), EQUITY, clock)  # nor does it go on in the next session
    assert later.end.tolist() == [CLOSE - 4, CLOSE]
    assert later.bars[:, 4].tolist() == [10, 3]


def test_the_last_minute_of_a_session_closes_its_bar_at_once() -> None:
    clock = Clock("volume", threshold=10)
    assert clock_rung(lots(CLOSE - 2, 1, 1), EQUITY, clock).end.tolist() == [CLOSE]
    live = LiveClock(clock, EQUITY)
    assert [live.add(CLOSE - 2, 1.0, 1.0), live.add(CLOSE - 1, 1.0, 1.0)] == [False, True]


def test_minutes_without_volume_close_no_bar_and_belong_to_the_bar_they_fall_into() -> None:
    bars = clock_rung(lots(MONDAY, 10, 0, 0, 10, 0), EQUITY, Clock("volume", threshold=10))
    assert bars.start.tolist() == [MONDAY, MONDAY + 1]
    assert bars.end.tolist() == [MONDAY + 1, MONDAY + 4]


def whole_session(first: int, lots_each: float) -> Minutes:
    return lots(first, *[lots_each] * 1380)


def test_a_trailing_threshold_is_the_average_session_before_over_the_bars_wanted() -> None:
    minutes = together(*(whole_session(MONDAY + 1440 * day, size) for day, size in enumerate((1, 3, 8, 2))))
    _, days, thresholds = by_session(minutes, EQUITY, Clock("volume", bars_per_session=10, sessions=2))
    assert days.session.tolist() == [NUMBER, NUMBER + 1, NUMBER + 2, NUMBER + 3]
    assert np.isnan(thresholds[0])
    assert thresholds[1:].tolist() == [138.0, 276.0, 759.0]  # of 1380, of 1380 and 4140, of 4140 and 11040
    bars = clock_rung(minutes, EQUITY, Clock("volume", bars_per_session=10, sessions=2))
    assert np.bincount(bars.session - NUMBER).tolist() == [0, 30, 40, 4]  # 46 of 3, 35 of 8, 380 of 2 lots make a bar


def test_a_session_that_history_enters_late_is_no_measure_for_the_next() -> None:
    minutes = together(whole_session(MONDAY, 1)[1:], whole_session(TUESDAY, 1), whole_session(TUESDAY + 1440, 1))
    _, _, thresholds = by_session(minutes, EQUITY, Clock("volume", bars_per_session=10))
    assert np.isnan(thresholds[:2]).all()
    assert thresholds[2] == 138.0


def test_no_threshold_comes_from_sessions_in_which_nothing_was_traded() -> None:
    minutes = together(whole_session(MONDAY, 0), whole_session(TUESDAY, 0))
    assert len(clock_rung(minutes, EQUITY, Clock("volume"))) == 0
    assert clock_rung(minutes, EQUITY, Clock("volume", threshold=5)).end.tolist() == [CLOSE, CLOSE + 1440]


def test_no_minutes_make_no_bars() -> None:
    for clock in (Clock("volume"), Clock("dollar", threshold=1.0)):
        assert rows(clock_rung(Minutes.empty(), EQUITY, clock)) == []


def test_a_minute_outside_the_sessions_is_refused_and_moves_no_live_clock() -> None:
    with pytest.raises(DataError) as caught:
        clock_rung(lots(CLOSE, 1), EQUITY, Clock("volume", threshold=1))
    assert caught.value.code == "bars/out-of-session"
    live = LiveClock(Clock("volume", threshold=2), EQUITY)
    assert [live.add(MONDAY, 1.0, 1.0), live.add(CLOSE, 1.0, 1.0), live.add(TUESDAY, 1.0, 1.0)] == [False, False, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "time"},
        {"threshold": 0.0},
        {"threshold": float("nan")},
        {"bars_per_session": -1.0},
        {"sessions": 0},
        {"lots_per_trade": 0.0},
    ],
)
def test_a_clock_that_cannot_tick_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))) as caught:
        Clock(**{"kind": "volume"} | wrong)
    assert caught.value.code == "clock/settings"


def irregular_sessions(days: int, seed: int = 0) -> Minutes:
    """A minute in 23 of whole sessions; the volumes are not whole, so that sums are rounded."""
    minutes = together(*(whole_session(MONDAY + 1440 * day, 1)[::23] for day in range(days)))
    minutes.bars[:, 4] = np.random.default_rng(seed).exponential(size=len(minutes))
    return minutes


@st.composite
def markets(draw: st.DrawFn) -> Minutes:
    """Minutes of five sessions with holes, some from a session's first minute on, with a roll; volumes are not whole, so that sums are rounded."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    days, size = draw(st.integers(1, 5)), draw(st.integers(1, 150))
    offsets = set(random.integers(0, days * 1440, size).tolist()) | ({0} if draw(st.booleans()) else set())
    times = [MONDAY + t for t in sorted(offsets) if EQUITY.number(MONDAY + t) >= 0] or [MONDAY]
    n = len(times)
    close = 100 + random.normal(size=n).cumsum()
    volume = random.exponential(size=n) * (random.random(n) < 0.8)
    bars = np.column_stack([close, close + random.random(n), close - random.random(n), close, volume])
    factor = np.where(np.arange(n) < n // 2, 1.0, 1.03)
    return Minutes(np.array(times, np.int64), bars, (factor > 1).astype(np.int32), factor)


kinds = st.sampled_from(["volume", "dollar", "tick"])
trailing = st.builds(
    Clock,
    kind=kinds,
    bars_per_session=st.floats(0.5, 20),
    sessions=st.integers(1, 4),
    usd_per_point=st.just(5.0),
    lots_per_trade=st.just(1.7),
)
fixed = st.builds(Clock, kind=kinds, threshold=st.floats(0.01, 2000), usd_per_point=st.just(5.0), lots_per_trade=st.just(1.7))
clocks = trailing | fixed


def lived(clock: Clock, sessions: Sessions, minutes: Minutes, now: int) -> list[tuple]:
    """Bars made minute by minute: they close when the live clock says so, else with their session."""
    live, done, bar = LiveClock(clock, sessions), [], None
    prices = minutes.adjusted()
    for i, (time, own) in enumerate(zip(minutes.time.tolist(), minutes.bars.tolist(), strict=True)):
        if bar and bar[1] <= time:
            done.append(tuple(bar))
            bar = None
        is_closed = live.add(time, own[3], own[4])
        if live.has_bars:
            bar = opened_or_grown(bar, minutes, prices, sessions, i)
        if is_closed:
            bar[1] = time + 1
            done.append(tuple(bar))
            bar = None
    return done + ([tuple(bar)] if bar and bar[1] <= now else [])


def opened_or_grown(bar: list | None, minutes: Minutes, prices: np.ndarray, sessions: Sessions, i: int) -> list:
    time, number = int(minutes.time[i]), sessions.number(int(minutes.time[i]))
    if bar is None:
        return [time, sessions.span(number)[1], prices[i].tolist(), number, i, i]
    o, h, l, _, v = bar[2]
    bar[2] = [o, max(h, prices[i, 1]), min(l, prices[i, 2]), prices[i, 3], v + prices[i, 4]]
    bar[5] = i
    return bar


@settings(deadline=None, max_examples=150)
@given(markets(), clocks, st.integers(0, 6 * 1440), st.booleans())
def test_batch_equals_the_slow_fold_bit_for_bit(minutes: Minutes, clock: Clock, now: int, adjusted: bool) -> None:
    rung = clock_rung(minutes, EQUITY, clock, adjusted=adjusted, now=MONDAY + now)
    assert rows(rung) == [bar[:6] for bar in bars_by_hand(minutes, EQUITY, clock, MONDAY + now, adjusted)]
    assert rung.contract.tolist() == minutes.contract[rung.last].tolist()


@settings(deadline=None, max_examples=150)
@given(markets(), clocks, st.integers(1, 1500))
def test_live_closes_the_bars_of_batch(minutes: Minutes, clock: Clock, waited: int) -> None:
    now = int(minutes.time[-1]) + waited
    assert lived(clock, EQUITY, minutes, now) == rows(clock_rung(minutes, EQUITY, clock, now=now))


@pytest.mark.parametrize("entered", [0, 20])
@pytest.mark.parametrize(
    "clock", [Clock("volume", bars_per_session=6, sessions=2), Clock("dollar", threshold=400.0)], ids=["trailing", "fixed"]
)
def test_a_clock_over_a_history_goes_on_as_the_one_that_lived_through_it(clock: Clock, entered: int) -> None:
    minutes = irregular_sessions(5)[entered:]
    moments = [(time, bar[3], bar[4]) for time, bar in zip(minutes.time.tolist(), minutes.bars.tolist(), strict=True)]
    through = LiveClock(clock, EQUITY)
    lived_through = [(through.add(*each), through.total, through.has_bars, str(through.threshold)) for each in moments]
    for at in range(0, len(minutes), 3):
        restored = LiveClock(clock, EQUITY, minutes[:at])
        goes_on = [(restored.add(*each), restored.total, restored.has_bars, str(restored.threshold)) for each in moments[at:]]
        assert goes_on == lived_through[at:], at
    _, days, thresholds = by_session(minutes, EQUITY, clock)
    batch = dict(zip(days.session.tolist(), map(str, thresholds.tolist()), strict=True))
    assert [batch[EQUITY.number(time)] for time, *_ in moments] == [threshold for *_, threshold in lived_through]


@settings(deadline=None, max_examples=100)
@given(st.data(), markets(), clocks)
def test_what_comes_later_changes_no_bar(data: st.DataObject, minutes: Minutes, clock: Clock) -> None:
    cut = 1 + int(data.draw(st.floats(0, 1)) * (len(minutes) - 1))
    early = rows(clock_rung(minutes[:cut], EQUITY, clock))
    end = int(minutes.time[cut - 1]) + 1
    assert early == [bar for bar in rows(clock_rung(minutes, EQUITY, clock)) if bar[1] <= end]


@settings(deadline=None, max_examples=100)
@given(markets(), clocks)
def test_bars_keep_every_lot_stay_in_their_session_and_close_no_earlier_than_the_threshold(minutes: Minutes, clock: Clock) -> None:
    bars = clock_rung(minutes, EQUITY, clock, now=MONDAY + 9 * 1440)
    _, days, thresholds = by_session(minutes, EQUITY, clock)
    threshold = dict(zip(days.session.tolist(), thresholds.tolist(), strict=True))
    of = EQUITY.numbers(minutes.time)
    has_bars = np.isin(of, [n for n, t in threshold.items() if t == t])
    taken = np.concatenate([np.arange(f, l + 1) for f, l in zip(bars.first, bars.last, strict=True)] or [np.empty(0, int)])
    assert taken.tolist() == np.flatnonzero(has_bars).tolist()
    assert bars.bars[:, 4].sum() == pytest.approx(minutes.bars[has_bars, 4].sum(), rel=1e-12)
    assert (np.diff(bars.end) > 0).all()
    for start, end, _, number, first, last in rows(bars):
        opened, closed, _ = EQUITY.span(number)
        assert opened <= start < end <= closed
        assert (of[first : last + 1] == number).all()
        amount = np.asarray(clock.amount(minutes.bars[first : last + 1, 3], minutes.bars[first : last + 1, 4]))
        if end < closed:
            assert amount.sum() >= threshold[number] * (1 - 1e-12)
        assert amount[:-1].sum() < threshold[number] * (1 + 1e-12)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), trailing)
def test_bars_forget_where_history_began_after_the_settling_sessions(seed: int, clock: Clock) -> None:
    random, minutes = np.random.default_rng(seed), irregular_sessions(5, seed)
    entered = int(random.integers(1, 60))  # within Monday: the first session is no measure
    late = clock_rung(minutes[entered:], EQUITY, clock)
    settled = NUMBER + 1 + clock.settling_sessions
    shift = [(*bar[:4], bar[4] + entered, bar[5] + entered) for bar in rows(late) if bar[3] >= settled]
    assert shift == [bar for bar in rows(clock_rung(minutes, EQUITY, clock)) if bar[3] >= settled]


def test_a_fixed_threshold_has_nothing_to_forget() -> None:
    assert (Clock("volume", threshold=1.0).settling_sessions, Clock("volume", sessions=7).settling_sessions) == (0, 7)


@pytest.mark.real
@pytest.mark.parametrize(("symbol", "group", "worth"), [("MES", "equity_index", 5.0), ("MGC", "metals", 10.0)])
@pytest.mark.parametrize("kind", ["volume", "dollar"])
def test_real_bars_keep_every_lot_and_live_equals_batch(real_data: Path, symbol: str, group: str, worth: float, kind: str) -> None:
    sessions = load_sessions(group)
    minutes, _ = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), sessions)
    clock = Clock(kind, usd_per_point=worth)
    bars = clock_rung(minutes, sessions, clock)
    first = int(np.searchsorted(minutes.time, sessions.opens[bars.session[0]]))
    assert bars.bars[:, 4].sum() == minutes.bars[first : bars.last[-1] + 1, 4].sum()
    live = LiveClock(clock, sessions)
    ends = [t + 1 for t, bar in zip(minutes.time.tolist(), minutes.bars.tolist(), strict=True) if live.add(t, bar[3], bar[4])]
    closes = set(sessions.closes.tolist())
    assert set(ends) <= set(bars.end.tolist())
    assert set(bars.end.tolist()) - set(ends) <= closes  # a session whose last minute is missing ends by the clock
