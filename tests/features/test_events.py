"""Hours to and since scheduled events: facts by hand, live as in batch, and nothing that forgets or foresees more than a day."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.bars.minutes import Minutes
from barsmith.errors import UsageError
from barsmith.features import end_
from barsmith.features.events import Events, HoursSinceEvent, HoursToEvent, event_features, with_events
from barsmith.features.formula import formula
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
from barsmith.testing.features import CHECKS, Trial
from barsmith.testing.markets import SESSIONS, ordinary_minutes

MINUTES = ordinary_minutes(30, seed=3)  # over the end of daylight saving time in Chicago, on 2 November 2025
FIRST = int(MINUTES.time[0])
NOON = FIRST + 840  # 12:00 in Chicago, of the first session


def read(events: Events, minutes: Minutes = MINUTES, base: str = "5m") -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The ends of the base bars, and each feature's column."""
    plan = Plan({name: one.expr for name, one in event_features(events).items()}, base=base, sessions=SESSIONS)
    reading = plan.read(minutes)
    return reading.base.end, {name: reading.matrix[:, i] for i, name in enumerate(plan.names)}


def at(events: Events, minute: int) -> dict[str, float]:
    """Each feature at the base bar that is decided at `minute`."""
    ends, columns = read(events)
    (row,) = np.flatnonzero(ends == minute)
    return {name: float(column[row]) for name, column in columns.items()}


def test_an_event_ninety_minutes_ahead_is_one_and_a_half_hours_away():
    assert at(Events({"cpi": [NOON + 90]}), NOON)["event_cpi_hours_to"] == 1.5


def test_an_event_of_an_hour_and_a_quarter_ago_is_that_long_past():
    assert at(Events({"cpi": [NOON - 75]}), NOON)["event_cpi_hours_since"] == 1.25


def test_an_event_at_the_moment_of_decision_has_happened():
    found = at(Events({"cpi": [NOON, NOON + 300]}), NOON)
    assert (found["event_cpi_hours_since"], found["event_cpi_hours_to"]) == (0.0, 5.0)


def test_an_event_within_the_minutes_of_a_bar_is_an_event_of_its_end():
    assert at(Events({"cpi": [NOON + 1]}), NOON)["event_cpi_hours_to"] == pytest.approx(1 / 60)
    assert at(Events({"cpi": [NOON + 1]}), NOON + 5)["event_cpi_hours_since"] == pytest.approx(4 / 60)


@pytest.mark.parametrize("away", [1440, 1441, 100_000])
def test_a_day_away_and_more_is_all_the_same(away):
    found = at(Events({"before": [NOON - away], "after": [NOON + away]}), NOON)
    assert {found["event_before_hours_since"], found["event_after_hours_to"]} == {24.0}
    assert {found["event_before_hours_to"], found["event_after_hours_since"]} == {24.0}  # of which there is none


def test_all_events_together_are_the_nearest_of_any_kind():
    found = at(Events({"cpi": [NOON - 30, NOON + 600], "fomc": [NOON - 300, NOON + 60]}), NOON)
    assert (found["event_hours_to_next"], found["event_hours_since_last"]) == (1.0, 0.5)
    assert (found["event_cpi_hours_to"], found["event_cpi_hours_since"]) == (10.0, 0.5)
    assert (found["event_fomc_hours_to"], found["event_fomc_hours_since"]) == (1.0, 5.0)


def utc(text: str) -> int:
    return int(np.datetime64(text, "m").astype(np.int64))


def test_clocks_that_change_change_nothing():
    """2 November 2025: at 06:00 UTC the clocks in New York went back. From 01:00 there to the session's first bar at 18:05 are 18 hours."""
    found = at(Events({"vote": [utc("2025-11-02T05:00")], "open": [utc("2025-11-03T14:30")]}), utc("2025-11-02T23:05"))
    assert found["event_vote_hours_since"] == (18 * 60 + 5) / 60
    assert found["event_open_hours_to"] == (15 * 60 + 25) / 60


def slow_and_obvious(times: list[int], end: int) -> tuple[float, float]:
    ahead, behind = ([abs(time - end) for time in times if (time > end) is later] for later in (True, False))
    return min([*ahead, 1440]) / 60, min([*behind, 1440]) / 60


@pytest.fixture(scope="module")
def calendar() -> Events:
    """Two events a session at random minutes, some before and after the bars, some outside the sessions, some at once."""
    random = np.random.default_rng(8)
    times = {kind: random.integers(FIRST - 3000, int(MINUTES.time[-1]) + 3000, 40).tolist() for kind in ("cpi", "fomc")}
    times["cpi"].append(times["fomc"][0])
    times["cpi"].append(int(MINUTES.time[777]) + 1)
    return Events({kind: sorted(set(each)) for kind, each in times.items()})


@pytest.mark.parametrize("base", ["1m", "5m", "1h", "1d"])
def test_every_value_is_the_one_counted_the_slow_way(calendar, base):
    ends, columns = read(calendar, base=base)
    assert len(columns) == 6
    for kind, times in {**calendar.times, "": calendar.all}.items():
        to, since = (f"event_{kind}_hours_to", f"event_{kind}_hours_since") if kind else ("event_hours_to_next", "event_hours_since_last")
        expected = np.array([slow_and_obvious(times, end) for end in ends.tolist()])
        assert columns[to].tolist() == expected[:, 0].tolist()
        assert columns[since].tolist() == expected[:, 1].tolist()


def test_minute_by_minute_they_are_the_batch_values_bit_for_bit(calendar):
    plan = Plan({name: one.expr for name, one in event_features(calendar).items()}, base="5m", sessions=SESSIONS)
    live = Live(plan, MINUTES[:2000])
    bars = zip(MINUTES.time[2000:].tolist(), MINUTES.adjusted()[2000:].tolist(), strict=True)
    found = np.array([bar.features for time, minute in bars for bar in live.update(time, minute)])
    reading = plan.read(MINUTES)
    assert found.tobytes() == np.ascontiguousarray(reading.matrix[-len(found) :]).tobytes()
    assert len(found) > 7000


def test_they_need_no_warm_up_and_know_no_origin(calendar):
    assert {one.warmup("5m") for one in event_features(calendar).values()} == {(1, "5m")}
    whole, late = read(calendar)[1], read(calendar, MINUTES[13_800:])[1]
    assert all(whole[name][-len(column) :].tobytes() == column.tobytes() for name, column in late.items())


def test_an_event_more_or_less_is_another_definition_and_another_kind_of_event_is_the_same(calendar):
    def fingerprint(events: Events, name: str = "event_cpi_hours_to") -> str:
        return Plan({name: event_features(events)[name].expr}, base="5m", sessions=SESSIONS).fingerprints()[name]

    cpi = calendar.times["cpi"]
    assert fingerprint(Events({"cpi": cpi})) == fingerprint(calendar)
    assert fingerprint(Events({"cpi": cpi[:-1]})) != fingerprint(calendar)
    assert fingerprint(Events({"cpi": [*cpi[:-1], cpi[-1] + 1]})) != fingerprint(calendar)
    assert fingerprint(calendar, "event_cpi_hours_since") != fingerprint(calendar)
    assert HoursToEvent((1, 2), "cpi") == HoursToEvent((1, 2), "any")
    assert HoursToEvent((1, 2), "cpi") != HoursSinceEvent((1, 2), "cpi")


def test_entries_say_what_they_are():
    found = event_features(Events({"cpi": [5], "fomc": [3]}))
    assert list(found) == [
        *("event_hours_to_next", "event_hours_since_last"),
        *("event_cpi_hours_to", "event_cpi_hours_since", "event_fomc_hours_to", "event_fomc_hours_since"),
    ]
    one = found["event_cpi_hours_to"]
    assert (one.group, one.unit, one.timeframes) == ("events", "hours", frozenset())
    assert "24 hours" in one.summary
    assert formula(one.expr) == 'hours_to_event(end_, "cpi")'
    assert formula(found["event_hours_since_last"].expr) == 'hours_since_event(end_, "any")'
    assert one.expr.inputs == (end_,)
    assert event_features(Events({})) == {}


def test_a_users_function_of_an_events_name_is_refused(tmp_path):
    (tmp_path / "own.py").write_text(
        "from barsmith.features import close, feature\n\n@feature\ndef event_cpi_hours_to():\n    return close / close\n"
    )
    known = catalogue([tmp_path / "own.py"])
    with pytest.raises(UsageError, match="event_cpi_hours_to twice") as error:
        with_events(known, Events({"cpi": [0]}))
    assert error.value.code == "features/duplicate-name"
    assert "event_fomc_hours_to" in with_events(known, Events({"fomc": [0]}))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_they_keep_the_promises_of_every_feature(calendar, check):
    check(Trial({name: one.expr for name, one in event_features(calendar).items()}))
