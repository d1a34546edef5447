"""What runs when a bar closes: every kind of node beside every other has the bits of the column, and compiled ones run together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from barsmith.features import Bars, absolute, close, high, kernel, lag, log, low, maximum, mean, on, ratio, sign, sqrt, ta, volume, zscore
from barsmith.features.graph import Expr, Several
from barsmith.features.live import Live
from barsmith.features.plain import plain_function
from barsmith.features.plan import Plan
from barsmith.features.windows import moments
from barsmith.testing.feature_trial import lived, same_bits
from barsmith.testing.markets import SESSIONS, kept, ordinary_minutes


@dataclass(frozen=True)
class Halves(Several):
    """A user's own node with two outputs and no compiled step."""

    inputs: tuple[Expr, ...]
    outputs: tuple[str, ...] = ("half", "rest")

    def read(self, *history):
        (x,) = history
        return (x / 2.0, x - x / 2.0), lambda x: (x / 2.0, x - x / 2.0)


@dataclass(frozen=True)
class Joined(Expr):
    """A user's own node over a whole one: it gets a tuple, and a number."""

    inputs: tuple[Expr, ...]

    def read(self, *history):
        (half, rest), x = history
        return half + rest - x, lambda whole, x: whole[0] + whole[1] - x


def middle(bars: Bars) -> np.ndarray:
    return (bars.high + bars.low) / 2


@kernel(size=lambda: 1, settling=lambda: 0)
def refusing(state, params, x):
    if x > 1e6:
        raise ValueError("too high")
    return x


halves = Halves((close * 2.0,))
bands = ta.BBANDS(zscore(close, n=5) + 3.0, timeperiod=5)
FEATURES = {
    "compiled": maximum(log(close / lag(close, 3)), -1) + sqrt(absolute(sign(volume - lag(volume, 1)))),
    "called": ta.RSI(close, timeperiod=5),
    "called after compiled after called": ta.EMA(mean(ta.ATR(high, low, close, timeperiod=5), n=3), timeperiod=4) / close,
    "called after called": ta.SMA(ta.SMA(ta.SMA(close, timeperiod=3), timeperiod=3), timeperiod=3),
    "several outputs called": bands.upperband - bands.lowerband,
    "several outputs compiled": moments(close, n=6).deviation / moments(close, n=6).average,
    "own": halves.half - halves.rest / 3,
    "own of a whole": Joined((halves, close)) + Joined((Halves((mean(close, n=2),)), ta.SMA(close, timeperiod=2))),
    "plain": plain_function(middle, 4) - close,
    "higher": on("1h", ratio(close - lag(close, 1), mean(high - low, n=3))) + on("15m", ta.RSI(close, timeperiod=3)),
    "lower": on("1m", close) - close,
    "a number": on("1h", close * 0 + 1),
    "day": on("1d", close) / close,
}


def plan_of(**features: Expr) -> Plan:
    return Plan(features, base="5m", sessions=SESSIONS)


@pytest.fixture(scope="module")
def minutes():
    """Two sessions and a bit; the first lost its last half hour, so that its day closes after its last base bar."""
    whole = ordinary_minutes(3, seed=8)
    last = SESSIONS.closes[SESSIONS.numbers(whole.time[:1])[0]]
    return kept(whole, (whole.time < last - 33) | (whole.time >= last))[:3000]


@pytest.mark.parametrize("known", [0, 1, 7, 60, 1340, 1347, 1348, 1500, 2990])
def test_nodes_of_every_kind_side_by_side_have_the_bits_of_their_columns(known, minutes):
    plan = plan_of(**FEATURES)
    expected = plan.read(minutes).matrix
    found = lived(Live(plan, minutes[:known]), minutes[known:]).matrix
    expected = expected[len(expected) - len(found) :]
    different = ~same_bits(found, expected)
    assert not different.any(), [name for k, name in enumerate(plan.names) if different[:, k].any()]
    assert np.isfinite(found[-1]).all()


def test_a_day_that_closed_after_its_last_base_bar_is_seen_by_the_next_one(minutes):
    next_day = int(np.argmax(np.diff(minutes.time) > 30)) + 1
    live = Live(plan_of(day=on("1d", close)), minutes[: next_day + 1])
    assert lived(live, minutes[next_day + 1 : next_day + 5]).matrix.tolist() == [[minutes.bars[next_day - 1, 3]]]


def test_all_compiled_steps_of_a_bar_run_in_a_few_calls(minutes, whole_plan):
    """A turn for each time that compiled steps wait for called ones: not one for each of the five hundred."""
    program = Live(whole_plan, minutes[:100]).programs["5m"]
    assert len(program.turns) <= 5
    assert sum(len(functions) for functions, _, _ in program.turns) > 400
    assert sum(len(calls) for _, _, calls in program.turns) < 100


def test_two_sessions_of_one_plan_do_not_share_their_state(minutes):
    plan = plan_of(average=mean(close, n=5), before=lag(close, 2), strength=ta.RSI(close, timeperiod=3))
    first, second = Live(plan, minutes[:500]), Live(plan, minutes[:500])
    alone = lived(first, minutes[500:600]).matrix
    for time, bar in zip(range(int(minutes.time[600]), int(minutes.time[600]) + 50), np.full((50, 5), 9.0).tolist(), strict=True):
        first.update(time, bar)
    assert lived(second, minutes[500:600]).matrix.tolist() == alone.tolist()


def test_what_a_kernel_raises_at_a_live_bar_is_raised(minutes):
    live = Live(plan_of(x=refusing(close)), minutes[:100])
    time = int(minutes.time[100])
    for i in range(4):
        assert live.update(time + i, [2e6] * 5) == []
    with pytest.raises(ValueError, match="too high"):
        live.update(time + 4, [2e6] * 5)
