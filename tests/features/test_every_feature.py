"""Every feature of the catalogue keeps the promise: what it says live it says in batch, and never from the future."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from market import SESSIONS, ordinary_minutes, scaled, still_minutes

from barsmith.bars.cleaning import clean
from barsmith.bars.sessions import load_sessions
from barsmith.errors import UsageError
from barsmith.features import Bars, close, feature, lag
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue, definitions, variants_of

FEATURES = catalogue()
NAMES = list(FEATURES)
GROUPS = {
    "price", "moving_averages", "momentum", "volatility", "trend", "volume", "wavelets", "microstructure", "temporal", "mtf",
}  # fmt: skip


def same_bits(a, b) -> np.ndarray:
    a, b = np.asarray(a), np.asarray(b)
    return (a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))


def lived(live: Live, minutes) -> tuple[list[int], np.ndarray, list[bool]]:
    """The base bars that these minutes finish: their ends and features, and whether all features had settled."""
    bars = zip(minutes.time.tolist(), minutes.adjusted().tolist(), strict=True)
    finished = [bar for time, minute in bars for bar in live.update(time, minute)]
    return [bar.end for bar in finished], np.array([bar.features for bar in finished]), [bar.settled for bar in finished]


def differing(found: np.ndarray, expected: np.ndarray) -> list[str]:
    return [NAMES[k] for k in np.flatnonzero(~same_bits(found, expected).all(axis=0))]


@pytest.fixture(scope="module")
def streamed(whole_plan, awkward):
    """The awkward market minute by minute, from its first one on."""
    return lived(Live(whole_plan, awkward.minutes[:1]), awkward.minutes[1:])


def test_every_group_but_regime_is_there():
    assert {each.group for each in FEATURES.values()} == GROUPS


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_has_a_summary_a_unit_and_a_source(name):
    entry = FEATURES[name]
    assert entry.summary.endswith(".")
    assert entry.unit
    assert entry.source
    assert "\n" not in entry.summary + entry.unit + entry.source


def test_the_awkward_market_is_awkward(awkward):
    bars, length = awkward.bars["5m"], awkward.bars["5m"]["session_length"]
    assert (bars["high"] == bars["low"]).sum() > 250
    assert (bars["volume"] == 0).sum() > 100
    assert set(np.unique(length)) >= {1380.0, 1140.0, 1155.0}  # a whole session, a halt, a half-day
    hours = {(int(open_) // 60) % 24 for open_ in SESSIONS.opens[np.unique(bars["session"]).astype(int)]}
    assert hours == {22, 23}  # 17:00 in Chicago, before and after the clocks change
    assert len(np.unique(awkward.minutes.contract)) == 2
    assert (np.diff(awkward.ends["5m"]) > 60).sum() > 30  # session breaks, weekends, holes


def test_streaming_finishes_the_bars_of_the_batch(streamed, awkward):
    assert streamed[0] == awkward.ends["5m"].tolist()
    assert streamed[2] == awkward.reading.settled.tolist()
    assert 3000 < sum(streamed[2]) < 4000  # after a broken day, 20 whole ones and a sliver


@pytest.mark.parametrize("name", NAMES)
def test_streaming_gives_the_batch_values_bit_for_bit(name, streamed, awkward):
    equal = same_bits(streamed[1][:, NAMES.index(name)].copy(), awkward.column(name).copy())
    assert equal.all(), f"{name} differs first at bar {np.argmin(equal)}"


@pytest.mark.parametrize("seed", range(4))
def test_a_session_restored_at_a_random_minute_goes_on_with_the_same_bits(seed, whole_plan, awkward):
    minutes = awkward.minutes
    at = int(np.random.default_rng(seed).integers(2000, len(minutes) - 700))
    ends, found, _ = lived(Live(whole_plan, minutes[:at]), minutes[at : at + 700])
    row = np.searchsorted(awkward.ends["5m"], ends[0])
    assert not differing(found, awkward.reading.matrix[row : row + len(found)])


def cuts(awkward) -> list[int]:
    """Where to stop reading: the last and the first minutes of sessions, and random ones."""
    edges = np.flatnonzero(np.diff(SESSIONS.numbers(awkward.minutes.time))) + 1
    random = np.random.default_rng(5).integers(1000, len(awkward.minutes), 6)
    return [int(at) for at in (*edges[[1, 4, 9, 24]], *(edges[[2, 13, 26]] + 7), *random)]


@pytest.mark.parametrize("cut", range(13))
def test_the_bars_up_to_a_moment_give_its_row_of_the_whole_history(cut, whole_plan, awkward):
    at = cuts(awkward)[cut]
    prefix = whole_plan.read(awkward.minutes[:at])
    rows = len(prefix.matrix)
    assert rows > 0
    assert not differing(prefix.matrix, awkward.reading.matrix[:rows])


@pytest.mark.parametrize("name", NAMES)
def test_a_settled_feature_is_finite_in_an_awkward_market(name, awkward):
    settled = awkward.column(name)[awkward.first_settled(name) :]
    assert len(settled) > 1000
    assert np.isfinite(settled).all(), f"{name} first at bar {awkward.first_settled(name) + np.argmin(np.isfinite(settled))}"


@pytest.mark.parametrize("volume", [0.0, 7.0])
def test_a_market_of_one_price_has_finite_features_and_none_grows(volume, whole_plan):
    reading = whole_plan.read(still_minutes(24, volume=volume))
    for k, name in enumerate(NAMES):
        settled = reading.matrix[reading.first_settled[k] :, k]
        assert np.isfinite(settled).all(), name
        assert np.abs(settled).max() < (1e4 if "minutes" in name else 10), name


@pytest.mark.parametrize("factor", [2.0**17, 2.0**-30])
def test_huge_and_tiny_prices_give_the_features_of_ordinary_ones(factor, whole_plan, ordinary):
    """5e8 and 4e-6: no feature knows the price level, so only logarithms may differ, in their last digits."""
    reading = whole_plan.read(scaled(ordinary.minutes, factor))
    for k, name in enumerate(NAMES):
        first, expected = reading.first_settled[k], ordinary.column(name)
        size = np.maximum(np.abs(expected[first:]), np.median(np.abs(expected[first:])))
        assert (np.abs(reading.matrix[first:, k] - expected[first:]) <= 1e-6 * size).all(), name


@pytest.mark.real
@pytest.mark.parametrize(("symbol", "calendar"), [("MES", "equity_index"), ("MGC", "metals")])
def test_the_last_three_real_sessions_are_finite_and_the_same_live(symbol, calendar, real_data):
    sessions = load_sessions(calendar)
    minutes, _ = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), sessions)
    minutes = minutes[-60_000:]
    plan = Plan({name: each.expr for name, each in FEATURES.items()}, base="5m", sessions=sessions)
    reading = plan.read(minutes)
    ends, found, settled = lived(Live(plan, minutes[:-4000]), minutes[-4000:])
    row = np.searchsorted(reading.base.end, ends[0])
    assert len(found) == 800
    assert all(settled)
    assert not differing(found, reading.matrix[row:])
    assert np.isfinite(reading.matrix[reading.settled]).all()


def test_a_negative_lag_is_refused():
    with pytest.raises(UsageError) as refused:
        lag(close, -1)
    assert refused.value.code == "features/negative-lag"


@feature(lookback=20)
def centred_average(bars: Bars) -> np.ndarray:
    """A window of five bars with two of them in the future."""
    return bars.close / np.convolve(bars.close, np.ones(5) / 5, mode="same")


@feature(lookback=20)
def zscore_of_everything(bars: Bars) -> np.ndarray:
    """Statistics of all the bars it is given."""
    return (bars.close - bars.close.mean()) / bars.close.std()


@pytest.mark.parametrize("name", ["centred_average", "zscore_of_everything"])
def test_a_function_that_looks_ahead_is_read_at_the_end_of_its_tail_where_there_is_nothing_ahead(name):
    (cheat,) = variants_of(definitions[__name__][name], {})
    plan = Plan({name: cheat.expr}, base="5m", sessions=SESSIONS)
    minutes = ordinary_minutes(1, seed=9)
    reading = plan.read(minutes)
    closes = minutes.bars[4::5, 3]
    lone = lambda tail: cheat.expr.function(Bars(tail, tail, tail, tail, tail, tail))  # noqa: E731
    column = np.array([np.nan] * 19 + [lone(closes[t - 19 : t + 1].copy())[-1] for t in range(19, len(closes))])
    assert same_bits(reading.matrix[:, 0].copy(), column).all()
    assert not np.allclose(column[19:], lone(closes)[19:])  # over the whole series it would have cheated
    for at in (100, 333, 1000):
        prefix = plan.read(minutes[:at]).matrix
        assert same_bits(prefix, reading.matrix[: len(prefix)].copy()).all()
    assert same_bits(lived(Live(plan, minutes[:700]), minutes[700:])[1], reading.matrix[140:].copy()).all()
