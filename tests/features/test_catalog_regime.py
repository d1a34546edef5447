"""The regime group: its formulas, and that what it learned never saw another row. Its promises: tests/conformance."""

from __future__ import annotations

import dataclasses

import formulas
import numpy as np
import polars as pl
import pytest
from formulas import average
from single import read, read_expression
from test_settling import unlike

from barsmith.bars.cleaning import clean
from barsmith.bars.ladder import COLUMNS, ladder, rung_column
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.errors import UsageError
from barsmith.features.catalog.regime import hidden_regime, outside, quantile_cuts, since_change, trend_rule, usual_range
from barsmith.features.graph import Column
from barsmith.features.learned import learn, learned_nodes, stretches, with_learned
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.features.windows import usual
from barsmith.splits.purging import purged
from barsmith.testing.markets import SESSIONS, awkward_minutes, ordinary_minutes

ENTRIES = {name: entry for name, entry in catalogue().items() if entry.group == "regime"}
FEATURES = {name: entry.expr for name, entry in ENTRIES.items()}
LEARNING = [name for name in FEATURES if name.startswith(("hmm_", "volatility_regime", "regime_score"))]
LESSON = ordinary_minutes(24, seed=31)
X, Y, Z = Column("open"), Column("high"), Column("low")


def span(minutes: Minutes) -> tuple[int, int]:
    return int(minutes.time[0]), int(minutes.time[-1]) + 1


def lessons(minutes: Minutes, slices: list[tuple[int, int]], seed: int = 1) -> dict[str, tuple[float, ...]]:
    found = learn(FEATURES, minutes, base="5m", sessions=SESSIONS, slices=slices, seed=seed)
    return {key: each.params for key, each in found.items()}


@pytest.fixture(scope="module")
def learned():
    return learn(FEATURES, LESSON, base="5m", sessions=SESSIONS, slices=[span(LESSON)], seed=1)


@pytest.fixture(scope="module")
def plan(learned) -> Plan:
    return Plan({name: with_learned(e, learned, "5m") for name, e in FEATURES.items()}, base="5m", sessions=SESSIONS)


def columns_of(minutes: Minutes, timeframe: str) -> dict[str, np.ndarray]:
    rung = ladder(minutes, SESSIONS, [timeframe])[timeframe]
    return {name: rung_column(rung, SESSIONS, name) for name in COLUMNS}


@pytest.fixture(scope="module")
def awkward_market():
    return awkward_minutes()


@pytest.fixture(scope="module")
def reading(plan, awkward_market):
    return plan.read(awkward_market)


def column(plan, reading, name: str) -> np.ndarray:
    k = plan.names.index(name)
    return reading.matrix[reading.first_settled[k] :, k]


# What the group is made of


def test_the_group_is_complete_and_said_in_full():
    assert set(FEATURES) == {
        *(f"hmm_regime_state_{k}" for k in (2, 3, 4)), "hmm_regime_level_3", "hmm_regime_level_4", "hmm_regime_calm_3", "hmm_regime_wild_3",
        "hmm_regime_entropy_3", "hmm_regime_age_3", "volatility_regime_12", "usual_range_ratio_12", "trend_regime_32", "trend_direction_32",
        "regime_score_3_32",
    }  # fmt: skip
    assert all(entry.unit and entry.source and entry.summary for entry in ENTRIES.values())


def test_each_number_of_states_is_learned_once_for_all_its_features():
    nodes = {key: node for e in FEATURES.values() for key, _, node in learned_nodes(e, "5m")}
    assert sorted((node.learner.name, node.settings[0][1]) for node in nodes.values()) == [
        ("hmm", 2), ("hmm", 3), ("hmm", 4), ("quantile_cuts", 0.25),
    ]  # fmt: skip
    assert hidden_regime(3) == hidden_regime(3)
    assert hidden_regime(3) != hidden_regime(4)


def test_the_settings_choose_the_states():
    found = catalogue(params={"hmm_regime_state": {"states": [3]}, "hmm_regime_wild": {"states": [2, 4]}})
    names = [name for name in found if name.startswith(("hmm_regime_state", "hmm_regime_wild"))]
    assert names == ["hmm_regime_state_3", "hmm_regime_wild_2", "hmm_regime_wild_4"]


@pytest.mark.parametrize("family", ["hmm_regime_state", "hmm_regime_level", "hmm_regime_age", "hmm_regime_entropy"])
@pytest.mark.parametrize("states", [1, 5, 100])
def test_another_number_of_states_is_refused(family, states):
    with pytest.raises(UsageError, match=rf"features.params.{family}: expected 2 to 4 states .*, came {states}; correct") as caught:
        catalogue(params={family: {"states": [states]}})
    assert caught.value.code == "config/out-of-range"


# Formulas


def test_the_usual_is_that_of_the_half_hour_in_the_last_five_sessions(awkward_market):
    bars = columns_of(awkward_market, "10m")
    x = bars["high"] - bars["low"]
    found = read_expression(usual(X, Y, Z), open=x, high=bars["session"], low=bars["minute"])
    np.testing.assert_allclose(found, formulas.usual(x, bars["session"], bars["minute"]), rtol=1e-12)
    assert np.isfinite(found[150:]).all()
    assert len(np.unique(bars["session"])) > 30


def test_a_half_hour_that_no_session_had_is_taken_for_all_of_them():
    session, minute = np.array([1.0, 2, 3, 7, 8, 9, 10, 10]), np.array([30.0, 30, 60, 30, 30, 30, 90, 30])
    x = np.array([100.0, 2, 4, 6, 8, 10, 1000, 1000])
    found = read_expression(usual(X, Y, Z), open=x, high=session, low=minute)
    assert found[6] == (2 + 4 + 6 + 8 + 10) / 5  # of the last five sessions with bars, whatever their numbers
    assert found[7] == (2 + 6 + 8 + 10) / 4


def test_the_usual_forgets_a_session_of_which_it_saw_a_part_when_a_sixth_has_begun():
    session = np.repeat(np.arange(1.0, 9.0), 2)
    minute = np.tile([30.0, 60.0], 8)
    minute[-3] = minute[-1] = 90  # a half-hour that is new: all of the five sessions before count
    x = np.arange(16.0) ** 2
    whole, later = (read_expression(usual(X, Y, Z), open=x[at:], high=session[at:], low=minute[at:]) for at in (0, 3))
    assert later[-3] != whole[-3]  # session 7 still looks back on 2, in whose midst the later history began
    assert later[-1] == whole[-1]  # session 8 does not
    assert usual(X, Y, Z).settling_sessions == 6


def test_the_usual_knows_the_time_of_day():
    session, minute = np.repeat(np.arange(12.0), 4), np.tile([15.0, 30.0, 31.0, 60.0], 12)
    x = np.where(minute <= 30, 1.0, 5.0)
    assert read_expression(usual(X, Y, Z), open=x, high=session, low=minute)[4:].tolist() == np.tile([1.0, 1.0, 5.0, 5.0], 11).tolist()


def test_activity_is_the_average_of_ranges_over_what_is_usual(plan, reading, awkward_market):
    bars = columns_of(awkward_market, "5m")
    share = (bars["high"] - bars["low"]) / bars["close"]
    usually = read_expression(usual(X, Y, Z), open=share, high=bars["session"], low=bars["minute"])
    expected = average(share / np.maximum(usually, 1e-5), 12)
    found = column(plan, reading, "usual_range_ratio_12")
    np.testing.assert_allclose(found, expected[-len(found) :], rtol=1e-9, atol=1e-12)


def test_the_cuts_are_quantiles_of_the_training_rows():
    rows = [np.arange(0.0, 60.0)[:, None], np.arange(60.0, 101.0)[:, None]]
    params = quantile_cuts.learning(rows, (0.25, 0.75), np.random.SeedSequence(0))
    assert params == (25.0, 75.0)
    cut = outside(X, low=params[0], high=params[1])
    assert read_expression(cut, open=[24.9, 25, 75, 75.1, np.nan])[:4].tolist() == [-1, 0, 0, 1]
    assert np.isnan(read_expression(cut, open=[np.nan])).all()


def test_half_of_the_training_rows_are_of_normal_volatility(plan):
    reading = plan.read(LESSON)
    values, counts = np.unique(column(plan, reading, "volatility_regime_12"), return_counts=True)
    assert values.tolist() == [-1, 0, 1]
    np.testing.assert_allclose(counts / counts.sum(), [0.25, 0.5, 0.25], atol=0.001)


def test_age_counts_the_bars_since_the_last_change():
    x = [np.nan, 0.5, 0.5, 1, 1, 1, 1, 1, 1, 0, 1]
    found = read_expression(since_change(X, cap=4), open=x) * 4
    assert found[1:].tolist() == [4, 4, 0, 1, 2, 3, 4, 4, 0, 0]  # what was before the first bar is not known
    assert np.isnan(found[0])


def test_age_forgets_its_beginning_after_as_many_bars_as_it_counts():
    node, x = since_change(X, cap=4), np.array([1.0, 0, 0, 0, 0, 0, 0])
    whole, later = read_expression(node, open=x), read_expression(node, open=x[2:])
    assert later[: node.settling_bars - 1].tolist() != whole[2 : 1 + node.settling_bars].tolist()
    assert later[node.settling_bars :].tolist() == whole[2 + node.settling_bars :].tolist()
    assert node.settling_bars == 4


@pytest.mark.parametrize(
    ("whole", "before", "fast", "adx", "regime", "direction"),
    [
        (0.3, 0.3, 0.3, 0.25, 1, 1),
        (-0.3, -0.3, -0.3, 0.25, 1, -1),
        (0.3, 0.3, 0.3, 0.15, 0, 0),  # goes somewhere, but ADX sees no trend
        (0.2, 0.2, 0.9, 0.25, 0, 0),
        (0.1, 0.4, -0.6, 0.25, -1, -1),  # a rise that turns down
        (0.3, -0.3, 0.9, 0.25, -1, 1),  # a fall that turns up
        (0.3, 0.4, -0.4, 0.25, 1, 1),  # the last bars go back, but not straight
        (0.0, 0.0, 0.0, 0.0, 0, 0),
    ],
)
def test_the_rule_of_the_trend(whole, before, fast, adx, regime, direction):
    rule = trend_rule(X, Y, Z, Column("close"), trend=0.25, turn=0.5, strong=0.2)
    row = {"open": [whole], "high": [before], "low": [fast], "close": [adx]}
    assert read_expression(rule.regime, **row) == [regime]
    assert read_expression(rule.direction, **row) == [direction]


def test_a_steady_rise_trends_up_and_its_fall_is_first_a_reversal():
    rise, fall = 100 + np.arange(60.0), 159 - np.arange(1, 41.0)
    close = np.concatenate([np.full(40, 100.0), rise, fall])
    regime, direction = (read(name, close=close, high=close + 0.1, low=close - 0.1) for name in ("trend_regime_32", "trend_direction_32"))
    assert regime[99] == direction[99] == 1
    turn = int(np.flatnonzero(direction == -1)[0])
    assert regime[turn] == -1  # three quarters of the last eight bars fell
    assert turn == 99 + 6
    assert regime[-1] == 1
    assert direction[-1] == -1
    assert regime[39] == direction[39] == 0


def test_the_score_is_the_trend_worth_less_the_wilder_the_market(plan, reading):
    k = {name: plan.names.index(name) for name in plan.names}
    m = reading.matrix[max(reading.first_settled) :]
    wildness = (m[:, k["hmm_regime_level_3"]] + (m[:, k["volatility_regime_12"]] + 1) / 2) / 2
    assert m[:, k["regime_score_3_32"]] == pytest.approx(m[:, k["trend_direction_32"]] * (1 - wildness), abs=1e-15)
    assert len(np.unique(np.sign(m[:, k["regime_score_3_32"]]))) == 3


def test_the_states_are_ordered_by_what_a_bar_does_next(plan, awkward_market, reading):
    """The wilder the state, the larger the next return: what the label means."""
    close = ladder(awkward_market, SESSIONS, ["5m"], adjusted=True)["5m"].bars[:, 3]
    following = np.abs(np.log(close[1:] / close[:-1]))
    for states in (2, 3, 4):
        state = column(plan, reading, f"hmm_regime_state_{states}")[:-1]
        size = [following[-len(state) :][state == value].mean() for value in np.unique(state)]
        assert len(size) == states
        assert (np.diff(size) > 0).all()


def test_two_halves_of_a_market_give_the_label_the_same_meaning():
    minutes = ordinary_minutes(56, seed=33)
    middle = int(minutes.time[len(minutes) // 2])
    first, last = span(minutes)
    labels = []
    for part, seed in (((first, middle), 1), ((middle, last), 2)):
        found = learn(FEATURES, minutes, base="5m", sessions=SESSIONS, slices=[part], seed=seed)
        e = with_learned(FEATURES["hmm_regime_state_3"], found, "5m")
        reading = Plan({"state": e}, base="5m", sessions=SESSIONS).read(minutes)
        labels.append(reading.matrix[reading.settled, 0])
    rows = min(map(len, labels))
    one, two = (label[-rows:] for label in labels)
    assert (one == two).mean() > 0.75
    assert (np.abs(one - two) == 1).mean() < 0.01  # calm is never wild


# What is learned


PURGE, EMBARGO = 60, 288


@pytest.fixture(scope="module")
def fold():
    """Minutes, and the training stretches of the middle one of three purged folds."""
    minutes = ordinary_minutes(60, seed=35)
    rung = ladder(minutes, SESSIONS, ["5m"])["5m"]
    n = len(rung.end)
    test = np.arange(n * 2 // 5, n * 3 // 5)
    train = purged(
        np.setdiff1d(np.arange(n), test),
        rung.end,
        np.append(rung.end[PURGE:], np.full(PURGE, rung.end[-1])),
        int(rung.end[test[0]]),
        int(rung.end[test[-1]]),
    )
    train = train[(train < test[0] - PURGE) | (train > test[-1] + EMBARGO)]
    return minutes, stretches(rung.start, rung.end, train), (int(rung.start[test[0]]), int(rung.end[test[-1]]))


def another_market(minutes: Minutes, outside: np.ndarray) -> Minutes:
    """Every price and volume of these minutes changed."""
    bars, random = minutes.bars.copy(), np.random.default_rng(9)
    bars[outside, :4] *= np.exp(random.normal(scale=0.01, size=(outside.sum(), 1)))
    bars[outside, 1] *= 1.003
    bars[outside, 4] += 17.0
    return dataclasses.replace(minutes, bars=bars)


def inside(minutes: Minutes, slices: list[tuple[int, int]]) -> np.ndarray:
    return np.any([(minutes.time >= first) & (minutes.time < past) for first, past in slices], axis=0)


def test_what_a_fold_learns_never_saw_its_test_rows_nor_those_purged(fold):
    minutes, slices, test = fold
    assert len(slices) == 2
    assert slices[0][1] < test[0] < test[1] < slices[1][0]
    params = lessons(minutes, slices)
    changed = another_market(minutes, ~inside(minutes, slices))
    assert 0.2 < (~inside(minutes, slices)).mean() < 0.3
    assert lessons(changed, slices) == params  # every bit of every number


def test_a_regime_learned_on_the_test_rows_too_would_have_been_seen(fold):
    """The planted leak: stretches that run over the test rows; each node then depends on what stands there."""
    minutes, slices, _ = fold
    leaking = [(slices[0][0], slices[1][1])]
    params, changed = lessons(minutes, leaking), lessons(another_market(minutes, ~inside(minutes, slices)), leaking)
    assert all(changed[key] != params[key] for key in params)


def test_another_seed_gives_the_same_regimes_and_the_same_seed_the_same_bits(learned, awkward_market, reading, plan):
    again = learn(FEATURES, LESSON, base="5m", sessions=SESSIONS, slices=[span(LESSON)], seed=1)
    assert again == learned
    other = learn(FEATURES, LESSON, base="5m", sessions=SESSIONS, slices=[span(LESSON)], seed=2)
    e = with_learned(FEATURES["hmm_regime_state_3"], other, "5m")
    found = Plan({"state": e}, base="5m", sessions=SESSIONS).read(awkward_market).matrix[:, 0]
    expected = column(plan, reading, "hmm_regime_state_3")
    assert (found[-len(expected) :] == expected).mean() > 0.9


def test_what_is_learned_decides_how_long_it_settles(learned):
    for each in learned.values():
        if each.what.startswith("hmm("):
            assert 30 < each.params[1] < 600


def test_every_learning_feature_is_refused_before_it_has_learned():
    for name in LEARNING:
        with pytest.raises(UsageError) as caught:
            Plan({name: FEATURES[name]}, base="5m", sessions=SESSIONS).read(LESSON[:3000])
        assert caught.value.code == "features/not-learned"


def test_the_usual_range_is_never_nothing():
    still = np.full(3000, 100.0)
    session, minute = np.repeat(np.arange(12.0), 250), np.tile(np.arange(250) * 5.0 + 5, 12)
    assert (read_expression(usual_range(), close=still, session=session, minute=minute)[250:] == 1e-5).all()
    assert (read("usual_range_ratio_12", close=still, session=session, minute=minute)[300:] == 0).all()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("symbol", "calendar"), [("MES", "equity_index"), ("MGC", "metals")])
def test_on_real_bars_after_training_it_is_settled_after_the_bars_it_declares(symbol, calendar, real_data):
    sessions = load_sessions(calendar)
    minutes, _ = clean(pl.read_parquet(real_data / f"{symbol}_1m.parquet"), sessions)
    cut = len(minutes) * 7 // 10
    found = learn(FEATURES, minutes, base="5m", sessions=sessions, slices=[span(minutes[:cut])], seed=1)
    plan = Plan({name: with_learned(e, found, "5m") for name, e in FEATURES.items()}, base="5m", sessions=sessions)
    whole = plan.read(minutes)
    for origin in np.random.default_rng(3).integers(cut, len(minutes) - 20_000, 8):
        later = plan.read(minutes[int(origin) :])
        different = unlike(later.matrix, whole.matrix[-len(later.matrix) :])
        assert later.settled.sum() > 1500
        assert not [name for k, name in enumerate(plan.names) if different[later.first_settled[k] :, k].any()]
