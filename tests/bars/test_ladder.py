"""The ladder against hand-made bars, a slow fold in plain Python and the tables of the real bars."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.cleaning import clean
from barsmith.bars.ladder import CALENDAR, COLUMNS, Rung, bar_columns, ladder, rung_column
from barsmith.bars.minutes import Minutes, minute_of
from barsmith.bars.sessions import load_sessions
from barsmith.config import TIMEFRAMES
from barsmith.errors import DataError

EQUITY = load_sessions("equity_index")
MONDAY = minute_of(datetime(2025, 6, 8, 22, tzinfo=UTC))  # 17:00 in Chicago


def flat(times: list[int]) -> Minutes:
    """Minutes whose open is their number, one lot each."""
    n = np.arange(len(times), dtype=float)
    return Minutes.of(np.array(times), np.column_stack([n, n + 2.0, n - 2.0, n + 1.0, np.ones(len(n))]))


def test_five_minutes_become_one_bar() -> None:
    bar = ladder(flat([MONDAY + i for i in range(7)]), EQUITY, ["5m"])["5m"]
    assert bar.start.tolist() == [MONDAY]
    assert bar.end.tolist() == [MONDAY + 5]
    assert bar.bars.tolist() == [[0.0, 6.0, -2.0, 5.0, 5.0]]
    assert (bar.first.tolist(), bar.last.tolist()) == ([0], [4])


def test_minutes_without_trades_make_no_bar_and_a_later_minute_finishes_the_bar_before() -> None:
    bar = ladder(flat([MONDAY + 3, MONDAY + 21]), EQUITY, ["5m"])["5m"]
    assert bar.start.tolist() == [MONDAY]
    assert bar.bars[0].tolist() == [0.0, 2.0, -2.0, 1.0, 1.0]


def test_a_bar_is_finished_when_the_clock_has_passed_its_end() -> None:
    minutes = flat([MONDAY + i for i in range(7)])
    assert len(ladder(minutes, EQUITY, ["5m"], now=MONDAY + 4)["5m"]) == 0
    assert len(ladder(minutes, EQUITY, ["5m"], now=MONDAY + 5)["5m"]) == 1
    assert len(ladder(minutes, EQUITY, ["5m"], now=MONDAY + 10)["5m"]) == 2


def test_no_bar_straddles_the_break_and_the_session_bar_is_23_hours_long() -> None:
    close = MONDAY + 1380
    rungs = ladder(flat([close - 1, close + 60, close + 120]), EQUITY, ["1m", "4h", "1d"])
    assert rungs["1d"].end.tolist() == [close]
    assert rungs["1d"].start.tolist() == [MONDAY]
    assert rungs["4h"].start.tolist() == [MONDAY + 1200]
    assert rungs["4h"].end.tolist() == [close]
    assert np.diff(rungs["1m"].session).tolist() == [1, 0]


def test_a_bar_of_25_minutes_at_a_half_day_is_cut_at_the_close() -> None:
    noon = minute_of(datetime(2025, 12, 24, 18, 15, tzinfo=UTC))  # 12:15 in Chicago, 1155 minutes after the open
    bar = ladder(flat([noon - 6, noon - 1]), EQUITY, ["25m"])["25m"]
    assert bar.start.tolist() == [noon - 5 - 25, noon - 5]
    assert bar.end.tolist() == [noon - 5, noon]


def test_a_minute_outside_the_sessions_is_refused() -> None:
    with pytest.raises(DataError, match="2025-06-09 21:30") as caught:
        ladder(flat([MONDAY + 1379, MONDAY + 1410]), EQUITY, ["5m"])
    assert caught.value.code == "bars/out-of-session"


def test_features_read_adjusted_prices_and_labels_the_contracts_own() -> None:
    plain = flat([MONDAY + 1379, MONDAY + 1440])
    rolled = Minutes(plain.time, plain.bars, np.array([0, 1], np.int32), np.array([1.0, 2.0]), ("A", "B"))
    adjusted = ladder(rolled, EQUITY, ["5m"], now=MONDAY + 2000)["5m"]
    assert adjusted.bars[1].tolist() == [0.5, 1.5, -0.5, 1.0, 1.0]
    assert adjusted.contract.tolist() == [0, 1]
    own = ladder(rolled, EQUITY, ["5m"], adjusted=False, now=MONDAY + 2000)["5m"]
    assert own.bars[1].tolist() == [1.0, 3.0, -1.0, 2.0, 1.0]


def test_no_minutes_make_empty_rungs() -> None:
    rungs = ladder(Minutes.empty(), EQUITY, list(TIMEFRAMES))
    assert [len(rung) for rung in rungs.values()] == [0] * 11
    assert rung_column(rungs["1h"], EQUITY, "close").shape == (0,)


def slow(minutes: Minutes, step: int, now: int) -> list[tuple]:
    """Bars by the words of the design, a minute at a time."""
    out: list[list] = []
    prices = minutes.adjusted()
    for i, time in enumerate(minutes.time.tolist()):
        number = EQUITY.number(time)
        opened, closed, _ = EQUITY.span(number)
        start = opened + (time - opened) // step * step
        if not out or out[-1][0] != start:
            out.append([start, min(start + step, closed), list(prices[i]), number, i, i])
        else:
            bar = out[-1][2]
            bar[1], bar[2] = max(bar[1], prices[i, 1]), min(bar[2], prices[i, 2])
            bar[3], bar[4] = prices[i, 3], bar[4] + prices[i, 4]
            out[-1][5] = i
    return [(s, e, b, n, f, last) for s, e, b, n, f, last in out if e <= now]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_all_rungs_equal_the_slow_fold_bit_for_bit(data: st.DataObject) -> None:
    offsets = sorted(data.draw(st.sets(st.integers(0, 4 * 1440), min_size=1, max_size=120)))
    times = [MONDAY + t for t in offsets if EQUITY.number(MONDAY + t) >= 0]
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    close = 100 + random.normal(size=len(times)).cumsum()
    bars = np.column_stack([close, close + random.random(len(times)), close - random.random(len(times)), close, random.random(len(times))])
    factor = np.where(np.arange(len(times)) < len(times) // 2, 1.0, 1.03)
    minutes = Minutes(np.array(times, np.int64), bars.reshape(-1, 5), (factor > 1).astype(np.int32), factor)
    now = data.draw(st.integers(MONDAY, MONDAY + 5 * 1440))
    for name, rung in ladder(minutes, EQUITY, list(TIMEFRAMES), now=now).items():
        columns = zip(rung.start, rung.end, rung.bars.tolist(), rung.session, rung.first, rung.last, strict=True)
        assert [tuple(row) for row in columns] == slow(minutes, TIMEFRAMES[name], now)
        assert rung.contract.tolist() == minutes.contract[rung.last].tolist()


def test_the_columns_of_a_live_bar_equal_the_batch_ones() -> None:
    random = np.random.default_rng(3)
    times = [t for t in range(MONDAY, MONDAY + 14 * 1440, 7) if EQUITY.number(t) >= 0 and random.random() < 0.9]
    for name, rung in ladder(flat(times), EQUITY, list(TIMEFRAMES)).items():
        batch = list(zip(*(rung_column(rung, EQUITY, name).tolist() for name in CALENDAR), strict=True))
        live = [bar_columns(EQUITY, n, s, e) for n, s, e in zip(rung.session.tolist(), rung.start.tolist(), rung.end.tolist(), strict=True)]
        assert batch == live, name


def test_the_columns_say_where_in_the_session_a_bar_ends() -> None:
    rung = ladder(flat([MONDAY + 61]), EQUITY, ["5m"], now=MONDAY + 65)["5m"]
    got = {name: rung_column(rung, EQUITY, name)[0] for name in COLUMNS}
    expected = {"minute": 65.0, "session_length": 1380.0, "weekday": 0.0, "datetime": MONDAY + 60.0, "session": EQUITY.number(MONDAY)}
    assert {name: got[name] for name in expected} == expected


TABLES = {  # PROVENANCE.md, the bars in the session less the unfinished last one; (first bar, last bar, sum of closes) for MGC
    "MES": {"5m": 59664, "15m": 19889, "1h": 4975, "4h": 1300, "1d": 220},
    "MGC": {"5m": 70453, "15m": 23500, "1h": 5880, "4h": 1538, "1d": 257},
}
FIRST_AND_LAST = {
    "MES": {
        "5m": ("2025-06-12 04:00", [6062.5, 6065.25, 6062.25, 6065.25, 40.0]),
        "4h": ("2025-06-12 02:00", [6062.5, 6069.5, 6060.75, 6067.0, 826.0]),
        "1d": ("2025-06-11 22:00", [6062.5, 6104.75, 6040.75, 6096.0, 33888.0]),
    },
    "MGC": {
        "4h": (
            "2024-12-22 23:00",
            [2639.2, 2643.1, 2634.4, 2641.6, 12603.0],
            "2025-12-19 19:00",
            [4380.1, 4382.0, 4367.8, 4368.7, 23464.0],
        ),
        "1d": (
            "2024-12-22 23:00",
            [2639.2, 2646.8, 2623.1, 2629.4, 76131.0],
            "2025-12-18 23:00",
            [4364.3, 4389.0, 4336.3, 4368.7, 274084.0],
        ),
    },
}
SUMS = {"5m": 240695754.3, "15m": 80278067.6, "1h": 20086346.3, "4h": 5255258.2, "1d": 878954.4}


def at(text: str) -> int:
    return minute_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.real
@pytest.mark.parametrize(("symbol", "group"), [("MES", "equity_index"), ("MGC", "metals")])
def test_real_bars_give_the_tables_of_their_provenance(real_data: Path, symbol: str, group: str) -> None:
    sessions = load_sessions(group)
    minutes, _ = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), sessions)
    rungs = ladder(minutes, sessions, list(TIMEFRAMES))
    assert {name: len(rungs[name]) for name in TABLES[symbol]} == TABLES[symbol]
    for rung in rungs.values():
        assert rung.bars[:, 4].sum() == minutes.bars[: rung.last[-1] + 1, 4].sum()
    for name, facts in FIRST_AND_LAST[symbol].items():
        rung: Rung = rungs[name]
        assert (rung.start[0], rung.bars[0].tolist()) == (at(facts[0]), facts[1])
        if len(facts) > 2:
            assert (rung.start[-1], rung.bars[-1].tolist()) == (at(facts[2]), facts[3])
    if symbol == "MGC":
        assert {name: round(rungs[name].bars[:, 3].sum(), 6) for name in SUMS} == SUMS
        assert minutes.bars[:, 4].sum() == rungs["1d"].bars[:, 4].sum() == 69_308_858
