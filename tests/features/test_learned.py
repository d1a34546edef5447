"""Learned nodes: numbers from training bars alone, and with them an expression is a value like any other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes
from barsmith.errors import DataError, UsageError
from barsmith.features import close, high, kernel, lag, low, on, ta, zscore
from barsmith.features.formula import formula
from barsmith.features.learned import LearnedParams, is_learned, key_of, learn, learner, stretches, with_learned
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.testing.markets import SESSIONS, ordinary_minutes

MINUTES = ordinary_minutes(8, seed=4)
START, PAST = int(MINUTES.time[0]), int(MINUTES.time[-1]) + 1
CHANGE = close / lag(close, 1) - 1


@kernel(size=lambda center, spread: 0, settling=lambda center, spread: 0)
def standard(state, params, x):
    """Distance from a learned centre in learned spreads."""
    return (x - params[0]) / params[1]


@learner(kernel=standard, settling=lambda share: 0)
def centred(sequences, settings, seed):
    """Median and the spread between two quantiles of the first input."""
    rows = np.concatenate(sequences)[:, 0]
    return np.median(rows), np.quantile(rows, 1 - settings[0]) - np.quantile(rows, settings[0])


@learner(kernel=standard, settling=lambda: 0)
def drawn(sequences, settings, seed):
    return np.random.default_rng(seed).normal(), 1.0


def learned(e, slices=((START, PAST),), minutes=MINUTES, seed=7):
    return learn({"it": e}, minutes, base="5m", sessions=SESSIONS, slices=slices, seed=seed)


def column(e, found, minutes=MINUTES):
    return Plan({"it": with_learned(e, found, "5m")}, base="5m", sessions=SESSIONS).read(minutes).matrix[:, 0]


def with_bars_changed(where: np.ndarray) -> Minutes:
    bars = MINUTES.bars.copy()
    bars[where, :4] *= np.linspace(0.5, 2.0, where.sum())[:, None]
    return Minutes.of(MINUTES.time, bars)


def test_a_node_learns_what_its_function_says_of_its_inputs_rows():
    node = centred(CHANGE, share=0.25)
    ((key, found),) = learned(node).items()
    closes = ladder(MINUTES, SESSIONS, ["5m"])["5m"].bars[:, 3]
    change = closes[1:] / closes[:-1] - 1
    assert key == key_of(node, "5m")
    assert found.rows == len(change)
    assert found.params == (np.median(change), np.quantile(change, 0.75) - np.quantile(change, 0.25))
    assert found.what == formula(node) == "centred(close / lag(close, 1) - 1, share=0.25)"


def test_once_learned_it_is_a_value_with_the_same_bits_live():
    node = centred(CHANGE, share=0.25)
    found = learned(node, slices=[(START, START + 4000)])
    value = with_learned(node, found, "5m")
    assert not is_learned(value)
    assert value == with_learned(centred(CHANGE, share=0.25), found, "5m")
    plan = Plan({"it": value}, base="5m", sessions=SESSIONS)
    whole, live = plan.read(MINUTES), Live(plan, MINUTES[:3000])
    rest = zip(MINUTES.time[3000:].tolist(), MINUTES.adjusted()[3000:].tolist(), strict=True)
    streamed = [bar.features for time, minute in rest for bar in live.update(time, minute)]
    assert np.array(streamed).tobytes() == whole.matrix[600:].tobytes()


def test_before_it_has_learned_it_cannot_be_read():
    node = centred(CHANGE, share=0.25)
    with pytest.raises(UsageError) as refused:
        Plan({"it": node}, base="5m", sessions=SESSIONS).read(MINUTES)
    assert refused.value.code == "features/not-learned"
    with pytest.raises(UsageError) as refused:
        with_learned(node, {}, "5m")
    assert refused.value.code == "features/not-learned"


def test_no_bar_outside_the_stretches_is_touched():
    slices = [(START, START + 2000), (START + 4000, START + 6000)]
    node = centred(zscore(CHANGE, n=30), share=0.1)
    outside = ~np.logical_or.reduce([(MINUTES.time >= first) & (MINUTES.time < past) for first, past in slices])
    assert learned(node, slices) == learned(node, slices, with_bars_changed(outside))
    assert learned(node, slices) != learned(node, slices, with_bars_changed(~outside))


def test_a_stretch_that_reaches_into_the_test_rows_would_be_found():
    node = centred(CHANGE, share=0.1)
    test = (MINUTES.time >= START + 2000) & (MINUTES.time < START + 4000)
    honest, leaking = [(START, START + 2000), (START + 4000, PAST)], [(START, START + 2005), (START + 4000, PAST)]
    assert learned(node, honest) == learned(node, honest, with_bars_changed(test))
    assert learned(node, leaking) != learned(node, leaking, with_bars_changed(test))


def test_a_node_on_another_timeframe_learns_from_that_timeframes_bars():
    node = centred(CHANGE, share=0.25)
    (found,) = learned(on("1h", node)).values()
    (own,) = learned(node).values()
    closes = ladder(MINUTES, SESSIONS, ["1h"])["1h"].bars[:, 3]
    assert found.timeframe == "1h"
    assert found.params[0] == np.median(closes[1:] / closes[:-1] - 1) != own.params[0]
    both = learn({"a": on("1h", node), "b": node}, MINUTES, base="5m", sessions=SESSIONS, slices=[(START, PAST)], seed=7)
    assert {each.timeframe for each in both.values()} == {"1h", "5m"}


def test_a_node_may_learn_from_a_learned_one():
    inner = centred(CHANGE, share=0.25)
    outer = centred(abs(inner), share=0.1)
    found = learned(outer)
    assert len(found) == 2
    first = column(inner, found)
    assert found[key_of(outer, "5m")].params[0] == np.median(np.abs(first[1:]))


def test_randomness_comes_from_the_seed_and_the_node():
    one, other = drawn(CHANGE), drawn(high / low)
    ((_, a),) = learned(one).items()
    ((_, b),) = learned(other).items()
    assert a.params != b.params
    assert learned(one) == learned(one)
    assert learned(one, seed=8) != learned(one)
    together = learn({"x": other, "y": one}, MINUTES, base="5m", sessions=SESSIONS, slices=[(START, PAST)], seed=7)
    assert {each.params for each in together.values()} == {a.params, b.params}  # who else learns does not matter


def test_what_was_learned_survives_json_to_the_bit():
    found = learned(centred(CHANGE, share=0.3))
    told = json.loads(json.dumps({key: each.as_dict() for key, each in found.items()}))
    assert {key: LearnedParams.from_dict(each) for key, each in told.items()} == found


def test_rows_in_a_row_are_one_stretch():
    start, end = np.arange(0, 50, 5), np.arange(5, 55, 5)
    assert stretches(start, end, np.array([0, 1, 2, 6, 7, 9])) == [(0, 15), (30, 40), (45, 50)]
    assert stretches(start, end, np.array([], np.int64)) == []


@pytest.mark.parametrize("answer", [(1.0,), (float("nan"), 1.0), ("a", "b"), None, (1.0, 2.0, 3.0)])
def test_a_learner_that_does_not_give_params_is_named(answer):
    @learner(kernel=standard, settling=lambda: 0)
    def broken(sequences, settings, seed):
        return answer

    with pytest.raises(UsageError) as refused:
        learned(broken(CHANGE))
    assert refused.value.code == "features/definition"
    assert "broken" in str(refused.value)


def test_too_few_bars_to_learn_from_are_told_with_those_that_would_do_and_what_asks_for_them():
    """1,000 minutes are 200 bars of 5m; a mean of 500 bars has settled on the 500th."""
    long = centred(ta.SMA(close, timeperiod=500), share=0.1)
    features = {"quick": centred(CHANGE, share=0.1), "slow": long, "slower": centred(ta.SMA(close, timeperiod=600), share=0.1)}
    with pytest.raises(DataError) as refused:
        learn({**features, "again": long * 2}, MINUTES, base="5m", sessions=SESSIONS, slices=[(START, START + 1000)], seed=7)
    assert refused.value.code == "features/nothing-to-learn"
    assert refused.value.expected == "500 training bars of 5m, after which the inputs of centred have settled"
    assert refused.value.came == "200"
    assert "--set 'features.drop=[slow, slower, again]'" in refused.value.do
    past = START + 500 * 5 + 60  # an hour of break
    ((_, found),) = learned(long, slices=[(START, past)]).items()
    assert found.rows == 1


def test_bars_enough_without_a_number_on_them_are_told_apart_from_too_few():
    with pytest.raises(DataError) as refused:
        learned(centred(close / (close - close), share=0.1), slices=[(START, START + 1000)])
    assert refused.value.came == "200, in none of which all of them are numbers"
