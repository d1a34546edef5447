"""Trades closed with their session: which window, which end, by hand and against a plain walk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rungs import hourly_sessions, minutes_of, session_minutes
from test_barriers import FLAT, walk

from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.labels.barriers import triple_barrier
from barsmith.labels.outcomes import Labels, default_barriers, window

SESSIONS = hourly_sessions(3, first=0, length=6, rest=4)  # [0, 6), [10, 16), [20, 26)


def label(minutes: Minutes, max_bars: int, sessions: Sessions = SESSIONS) -> Labels:
    base = ladder(minutes, sessions, ["1m"], adjusted=False)["1m"]
    closes = sessions.closes[base.session]
    return triple_barrier(minutes, base, np.ones(len(base)), barriers=default_barriers(2.0, 1.0, (max_bars,)), closes=closes)[max_bars]


def test_a_trade_that_nothing_touches_ends_with_the_session():
    minutes = minutes_of([3, 4, 5, 10, 11, 12], [FLAT, FLAT, [100, 100, 100, 99.5], [90, 90, 90, 90], FLAT, FLAT])
    of = label(minutes, 3)
    assert (of.label[0], of.label_end[0]) == (0, 6), "bar 3 enters at 4 and leaves at 6, before the fall at 10"
    assert of.log_return[0] == np.log(99.5 / 100)


def test_a_decision_at_the_last_bar_enters_in_the_next_session_and_may_use_it_whole():
    minutes = minutes_of([4, 5, 10, 11, 12, 13, 14, 15], [FLAT] * 4 + [[100, 102, 100, 102]] + [FLAT] * 3)
    of = label(minutes, 4)
    assert (of.label[1], of.label_end[1]) == (1, 13), "entered at 10, touched by the minute of 12"


def test_a_session_that_trades_no_more_is_over_at_its_close_and_not_at_its_last_bar():
    of = label(minutes_of([2, 3, 10, 11], [FLAT] * 4), 2)
    assert of.label_end[0] == 6, "until then another bar could have followed"
    assert of.has_label.tolist() == [True, True, False, False], "10 has one bar before it, and nobody knows whether more will follow"


def test_the_last_session_of_the_data_counts_where_its_close_has_come():
    closed = minutes_of([10, 11, 12, 13, 14, 15], [FLAT] * 6)
    assert label(closed, 4).has_label.tolist() == [True] * 5 + [False]
    assert label(closed[:5], 4).has_label.tolist() == [True] + [False] * 4


def test_a_roll_behind_the_close_takes_no_label():
    minutes = minutes_of([3, 4, 5, 10, 11, 12, 13, 14, 15], [FLAT] * 9, [0, 0, 0, 1, 1, 1, 1, 1, 1])
    base = ladder(minutes, SESSIONS, ["1m"], adjusted=False)["1m"]
    assert window(base, 3).last.tolist() == [-1, -1, -1, 6, 7, 8, -1, -1, -1]
    cut = window(base, 3, SESSIONS.closes[base.session])
    assert cut.last.tolist() == [2, 2, -1, 6, 7, 8, 8, 8, -1], "only bar 5 would enter the new contract"
    assert cut.end[[0, 3, 6]].tolist() == [6, 14, 16]


@given(
    seed=st.integers(0, 10_000), missing=st.sampled_from([0.0, 0.3, 0.7]), contracts=st.integers(1, 2), step=st.sampled_from(["1m", "5m"])
)
@settings(max_examples=25, deadline=None)
def test_the_scan_equals_a_plain_walk_that_stops_at_the_close(seed, missing, contracts, step):
    sessions = hourly_sessions()
    minutes = session_minutes(sessions, seed, 300, missing, contracts)
    base = ladder(minutes, sessions, [step], adjusted=False)[step]
    assume(len(base) >= 12 and base.contract[11] == base.contract[0])
    scale, closes = np.full(len(base), 0.75), sessions.closes[base.session]
    of = triple_barrier(minutes, base, scale, barriers=default_barriers(1.5, 1.0, (4,)), closes=closes)[4]
    for t in range(len(base)):
        expected = walk_within(minutes, base, closes, scale, t, 4)
        assert of.has_label[t] == (expected is not None)
        if expected is not None:
            assert (of.label[t], of.label_end[t], of.tie[t]) == (expected[0], expected[1], expected[5])
            assert (of.log_return[t], of.mae[t], of.mfe[t]) == pytest.approx(expected[2:5], abs=1e-12)


def walk_within(minutes, base, closes, scale, t, max_bars):
    """`walk` with the bars that follow in the entry's session, as far as they are surely known."""
    if t + 1 >= len(base):
        return None
    mine = [j for j in range(t + 1, len(base)) if base.session[j] == base.session[t + 1]]
    is_over = mine[-1] + 1 < len(base) or base.end[-1] == closes[-1]
    if len(mine) >= max_bars or not is_over:
        return walk(minutes, base, scale, 1.5, 1.0, max_bars, t) if len(mine) >= max_bars else None
    expected = walk(minutes, base, scale, 1.5, 1.0, len(mine), t)
    if expected is None or expected[0] != 0 or expected[5]:
        return expected
    return (0, int(closes[t + 1]), *expected[2:])
