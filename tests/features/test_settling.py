"""A feature forgets where its history began, and says after how many bars: measured from later origins."""

from __future__ import annotations

import numpy as np
import pytest
import talib
from talib import abstract

from barsmith.bars.ladder import ladder
from barsmith.features import close, ta
from barsmith.features.indicators import LEVELS, MEMORY, Talib
from barsmith.features.plan import Plan
from barsmith.testing.features import apart
from barsmith.testing.markets import SESSIONS, awkward_minutes, kept, ordinary_minutes

CLOSE_ENOUGH = 1e-9
MARKETS = {
    "ordinary": lambda: ordinary_minutes(30, seed=21),
    "other": lambda: ordinary_minutes(30, seed=22),
    "awkward": awkward_minutes,
}
#: Later origins: the open of the sixth session, a minute after an open, random minutes in the midst of bars and sessions.
ORIGINS = (6900, 1381, 533, 2222, 4007, 7411)
#: Functions without a value for prices, and one whose running sums are rounded away: near 0 no digits are left.
WITHOUT_DIGITS = {"ACOS", "ASIN", "EXP", "SINH", "COSH", "FOSC"}


def unlike(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(m, f) bool: further apart than a settled feature may be."""
    return apart(found, expected, CLOSE_ENOUGH)


@pytest.fixture(scope="module", params=MARKETS)
def history(request, whole_plan):
    minutes = MARKETS[request.param]()
    return minutes, whole_plan.read(minutes)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_settled_feature_is_the_same_from_a_later_origin(origin, history, whole_plan):
    minutes, whole = history
    later = whole_plan.read(minutes[origin:])
    difference = unlike(later.matrix, whole.matrix[len(whole.matrix) - len(later.matrix) :])
    unsettled = {
        name: (int(np.flatnonzero(difference[:, k])[-1]) + 1, int(first))
        for k, (name, first) in enumerate(zip(whole_plan.names, later.first_settled, strict=True))
        if difference[first:, k].any()
    }
    assert not unsettled, f"feature: (bars needed, bars declared): {unsettled}"
    assert later.settled.sum() > 500


def test_a_warm_up_that_is_too_short_would_be_found(history):
    """The planted fault: an average of 50 bars that claims to need only these."""
    minutes, _ = history
    plan = Plan({"distance": ta.EMA(close, timeperiod=50) / close - 1}, base="5m", sessions=SESSIONS)
    whole, later = plan.read(minutes), plan.read(minutes[533:])
    difference = unlike(later.matrix, whole.matrix[len(whole.matrix) - len(later.matrix) :])
    assert difference[60:].any()
    assert not difference[later.first_settled[0] :].any()


def inputs_of(name: str) -> list[str]:
    found: list[str] = []
    for value in abstract.Function(name).input_names.values():
        found += value if isinstance(value, list | tuple) else [value]
    return [{"periods": "volume"}.get(each, each) for each in found]


@pytest.fixture(scope="module")
def columns() -> list[dict[str, np.ndarray]]:
    out = []
    for seed in (77, 78):
        bars = ladder(ordinary_minutes(30, seed), SESSIONS, ["5m"])["5m"].bars
        out.append({name: np.ascontiguousarray(bars[:, i]) for i, name in enumerate(("open", "high", "low", "close", "volume"))})
    return out


def bars_needed(name: str, columns: list[dict[str, np.ndarray]]) -> int:
    """Bars until a TA-Lib function with its default periods is the same from four later origins in two markets."""
    needed = 0
    for market in columns:
        whole = np.atleast_2d(getattr(talib, name)(*(market[i] for i in inputs_of(name)))).astype(float)
        for origin in (313, 1001, 2222, 3456):
            later = np.atleast_2d(getattr(talib, name)(*(market[i][origin:] for i in inputs_of(name)))).astype(float)
            different = np.flatnonzero(unlike(later.T, whole[:, origin:].T).any(axis=1))
            needed = max(needed, int(different[-1]) + 1 if len(different) else 0)
    return needed


@pytest.mark.parametrize("name", sorted(set(talib.get_functions()) - LEVELS - WITHOUT_DIGITS))
def test_a_function_of_talib_forgets_within_the_bars_that_memory_gives_it(name, columns):
    declared = Talib(name, (), ()).settling_bars
    assert bars_needed(name, columns) <= declared
    assert declared <= 8000 - 3456


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_a_level_knows_its_origin_for_far_longer_than_its_lookback(name, columns):
    assert bars_needed(name, columns) > abstract.Function(name).lookback + 100
    assert name not in MEMORY


def test_a_history_that_begins_inside_a_bar_waits_for_the_next_one(whole_plan):
    minutes = ordinary_minutes(3, seed=5)
    names = whole_plan.names
    inside, at_the_edge = whole_plan.read(minutes[7:]), whole_plan.read(minutes[5:])
    column = names.index("high_low_ratio")
    assert inside.first_settled[column] == 1
    assert at_the_edge.first_settled[column] == 0
    assert inside.first_settled[names.index("log_volume_on_1h")] == 12 * 11 - 1 - 1  # ten whole hours after the broken one


def test_a_session_feature_settles_within_a_days_bars_and_waits_for_a_whole_session(whole_plan):
    minutes = ordinary_minutes(4, seed=6)
    whole, later = whole_plan.read(minutes), whole_plan.read(minutes[700:])
    column = whole_plan.names.index("vwap_session_distance")
    assert later.first_settled[column] == 14 + 25 * 14  # the average range takes longer than a day's 288 bars
    position = whole_plan.names.index("session_opening_position_60")
    assert later.first_settled[position] == 288
    difference = unlike(later.matrix[:, [position]], whole.matrix[140:, [position]])
    assert difference[:130].any()
    assert not difference[288:].any()


def test_missing_minutes_at_the_start_are_a_bar_that_had_begun(whole_plan):
    minutes = ordinary_minutes(3, seed=5)
    late = kept(minutes, np.arange(len(minutes)) != 0)
    assert whole_plan.read(late).first_settled[whole_plan.names.index("high_low_ratio")] == 1
