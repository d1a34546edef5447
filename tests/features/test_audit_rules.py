"""What the audit calls a difference, other dates and another market."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from audited import small_history

from barsmith.bars.minutes import moment, problem_of
from barsmith.features.audit.differences import Scale, differing
from barsmith.features.audit.findings import KINDS, Findings, Leak, in_order
from barsmith.features.audit.moments import starts
from barsmith.features.audit.other_histories import another_market_after, same_calendar
from barsmith.testing.markets import SESSIONS, ordinary_minutes

HERE = ZoneInfo("America/Chicago")


def judged(found: float, expected: float, column: list[float], *, same_origin: bool = False) -> str:
    difference = differing(np.array([found]), np.array([expected]), Scale.of(np.array(column)), same_origin=same_origin)
    return "leak" if difference else "rounding" if difference.rounds.any() else "equal"


@pytest.mark.parametrize(
    ("found", "expected", "says"),
    [
        (2.0, 2.0, "equal"),
        (2.0 + 1.9e-9, 2.0, "rounding"),  # the median size of the column is 2
        (2.0 + 2.1e-9, 2.0, "leak"),
        (1.9e-9, 0.0, "rounding"),
        (100.0 + 9e-8, 100.0, "rounding"),
        (100.0 + 2e-7, 100.0, "leak"),
        (float("nan"), float("nan"), "equal"),
        (float("nan"), 2.0, "leak"),
        (2.0, float("nan"), "leak"),
        (float("inf"), float("inf"), "equal"),
        (float("inf"), 2.0, "leak"),
    ],
)
def test_within_a_billionth_of_the_value_or_the_median_size_is_rounding(found, expected, says):
    assert judged(found, expected, [1.0, -2.0, 3.0]) == says


def test_from_the_same_origin_a_signal_cannot_hide_on_a_large_constant():
    column = [1e9 - 0.4, 1e9 + 0.4, 1e9 + 0.4, 1e9 - 0.4]
    assert judged(1e9 + 0.4, 1e9 - 0.4, column) == "rounding"
    assert judged(1e9 + 0.4, 1e9 - 0.4, column, same_origin=True) == "leak"
    assert judged(1e9 + 2e-7, 1e9, column, same_origin=True) == "rounding"  # two last digits
    assert judged(0.002, 0.001, [1e9, -2e9, 3e9], same_origin=True) == "leak"  # nor among large values
    assert judged(0.0, 0.001, [1e9, -2e9, 3e9], same_origin=True) == "leak"


def test_of_several_leaks_of_a_kind_the_earliest_is_told_with_the_words_that_are_known():
    findings = Findings()
    for bar, told in (("2025-10-03", ""), (None, "why"), ("2025-10-02", "")):
        findings.add(Leak("one", "future", bar, 1.0, told))
    findings.add(Leak("one", "crash"))
    assert in_order(findings.leaks.values()) == (Leak("one", "future", "2025-10-02", 1.0, "why"), Leak("one", "crash"))
    assert all(text[0].islower() for text in KINDS.values())


@pytest.mark.parametrize(
    ("first", "last"),
    [("2025-06-12", "2026-06-09"), ("2019-01-02", "2019-12-30"), ("2015-05-01", "2026-03-01"), ("2024-02-01", "2024-04-01")],
)
def test_other_dates_have_the_same_weekday_month_day_and_hour_at_the_exchange(first, last):
    a, b = (int(np.datetime64(day, "m").astype(int)) for day in (first, last))
    shift = same_calendar(a, b)
    assert shift.days % 7 == 0
    assert shift.days != 0
    for time in np.linspace(a, b, 300).astype(int).tolist():
        here, there = (datetime.fromtimestamp(t * 60, UTC).astimezone(HERE) for t in (time, time + shift.days * 1440))
        assert (here.month, here.day, here.hour, here.minute, here.weekday()) == (
            there.month,
            there.day,
            there.hour,
            there.minute,
            there.weekday(),
        )


def test_the_sessions_move_with_their_bars_and_get_other_numbers():
    history = small_history(3)
    shift = same_calendar(int(history.minutes.time[0]), int(history.minutes.time[-1]))
    table = shift.sessions(SESSIONS)
    here, there = SESSIONS.numbers(history.minutes.time), table.numbers(history.minutes.time + shift.days * 1440)
    assert np.array_equal(here + shift.numbers, there)
    assert table.span(int(there[0])) == tuple(n + shift.days * m for n, m in zip(SESSIONS.span(int(here[0])), (1440, 1440, 1), strict=True))
    assert moment(table.span(int(there[0]))[0]).year != 2025


def test_another_market_begins_at_its_row_and_is_one_that_could_be():
    minutes = ordinary_minutes(2, 5)
    other = another_market_after(minutes, 1000)
    assert problem_of(other) is None
    assert np.array_equal(other.bars[:1000], minutes.bars[:1000])
    assert (other.bars[1000:] != minutes.bars[1000:]).all(axis=1).mean() > 0.99


def test_eight_later_starts_are_eight_and_lie_in_the_first_half():
    for sessions in (6, 30):
        minutes = ordinary_minutes(sessions, 5)
        rows = starts(minutes, SESSIONS)
        assert len(rows) == 8
        assert max(rows) < 0.55 * len(minutes)
