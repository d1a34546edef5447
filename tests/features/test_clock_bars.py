"""Features on bars that a clock closes: live as in batch, higher rungs as of the bar's end, settling counted in sessions."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.bars.base_bars import clock_name
from barsmith.bars.clocks import Clock, clock_rung
from barsmith.bars.minutes import Minutes
from barsmith.features import close, end_, kernel, lag, minute, on, session
from barsmith.features.learned import taught
from barsmith.features.live import Finished, Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue, settling
from barsmith.testing.features import same_bits
from barsmith.testing.markets import OCTOBER, SESSIONS, awkward_minutes, ordinary_minutes

TRAILING = clock_name(Clock("dollar", bars_per_session=60.0, sessions=5, usd_per_point=5.0))
FIXED = clock_name(Clock("volume", threshold=1500.0))


@kernel(size=lambda: 2, settling=lambda: 0, sessions=2)
def closes_of_two_sessions(state, params, number, x):
    """The last close of the session before the one before."""
    return x


def plan_of(base: str, **features) -> Plan:
    return Plan(features, base=base, sessions=SESSIONS)


def lived(live: Live, minutes: Minutes) -> list[Finished]:
    """What the minutes finish, each handed over with its own close."""
    columns = zip(minutes.time.tolist(), minutes.adjusted().tolist(), minutes.bars[:, 3].tolist(), strict=True)
    return [bar for each in columns for bar in live.update(*each)]


def test_a_clock_bar_sees_other_rungs_as_of_its_end():
    time = np.arange(SESSIONS.opens[OCTOBER], SESSIONS.opens[OCTOBER] + 200)
    price = np.arange(1.0, 201)
    minutes = Minutes.of(time, np.column_stack([price, price, price, price, np.where(np.arange(200) % 50 == 36, 10.0, 0.0)]))
    plan = plan_of(
        clock_name(Clock("volume", threshold=10.0)),
        own=close,
        minute=on("1m", close),
        five=on("5m", close),
        hour=on("1h", close),
        at=minute,
    )
    reading = plan.read(minutes)
    assert reading.matrix.tolist()[:2] == [[37.0, 37.0, 35.0, *[pytest.approx(np.nan, nan_ok=True)], 37.0], [87.0, 87.0, 85.0, 60.0, 87.0]]
    assert [bar.features for bar in lived(Live(plan, minutes[:1]), minutes[1:])][1:] == reading.matrix.tolist()[1:]


@pytest.fixture(scope="module", params=[TRAILING, FIXED], ids=["trailing dollars", "fixed volume"])
def whole(request):
    """The whole catalogue on bars of a clock, read over the awkward market."""
    features = {name: feature.expr for name, feature in catalogue().items()}
    lesson = ordinary_minutes(30, seed=1)
    time = [(int(lesson.time[0]), int(lesson.time[-1]) + 1)]
    known = taught(features, lesson, base=request.param, sessions=SESSIONS, slices=time, seed=1)
    plan = Plan(known, base=request.param, sessions=SESSIONS)
    minutes = awkward_minutes()
    return plan, minutes, plan.read(minutes)


def differing(plan: Plan, reading, found: list[Finished]) -> set[str]:
    first = int(np.searchsorted(reading.base.end, found[0].end))
    expected = reading.matrix[first : first + len(found)]
    assert [bar.end for bar in found] == reading.base.end[first : first + len(found)].tolist()
    assert [bar.settled for bar in found] == reading.settled[first : first + len(found)].tolist()
    same = same_bits(np.array([bar.features for bar in found]), np.ascontiguousarray(expected))
    return {plan.names[k] for k in np.flatnonzero(~same.all(axis=0))}


def test_the_whole_catalogue_live_gives_the_bits_of_batch_wherever_it_is_restored(whole):
    plan, minutes, reading = whole
    random = np.random.default_rng(5)
    middle = int(np.searchsorted(minutes.time, SESSIONS.opens[OCTOBER + 29]))  # the roll
    for at in (middle - 700, middle, *random.integers(1, len(minutes) - 1500, 4).tolist()):
        found = lived(Live(plan, minutes[:at]), minutes[at : at + 1500])
        assert not differing(plan, reading, found), f"restored at minute {at}"


@pytest.mark.slow
def test_the_whole_catalogue_lived_from_the_first_minute(whole):
    plan, minutes, reading = whole
    assert not differing(plan, reading, lived(Live(plan, minutes[:0]), minutes))


def test_adjusted_closes_are_no_dollars():
    """The planted fault: after the roll a clock that is told adjusted closes ends its bars elsewhere."""
    minutes = awkward_minutes()
    plan = plan_of(TRAILING, x=close)
    at = int(np.searchsorted(minutes.time, SESSIONS.opens[OCTOBER + 29]))
    told = [bar.end for bar in lived(Live(plan, minutes[:at]), minutes[at:])]
    live, wrong = Live(plan, minutes[:at]), []
    for time, bar in zip(minutes.time[at:].tolist(), minutes.adjusted()[at:].tolist(), strict=True):
        wrong += [each.end for each in live.update(time, bar)]
    ends = plan.read(minutes).base.end
    assert told == ends[np.searchsorted(ends, told[0]) :].tolist()
    assert wrong != told


FEATURES = {
    "a": lag(close, 3),
    "b": on("1h", lag(close, 1)),
    "c": lag(on("1h", close), 2),
    "d": closes_of_two_sessions(session, close),
    "e": lag(close, 100),
}


@pytest.mark.parametrize("base", [TRAILING, FIXED], ids=["trailing dollars", "fixed volume"])
@pytest.mark.parametrize("late", [0, 5])
@pytest.mark.parametrize("name", [*FEATURES, "all"])
def test_live_settles_at_the_bar_where_batch_does(base, late, name):
    minutes = ordinary_minutes(11, seed=8)[late:]
    plan = plan_of(base, **(FEATURES if name == "all" else {name: FEATURES[name]}))
    reading = plan.read(minutes)
    assert reading.settled.any()
    assert not reading.settled[: int(reading.settled.argmax())].any()
    for known in (0, 1, 700, 1380, 1381, 4000, 7500, 9700):
        found = lived(Live(plan, minutes[:known]), minutes[known : known + 6000])
        first = int(np.searchsorted(reading.base.end, found[0].end)) if found else 0
        assert [bar.settled for bar in found] == reading.settled[first : first + len(found)].tolist(), known


def test_bars_settle_with_the_session_whose_threshold_has_forgotten_the_origin():
    minutes = ordinary_minutes(9, seed=8)
    for late, whole_sessions in ((0, 5), (3, 6)):
        part = minutes[late:]
        reading = plan_of(TRAILING, x=close, y=closes_of_two_sessions(session, close), z=on("1m", close)).read(part)
        numbers = reading.base.session[np.minimum(reading.first_settled, len(reading.base) - 1)]
        assert (numbers - OCTOBER).tolist() == [whole_sessions, whole_sessions + 2, whole_sessions]
        assert reading.base.session[reading.first_settled[0] - 1] < numbers[0]  # its first bar


def test_settled_features_are_the_same_from_a_later_origin(whole):
    """Of those without rounding that differs by origin: bars themselves and what looks back a few of them."""
    plan, minutes, _ = whole
    small = plan_of(plan.base, x=close, y=lag(close, 7), z=on("1h", close), w=end_)
    reading = small.read(minutes)
    for origin in (1, 533, 2222, 7411):
        later = small.read(minutes[origin:])
        rows = len(later.matrix) - int(later.first_settled.max())
        assert rows > 300
        assert same_bits(later.matrix[-rows:].copy(), reading.matrix[-rows:].copy()).all()


def test_a_clock_bar_lasts_between_a_minute_and_a_session_where_time_must_be_told_in_bars():
    assert settling(lag(close, 3), TRAILING) == {TRAILING: 4}
    assert settling(closes_of_two_sessions(session, close), TRAILING) == {TRAILING: 2 * 1440 + 1}
    assert settling(lag(on("1h", close), 2), TRAILING) == {"1h": 1 + 2 * 24}


def test_the_base_of_a_clock_is_not_its_timeframes_rung():
    minutes = ordinary_minutes(7, seed=8)
    reading = plan_of(FIXED, own=close, five=on("5m", close)).read(minutes)
    assert len(reading.base) == len(clock_rung(minutes, SESSIONS, Clock("volume", threshold=1500.0)))
    assert (reading.matrix[:, 0] != reading.matrix[:, 1]).any()
