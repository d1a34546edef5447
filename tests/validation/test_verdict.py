"""The verdict: which skill is shown, and which score nobody should believe."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from barsmith.config import AlarmLevels
from barsmith.metrics.bootstrap import difference_intervals, session_intervals
from barsmith.metrics.classification import scores
from barsmith.validation.baselines import time_of_day
from barsmith.validation.verdict import LEAK_CHECKS, alarms, verdict

HONEST = {"auc_macro": 0.619, "auc_timing": 0.71, "auc_direction": 0.51, "accuracy": 0.569}
INTERVALS = {"auc_macro": [0.590, 0.654], "auc_timing": [0.68, 0.74], "auc_direction": [0.48, 0.53], "accuracy": [0.55, 0.59]}
MAJORITY = {"majority": {"accuracy": 0.570}}
CLOCK = {"log_loss": [-0.01, 0.02]}


def test_the_honest_scores_of_the_real_bars_raise_no_alarm():
    """Source: honest_scores.md, all six slices."""
    slices = [
        (0.619, 0.569, 0.570),
        (0.573, 0.575, 0.578),
        (0.630, 0.425, 0.396),
        (0.590, 0.416, 0.402),
        (0.605, 0.403, 0.423),
        (0.620, 0.422, 0.400),
    ]
    for auc, accuracy, crowd in slices:
        of = {"auc_macro": auc, "auc_direction": 0.54, "accuracy": accuracy}
        assert alarms(of, {"majority": {"accuracy": crowd}}, AlarmLevels()) == []


def test_the_lying_scores_of_the_real_bars_raise_it():
    """Source: honest_scores.md: a centred feature .829 / .880, shuffled rows .696 / .815, against a majority of .578."""
    for accuracy, auc in ((0.829, 0.880), (0.696, 0.815)):
        raised = alarms({"auc_macro": auc, "auc_direction": 0.5, "accuracy": accuracy}, {"majority": {"accuracy": 0.578}}, AlarmLevels())
        assert [alarm.score for alarm in raised] == ["auc_macro", "accuracy"]
        assert all(alarm.checks == LEAK_CHECKS for alarm in raised)
        assert "barsmith validate" in raised[0].as_dict()["checks"]


@pytest.mark.parametrize(("score", "at_the_level"), [("auc_macro", 0.68), ("auc_direction", 0.56), ("accuracy", 0.62)])
def test_a_score_at_its_level_is_believed_and_one_above_it_is_not(score, at_the_level):
    assert alarms({**HONEST, score: at_the_level}, MAJORITY, AlarmLevels()) == []
    (alarm,) = alarms({**HONEST, score: at_the_level + 0.001}, MAJORITY, AlarmLevels())
    assert (alarm.score, alarm.limit) == (score, pytest.approx(at_the_level))
    assert "suspect a feature that reads later bars" in alarm.why


def test_levels_are_settings_and_a_score_that_is_not_defined_raises_nothing():
    assert [a.score for a in alarms(HONEST, MAJORITY, AlarmLevels(auc_macro=0.6))] == ["auc_macro"]
    assert alarms({**HONEST, "auc_macro": None, "auc_direction": None}, MAJORITY, AlarmLevels()) == []


def test_a_single_classs_recall_is_no_bound():
    """The true probabilities do not maximise the recall of one class: a model that always says short has all of it."""
    of, best = {"recall_short": 1.0, "accuracy": 0.58}, {"recall_short": 0.88, "accuracy": 0.60}
    assert alarms(of, MAJORITY, AlarmLevels(), known_best=best) == []


def test_on_a_simulated_market_the_known_best_score_is_the_level():
    best = {"auc_direction": 0.60, "log_loss": 0.95, "auc_macro": 0.75, "auc_timing": None}
    of = {"auc_direction": 0.61, "log_loss": 0.94, "auc_macro": 0.74, "auc_timing": 0.99, "accuracy": 0.99}
    doubtful = {"auc_direction": [0.59, 0.63], "log_loss": [0.92, 0.96]}
    assert alarms(of, MAJORITY, AlarmLevels(), intervals=doubtful, known_best=best) == []
    sure = {"auc_direction": [0.605, 0.63], "log_loss": [0.92, 0.949]}
    raised = alarms(of, MAJORITY, AlarmLevels(), intervals=sure, known_best=best)
    assert [alarm.score for alarm in raised] == ["log_loss", "auc_direction"]
    assert [alarm.score for alarm in alarms(of, MAJORITY, AlarmLevels(), known_best=best)] == ["log_loss", "auc_direction"]


def test_a_handful_of_sessions_shows_nothing() -> None:
    """Of two sessions an interval can be as narrow as [0.524, 0.529] around noise."""
    narrow = {"auc_timing": [0.524, 0.529], "auc_direction": [0.51, 0.52]}
    few, enough = (verdict(HONEST, narrow, {"log_loss": [-0.03, -0.01]}, trials=1, sessions=count) for count in (9, 10))
    assert (few.skill, few.beats_the_clock) == ("none", False)
    assert few.sentence.startswith("9 sessions of validation show nothing, 10 are the least: no skill shown in timing (AUC 0.710);")
    assert (enough.skill, enough.beats_the_clock) == ("timing and direction", True)


def test_a_score_that_a_baseline_reaches_by_luck_is_not_too_good():
    """On few rows a table of frequencies may be right more often than the truth is; so may a model that says no more than it."""
    best, of, sure = {"accuracy": 0.63}, {"accuracy": 0.685}, {"accuracy": [0.66, 0.70]}
    assert [a.limit for a in alarms(of, {"majority": {"accuracy": 0.60}}, AlarmLevels(), intervals=sure, known_best=best)] == [0.63]
    assert alarms(of, {"majority": {"accuracy": 0.685}}, AlarmLevels(), intervals=sure, known_best=best) == []


def test_timing_without_direction_is_said_plainly():
    of = verdict(HONEST, INTERVALS, CLOCK, trials=1, sessions=40)
    assert (of.skill, of.beats_the_clock) == ("timing", False)
    assert of.sentence == (
        "Skill in timing (AUC 0.710 [0.680, 0.740]); no skill shown in direction (AUC 0.510 [0.480, 0.530]); "
        "log loss is not shown to be below that of a time-of-day table (difference [-0.010, 0.020]). "
        "It is the only configuration scored here so far."
    )


def test_the_best_of_many_trials_is_not_reported_as_if_it_were_one():
    """Planted leak 24."""
    of = verdict(HONEST, INTERVALS, {"log_loss": [-0.03, -0.01]}, trials=37, sessions=40)
    assert of.beats_the_clock
    assert "37 configurations have been scored here: the best of them looks better than it is" in of.sentence


def test_neither_both_and_what_cannot_be_judged():
    both = {**INTERVALS, "auc_direction": [0.51, 0.58]}
    assert verdict(HONEST, both, CLOCK, trials=1, sessions=40).skill == "timing and direction"
    assert verdict(HONEST, {"auc_timing": [0.49, 0.6], "auc_direction": [0.4, 0.6]}, CLOCK, trials=1, sessions=40).skill == "none"
    of = verdict(
        {"auc_timing": 0.6, "auc_direction": None}, {"auc_timing": None, "auc_direction": None}, {"log_loss": None}, trials=1, sessions=40
    )
    assert of.skill == "none", "without an interval nothing is shown"
    assert "direction cannot be judged" in of.sentence


def test_an_alarm_comes_before_everything_else():
    sentence = verdict(HONEST, INTERVALS, CLOCK, trials=1, sessions=40, raised=2).sentence
    assert sentence.startswith("Not to be believed before the leak checks have run: 2 scores are too good to be true. ")


def test_a_feature_that_knows_the_future_raises_the_alarm_and_an_honest_one_does_not():
    """Planted leak: tomorrow's move, with noise, among the features of a market that nobody can predict."""
    rng = np.random.default_rng(5)
    n, cut = 6000, 4000
    y = rng.choice([-1, 0, 1], n, p=[0.5, 0.1, 0.4]).astype(np.int8)
    session, minute = np.arange(n) // 250, 5 * (np.arange(n) % 250)
    honest = rng.normal(size=(n, 3))
    leaky = np.column_stack([honest, y + rng.normal(size=n)])
    found = {}
    for name, X in (("honest", honest), ("leaky", leaky)):
        p = LogisticRegression().fit(X[:cut], y[:cut]).predict_proba(X[cut:])
        of, held_out = scores(y[cut:], p), session[cut:]
        raised = alarms(of, {"majority": scores(y[cut:], np.tile([1.0, 0, 0], (n - cut, 1)))}, AlarmLevels())
        clock = time_of_day(y[:cut], minute[:cut], minute[cut:])
        intervals = session_intervals(y[cut:], p, held_out, seed=1, draws=200)
        against = difference_intervals(y[cut:], p, clock, held_out, seed=1, draws=200)
        found[name] = ([alarm.score for alarm in raised], verdict(of, intervals, against, trials=1, sessions=40, raised=len(raised)).skill)
    assert found["honest"] == ([], "none")
    assert found["leaky"][0] == ["auc_macro", "auc_direction", "accuracy"]
    assert "direction" in found["leaky"][1]


def test_a_score_above_its_level_by_chance_raises_no_alarm():
    of = {"auc_macro": 0.60, "auc_direction": 0.59, "accuracy": 0.58}
    crowd = {"majority": {"accuracy": 0.57}}
    assert alarms(of, crowd, AlarmLevels(), intervals={"auc_direction": [0.52, 0.66]}) == []
    assert [a.score for a in alarms(of, crowd, AlarmLevels(), intervals={"auc_direction": [0.57, 0.61]})] == ["auc_direction"]


def test_accuracy_is_measured_against_the_best_baseline():
    of = {"auc_macro": 0.60, "auc_direction": 0.50, "accuracy": 0.411}
    majority, clock = {"accuracy": 0.337}, {"accuracy": 0.415}
    assert [a.score for a in alarms(of, {"majority": majority}, AlarmLevels())] == ["accuracy"]
    assert alarms(of, {"majority": majority, "time_of_day": clock}, AlarmLevels()) == []
