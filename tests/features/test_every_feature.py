"""The catalogue's entries, the markets it is tried on, and the ways to look ahead that the graph closes.

What every feature must keep stands in `barsmith.testing.features` and is tried in tests/conformance/test_features.py.
"""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.errors import UsageError
from barsmith.features import Bars, close, feature, lag
from barsmith.features.definitions import definitions
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue, variants_of
from barsmith.testing.feature_trial import lived, same_bits
from barsmith.testing.markets import SESSIONS, ordinary_minutes

FEATURES = catalogue()
NAMES = list(FEATURES)
GROUPS = {
    "price", "moving_averages", "momentum", "volatility", "trend", "volume", "wavelets", "microstructure", "temporal", "mtf", "statistics", "candles",
    "multires",
}  # fmt: skip


def test_every_group_but_regime_is_there():
    assert {each.group for each in FEATURES.values()} - {"regime"} == GROUPS


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


def test_the_whole_catalogue_settles_after_twenty_sessions(awkward):
    assert 3000 < awkward.reading.settled.sum() < 4000  # after a broken day, 20 whole ones and a sliver


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
    assert same_bits(lived(Live(plan, minutes[:700]), minutes[700:]).matrix, reading.matrix[140:]).all()
