"""Every registered feature conforms, and every check finds the fault it is there for."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from barsmith.errors import UsageError
from barsmith.features import close, lag
from barsmith.features.definitions import load_module
from barsmith.features.registry import catalogue
from barsmith.testing import features as checks
from barsmith.testing.feature_trial import Told, Trial, lived, same_bits
from barsmith.testing.features import CHECKS, apart, check_feature, check_features

FAULTY = Path(__file__).with_name("faulty_features.py")
NUMBER = 23
CATALOGUE = catalogue()
BY_NAME = {check.__name__: check for check in CHECKS}
#: Checks of bits, which hold on whichever bars decisions are made.
ON_ANY_BASE = ("bars_up_to_a_moment_give_its_row", "live_gives_the_bits_of_the_batch", "a_restored_session_goes_on_with_the_same_bits")


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial({name: each.expr for name, each in CATALOGUE.items()})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_feature_conforms(check, trial):
    check(trial)
    assert trial.on("awkward").matrix.shape == (len(trial.on("awkward").end), len(CATALOGUE))


@pytest.fixture(scope="module")
def hourly() -> Trial:
    return Trial({name: each.expr for name, each in CATALOGUE.items()}, base="1h")


@pytest.mark.parametrize("check", ON_ANY_BASE)
def test_every_feature_keeps_its_bits_on_bars_of_an_hour(check, hourly):
    BY_NAME[check](hourly)


@pytest.fixture(scope="module")
def faults() -> ModuleType:
    """faulty_features.py, loaded as a user's file."""
    load_module(FAULTY)
    return next(module for name, module in sys.modules.items() if name.startswith("barsmith_user_faulty_features"))


def accused(check, trial: Trial) -> dict[str, str]:
    """What a check says of each feature."""
    with pytest.raises(AssertionError) as raised:
        check(trial)
    return dict(line.split(": ", 1) for line in str(raised.value).splitlines())


@pytest.fixture(scope="module")
def told(faults) -> dict[str, dict[str, str]]:
    """What each check says of the features that are read together."""
    whole = Trial.of(FAULTY)
    together = Trial({name: e for name, e in whole.features.items() if name not in faults.RAISING})
    return {name: accused(check, together) for name, check in BY_NAME.items()}


def test_every_check_has_a_planted_fault(faults):
    assert {check for check, _ in faults.FAULTS.values()} == set(BY_NAME)
    assert len(faults.FAULTS) == NUMBER


@pytest.mark.parametrize("number", range(NUMBER))
def test_the_check_finds_the_planted_fault(faults, told, number):
    name, (check, words) = list(faults.FAULTS.items())[number]
    if name in faults.RAISING:
        told = {check: accused(BY_NAME[check], Trial({name: Trial.of(FAULTY).features[name]}))}
    assert words in told[check].get(name, "nothing")


def test_no_honest_feature_is_accused_beside_the_faulty_ones(told):
    names = {name for found in told.values() for name in found}
    assert len(names) > 15
    assert not {name for name in names if name.startswith("honest")}


def test_a_feature_that_raises_is_told_by_name_and_the_others_are_still_checked():
    every = Trial.of(FAULTY).features
    some = {name: every[name] for name in ("honest_zscore_10", "divided_by_the_range", "place_in_its_bar", "honest_rsi_on_1h")}
    found = accused(BY_NAME["a_flat_market_is_finite_and_bounded"], Trial(some))
    assert set(found) == {"divided_by_the_range", "place_in_its_bar"}
    assert "ZeroDivisionError" in found["divided_by_the_range"]


@pytest.mark.parametrize("kept", [slice(0, -1), slice(1, None)])
def test_live_must_finish_every_bar_of_the_batch(kept, monkeypatch):
    """The planted fault is the platform's: no feature could lose a bar."""
    monkeypatch.setattr(checks, "lived", lambda live, minutes: part(lived(live, minutes), kept))
    found = accused(BY_NAME["live_gives_the_bits_of_the_batch"], Trial({"change": CATALOGUE["log_return_1"].expr}))
    assert "other bars are finished" in found["change"]


def test_a_restored_session_must_finish_the_bars_of_the_batch(monkeypatch):
    monkeypatch.setattr(checks, "lived", lambda live, minutes: part(lived(live, minutes), np.arange(0, 100, 2)))
    found = accused(BY_NAME["a_restored_session_goes_on_with_the_same_bits"], Trial({"change": CATALOGUE["log_return_1"].expr}))
    assert "the bars end at other times than in batch" in found["change"]


def part(told: Told, rows) -> Told:
    return Told(told.end[rows], told.matrix[rows], told.settled[rows])


HONEST = """
from barsmith.features import close, feature, lag, ta

@feature(n=(5, 9))
def my_change(n):
    return close / lag(close, n) - 1
"""
DISHONEST = (
    HONEST
    + """
@feature
def my_distance():
    return close - ta.SMA(close, timeperiod=10)
"""
)


def test_a_users_file_is_checked_with_one_call(tmp_path):
    own = tmp_path / "my_features.py"
    own.write_text(HONEST)
    assert Trial.of(own).names == ("my_change_5", "my_change_9")
    check_features(own)
    own.write_text(DISHONEST)
    with pytest.raises(AssertionError) as raised:
        check_features(str(own))
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *("huge_prices_change_nothing", "  my_distance", "tiny_prices_change_nothing", "  my_distance"),
    ]
    assert "at huge prices of the same market, the bar that ends 2025-10-14 22:50 UTC has " in lines[1]


def test_one_feature_is_checked_with_one_call():
    check_feature(CATALOGUE["rsi_14"])
    with pytest.raises(AssertionError, match=r"expression: at tiny prices .* has .*, due is "):
        check_feature(close - lag(close, 1))


def test_nothing_to_check_is_refused(tmp_path):
    with pytest.raises(UsageError) as refused:
        check_features(tmp_path / "none.py")
    assert refused.value.code == "features/module"
    with pytest.raises(UsageError) as refused:
        Trial({})
    assert refused.value.code == "features/definition"


def test_equal_bits_are_equal_numbers_or_both_nan():
    a, b = np.array([0.1 + 0.2, np.nan, 0.0, np.nan, 1.0]), np.array([0.3, -np.nan, -0.0, 1.0, 1.0])
    assert same_bits(a, b).tolist() == [False, True, False, False, True]


def test_an_infinite_value_is_near_itself_alone():
    expected = np.array([[np.inf, -np.inf, np.inf, 5.0, np.nan, 1.0]]).T
    found = np.array([[5.0, np.inf, np.inf, np.inf, 1.0, 1.05]]).T
    assert apart(found, expected, 0.1)[:, 0].tolist() == [True, True, False, True, True, False]
