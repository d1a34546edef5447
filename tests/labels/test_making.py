"""Labels of every method, unit and rule: nothing after a row's label end changes the row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rungs import hourly_sessions, kept, session_minutes

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.config import LabelSettings, Unit
from barsmith.errors import DataError
from barsmith.labels import barriers
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.making import asked_sides, in_words, make_labels, unit_size
from barsmith.labels.outcomes import Barriers, Labels, default_barriers
from barsmith.labels.primary_signal import PrimarySignal
from barsmith.labels.weights import quality_scores
from barsmith.validation.label_checks import dropped_by_outcome

DISTANCES: dict[Unit, tuple[float, float]] = {"atr": (1.5, 1.0), "fraction": (0.004, 0.003), "ticks": (4.0, 3.0)}
KINDS: list[tuple[dict[str, object], Unit]] = [
    ({}, "atr"),
    ({}, "fraction"),
    ({}, "ticks"),
    ({"session": "close"}, "atr"),
    ({"method": "fixed_horizon"}, "atr"),
    ({"method": "fixed_horizon", "session": "close"}, "ticks"),
    ({"method": "trend_scanning"}, "atr"),
    ({"method": "trend_scanning", "session": "close", "trend_min_bars": 2, "trend_min_t": 2.0}, "atr"),
    ({"events": "cusum", "cusum_unit": "fraction", "cusum_threshold": 0.002}, "atr"),
    ({"events": "cusum", "cusum_threshold": 1.5, "method": "fixed_horizon"}, "fraction"),
    ({"primary_signal": "cross.csv"}, "atr"),
    ({"primary_signal": "cross.csv", "session": "close", "events": "cusum", "cusum_unit": "fraction", "cusum_threshold": 0.001}, "ticks"),
]
NAMES = ("label", "label_end", "log_return", "mae", "mfe", "tie")


def made(minutes: Minutes, sessions: Sessions, kind: dict[str, object], unit: Unit, timeframe: str = "5m", tick: float = 0.25):
    """The sides asked for, and the labels of horizons 3 and 6 with barriers of their own."""
    base = ladder(minutes, sessions, [timeframe], adjusted=False)[timeframe]
    k_up, k_down = DISTANCES[unit]
    barriers = {3: Barriers(k_up, k_down, 3), 6: Barriers(k_up * 1.5, k_down, 6)}
    chosen = LabelSettings(**kind)
    signal = PrimarySignal.of(base.start, (base.start // 5 % 3 - 1).astype(np.int8)) if chosen.primary_signal else PrimarySignal.none()
    side = asked_sides(minutes, base, chosen, signal)
    try:
        return side, make_labels(minutes, base, sessions, chosen, barriers, unit=unit, tick=tick, signal=signal)
    except DataError as error:
        if error.code != "labels/no-future":
            raise
        return side, {}


def futures(minutes: Minutes, sessions: Sessions, end: int, rng: np.random.Generator) -> Iterator[Minutes]:
    """What might have come after `end` instead: other prices, fewer minutes, more minutes, none at all."""
    later = minutes.time >= end
    bars = minutes.bars.copy()
    bars[later, :4] *= rng.uniform(0.3, 3.0, (int(later.sum()), 1))
    yield Minutes(minutes.time, bars, minutes.contract, minutes.factor)
    yield kept(minutes, ~later | (rng.random(len(later)) < 0.5))
    yield kept(minutes, ~later)
    past, last = kept(minutes, ~later), int(minutes.time[-1])
    time = np.arange(end, last)
    time = time[sessions.numbers(time) >= 0]
    price = rng.uniform(300, 500, len(time))
    more = np.column_stack([price, price + 2, price - 2, price, np.ones(len(time))])
    contract, factor = int(past.contract[-1]), float(past.factor[-1])
    yield Minutes(
        np.r_[past.time, time],
        np.vstack([past.bars, more]),
        np.r_[past.contract, np.full(len(time), contract)].astype(np.int32),
        np.r_[past.factor, np.full(len(time), factor)],
    )


def same_row(of: Labels, again: Labels, t: int) -> None:
    for name in NAMES:
        assert getattr(again, name)[t] == getattr(of, name)[t], f"{name} of row {t} has read past its label end"
    assert quality_scores(again)[t] == quality_scores(of)[t]


def check_futures(minutes: Minutes, sessions: Sessions, kind: dict[str, object], unit: Unit, rows: int, seed: int, **more: object) -> int:
    """How many rows were compared with what they would have been with another future."""
    rng = np.random.default_rng(seed)
    side, labels = made(minutes, sessions, kind, unit, **more)
    compared = 0
    for horizon, of in labels.items():
        known = np.flatnonzero(of.has_label)
        for t in rng.choice(known, min(rows, len(known)), replace=False):
            for other in futures(minutes, sessions, int(of.label_end[t]), rng):
                asked, again = made(other, sessions, kind, unit, **more)
                assert side is None or t >= len(asked) or asked[t] == side[t], f"row {t} is asked for a label because of its future"
                if horizon in again and t < len(again[horizon]) and again[horizon].has_label[t]:
                    same_row(of, again[horizon], t)
                    compared += 1
    return compared


@pytest.mark.parametrize(("kind", "unit"), KINDS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=2, deadline=None)
def test_no_label_and_no_quality_depends_on_what_comes_after_the_label_end(kind, unit, seed):
    sessions = hourly_sessions()
    for missing, timeframe in ((0.0, "5m"), (0.6, "1m")):
        minutes = session_minutes(sessions, seed, 1500 if kind.get("cusum_threshold") == 1.5 else 500, missing)
        assert check_futures(minutes, sessions, kind, unit, 10, seed, timeframe=timeframe) > 0


@pytest.mark.real
@pytest.mark.parametrize(("kind", "unit"), KINDS)
def test_no_label_of_the_real_bars_depends_on_what_comes_after_its_end(real_data: Path, kind, unit):
    sessions = load_sessions("equity_index")
    minutes = Minutes.from_frame(pl.read_parquet(real_data / "MES_1m.parquet", n_rows=30_000))
    minutes = kept(minutes, sessions.numbers(minutes.time) >= 0)[:12_000]
    assert check_futures(minutes, sessions, kind, unit, 3, 1, tick=2.5) >= 6


@pytest.mark.parametrize(("kind", "unit"), KINDS)
def test_every_row_that_is_asked_and_has_a_future_has_a_label(kind, unit):
    """Leak 23, told by other code than the labels' own."""
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, 5, 900, contracts=2)
    base = ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]
    side, labels = made(minutes, sessions, kind, unit)
    chosen = LabelSettings(**kind)
    asked = np.isfinite(unit_size(unit, minutes, base, 0.25)) & (True if side is None else side != 0)
    closes = sessions.closes[base.session] if chosen.session == "close" else None
    least = chosen.trend_min_bars if chosen.method == "trend_scanning" else 1
    for horizon, of in labels.items():
        assert of.has_label.sum() >= 5
        assert list(dropped_by_outcome(of, asked, base, horizon, closes=closes, min_bars=least)) == []


def test_horizons_with_barriers_of_their_own_equal_each_alone():
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, 6)
    base = ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]
    atr = wilder_atr(base)
    own = {2: Barriers(2.0, 1.0, 9), 4: Barriers(1.0, 1.5, 6), 7: Barriers(1.0, 1.5, 3), 9: Barriers(0.5, 0.5, 9)}
    together = triple_barrier(minutes, base, atr, barriers=own)
    assert list(together) == [2, 4, 7, 9]
    for h, of in together.items():
        alone = triple_barrier(minutes, base, atr, barriers={h: own[h]})[h]
        assert of.barriers == alone.barriers == own[h]
        for name in (*NAMES, "has_label"):
            assert np.array_equal(getattr(of, name), getattr(alone, name), equal_nan=name in ("log_return", "mae", "mfe")), name


def test_a_scan_in_several_parts_is_the_scan_in_one(monkeypatch):
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, 9)
    base = ladder(minutes, sessions, ["1m"], adjusted=False)["1m"]

    def scan() -> Labels:
        return triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(2.0, 1.0, (6,)))[6]

    whole = scan()
    monkeypatch.setattr(barriers, "ROWS_A_THREAD", 7)
    monkeypatch.setattr(barriers, "cores", lambda: 5)
    for name in (*NAMES, "has_label"):
        assert np.array_equal(getattr(scan(), name), getattr(whole, name), equal_nan=name in ("log_return", "mae", "mfe")), name


def test_a_fraction_is_one_of_the_entrys_price_and_a_tick_is_the_contracts():
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, 7)
    base = ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]
    entries = minutes.bars[base.first[1:], 0]
    assert np.array_equal(unit_size("fraction", minutes, base, 0.25)[:-1], entries)
    assert np.isnan(unit_size("fraction", minutes, base, 0.25)[-1]), "the last bar has no entry"
    assert set(unit_size("ticks", minutes, base, 0.25)) == {0.25}
    by_tick, by_point = (
        make_labels(minutes, base, sessions, LabelSettings(), {5: Barriers(k, k, 5)}, unit=u, tick=t)[5]
        for k, u, t in ((8.0, "ticks", 0.25), (2.0, "ticks", 1.0))
    )
    assert np.array_equal(by_tick.label, by_point.label)


def test_events_look_through_a_roll():
    """A new contract's jump is no move: adjusted closes go on."""
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, 11, contracts=2)
    asked = LabelSettings(events="cusum", cusum_unit="fraction", cusum_threshold=0.006)
    base = ladder(minutes, sessions, ["5m"], adjusted=False)["5m"]
    is_new = minutes.contract == 1
    dearer = minutes.bars.copy()
    dearer[is_new, :4] *= 1.25
    rolled = Minutes(minutes.time, dearer, minutes.contract, np.where(is_new, 1.25, 1.0))
    there = ladder(rolled, sessions, ["5m"], adjusted=False)["5m"]
    before, after = asked_sides(minutes, base, asked, None), asked_sides(rolled, there, asked, None)
    assert before is not None
    assert np.array_equal(before, after)
    assert before[int(np.argmax(base.contract == 1))] == 0
    assert 3 < (before != 0).sum() < len(before)


def test_labels_are_told_in_words():
    assert in_words(LabelSettings(), 1.5, 1.0, "atr") == "triple barrier, 1.5 ATR up and 1 ATR down, held across the break, every bar"
    meta = LabelSettings(primary_signal="cross.csv", session="close", events="cusum")
    assert in_words(meta, 20, 16, "ticks") == (
        "triple barrier for the trades of cross.csv, profit at 20 ticks and stop at 16 ticks, closed with the session, "
        "bars after a move of 4 trailing volatilities (CUSUM)"
    )
    assert in_words(LabelSettings(primary_signal="cross.csv"), 2.0, 1.0, "atr").endswith(
        "stop at 1 ATR, held across the break, every signal"
    )
    trend = LabelSettings(method="trend_scanning")
    assert in_words(trend, 0.002, 0.001, "fraction") == "trend scanning, held across the break, every bar"


def test_default_barriers_wait_for_the_horizon_unless_told():
    assert default_barriers(1.5, 1.0, (5, 20)) == {5: Barriers(1.5, 1.0, 5), 20: Barriers(1.5, 1.0, 20)}
    assert default_barriers(1.5, 1.0, (5, 20), 12)[20].max_bars == 12
