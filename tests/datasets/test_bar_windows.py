"""Windows of the last T rows: by hand, against a slow reference, and never a row of a later split."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import FEATURES, table

from barsmith.bars.minutes import as_datetime
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.roles import roles_of
from barsmith.datasets.windows import Windows, window_faults
from barsmith.errors import DataError, UsageError

WHOLE = table(0, 200, seed=1)
"""Bars 0 to 199; train 0 to 99, a gap of 20, val 120 to 149, a gap of 20, test 170 to 199. Bars 0, 1 are unsettled, 198, 199 unlabelled."""
LABELS = [name for name in WHOLE.columns if name.endswith("_h20")]
TRAIN, VAL, TEST = WHOLE[:100], WHOLE[120:150], WHOLE[170:]
BETWEEN = pl.concat([WHOLE[100:120], WHOLE[150:170]]).drop(LABELS)
X = WHOLE.select(FEATURES).to_numpy().astype(np.float32)


def container(train=TRAIN, val=VAL, between=BETWEEN, test=TEST):
    roles = roles_of(WHOLE.columns, FEATURES)
    about = {"symbol": "MES", "horizon": 20, "feature_names": FEATURES, "roles": roles, "between": between}
    return TimeSeriesDataContainer.from_frames(train, val, lambda: test, **about)


def bars(part) -> list[int]:
    """The numbers of a part's bars in `WHOLE`."""
    return (part.datetime // 5).tolist()


def matrix(settled, session=None, stretch=None) -> FeatureMatrix:
    n = len(settled)
    zeros = np.zeros(n, np.int64)
    rows = np.arange(n, dtype=np.float32)[:, None]
    return FeatureMatrix(
        rows,
        np.arange(n),
        zeros if session is None else np.array(session),
        np.array(settled, bool),
        zeros if stretch is None else np.array(stretch),
    )


def test_a_window_holds_the_rows_up_to_its_own_oldest_first():
    view = Windows(matrix([True] * 6), np.array([2, 3, 5]), 3)
    assert view.shape == (3, 3, 1)
    assert (view.ndim, len(view), view.dtype, view.nbytes) == (3, 3, np.float32, 36)
    assert view[0].tolist() == [[0], [1], [2]]
    assert view[-1].tolist() == [[3], [4], [5]]
    assert np.asarray(view)[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3], [3, 4, 5]]
    assert view[1:][:, -1, 0].tolist() == [3, 5]
    assert view[np.array([False, True, False])].shape == (1, 3, 1)
    assert view.take(np.array([2, 0]))[:, -1, 0].tolist() == [5, 2]
    assert [batch[:, -1, 0].tolist() for batch in view.batches(2)] == [[2, 3], [5]]
    assert [batch[:, -1, 0].tolist() for batch in view.batches(2, np.array([2, 1, 0]))] == [[5, 3], [2]]
    with pytest.raises(IndexError):
        view[3]


@pytest.mark.parametrize(
    "index", [np.s_[..., 0], np.s_[...], np.s_[3, ..., 1], np.s_[5:9, ...], np.s_[..., -2:, 1], np.s_[:, -1, 0], np.s_[-1, -1, -1]]
)
def test_an_index_takes_of_a_view_what_it_takes_of_an_array(index):
    X, at = np.arange(60.0, dtype=np.float32).reshape(20, 3), np.arange(20)
    view = Windows(FeatureMatrix(X, at, at * 0, np.ones(20, np.bool_), at * 0), at[3:], 4)
    np.testing.assert_array_equal(view[index], np.asarray(view)[index])


def test_a_view_copies_nothing_but_what_is_asked_for():
    whole = matrix([True] * 5000)
    view = Windows(whole, np.arange(59, 5000), 60)
    assert view.matrix.X is whole.X
    assert view.take(np.arange(100)).matrix.X is whole.X
    assert np.array_equal(np.asarray(view), view[:]), "more rows than one gather"
    assert np.asarray(view, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="no array of its own"):
        np.array(view, copy=False)
    batch = view[:2]
    batch[:] = -1
    assert whole.X.min() == 0, "what is handed out may be written to"


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 1), st.booleans()), min_size=1, max_size=30),
    length=st.integers(1, 6),
    within=st.booleans(),
)
def test_faults_are_those_of_a_walk_through_each_window(rows, length, within):
    settled = [one[0] for one in rows]
    session, stretch = (np.cumsum([one[k] for one in rows]).tolist() for k in (1, 2))
    found = window_faults(matrix(settled, session, stretch), np.arange(len(rows)), length, within_session=within)
    for last in range(len(rows)):
        window = range(last - length + 1, last + 1)
        reasons = {"window_too_early": any(row < 0 or stretch[row] != stretch[last] for row in window)}
        if within:
            reasons["window_across_sessions"] = any(session[max(row, 0)] != session[last] for row in window)
        reasons["window_unsettled"] = not all(settled[max(row, 0)] for row in window)
        first = next((reason for reason, is_so in reasons.items() if is_so), None)
        assert {reason: bool(found[reason][last]) for reason in reasons} == {reason: reason == first for reason in reasons}


def test_windows_reach_back_into_the_gap_and_the_split_before():
    seen = container().sequence(30)
    assert (seen.reads, seen.feature_names, seen.train.X.shape[1:]) == ("sequence", FEATURES, (30, 3))
    assert bars(seen.train) == list(range(31, 100)), "bars 0 and 1 have not settled"
    assert bars(seen.val) == list(range(120, 150)), "a row belongs to the split of its decision, its window begins in train"
    assert np.array_equal(seen.val.X[0], X[91:121])
    assert all(np.array_equal(seen.train.X[i], X[bar - 29 : bar + 1]) for i, bar in enumerate(bars(seen.train)))
    nothing = {"unsettled": 0, "unlabelled": 0, "window_too_early": 0, "window_unsettled": 0}
    assert seen.left_out == {"train": nothing | {"unsettled": 2, "window_too_early": 27, "window_unsettled": 2}, "val": nothing}
    rows = container()
    assert seen.val.y.tolist() == rows.val.y.tolist()
    assert seen.train.label_end.tolist() == rows.train.label_end[29:].tolist()


def test_without_the_rows_between_a_window_begins_in_its_own_table():
    seen = container(between=None).sequence(30)
    assert bars(seen.val) == [149]
    assert seen.left_out["val"]["window_too_early"] == 29


def test_within_a_session_no_window_begins_in_the_session_before():
    """Sessions of 1440 minutes: bar 288 begins the second."""
    whole = table(0, 400, seed=2)
    about = {"symbol": "MES", "horizon": 20, "feature_names": FEATURES, "roles": roles_of(whole.columns, FEATURES)}
    rows = TimeSeriesDataContainer.from_frames(whole[:300], whole[350:], None, between=whole[300:350].drop(LABELS), **about)
    across, within = rows.sequence(6), rows.sequence(6, within_session=True)
    assert sorted(set(bars(across.train)) - set(bars(within.train))) == [288, 289, 290, 291, 292]
    assert within.left_out["train"]["window_across_sessions"] == 5


def test_a_bar_that_has_not_settled_takes_every_window_over_it_along():
    spoilt = TRAIN.with_columns(is_settled=pl.int_range(100) != 50)
    seen = container(train=spoilt).sequence(10)
    assert bars(seen.train) == [*range(9, 50), *range(60, 100)]
    assert seen.left_out["train"] == {"unsettled": 1, "unlabelled": 0, "window_too_early": 9, "window_unsettled": 9}


def test_the_closed_test_split_is_in_no_window_and_opens_with_windows_into_the_gap_before():
    closed = container().sequence(30)
    assert closed.val.X.matrix.datetime.max() < 170 * 5
    assert closed._source.matrix.datetime.max() == 169 * 5
    opened = closed.open_test()
    assert bars(opened.test) == list(range(170, 198))
    assert np.array_equal(opened.test.X[0], X[141:171])
    assert opened.left_out["test"] == {"unsettled": 0, "unlabelled": 2, "window_too_early": 0, "window_unsettled": 0}
    assert container().open_test().sequence(30).left_out == opened.left_out
    with pytest.raises(UsageError, match="train --open-test"):
        _ = closed.test


def test_rows_of_the_test_split_among_those_between_are_refused_when_it_is_opened():
    """Planted: features of the closed split handed over as context."""
    with pytest.raises(DataError, match="the test split after the bars before it") as caught:
        container(between=pl.concat([BETWEEN, WHOLE[170:172].drop(LABELS)])).open_test()
    assert caught.value.code == "datasets/order"


def test_a_row_in_two_tables_is_refused():
    with pytest.raises(DataError, match="MES train and MES val and MES between: expected rows in the order of time"):
        container(between=pl.concat([WHOLE[99:120], WHOLE[150:170]]).drop(LABELS))


def test_windows_longer_than_a_split_or_without_settled_bars_are_refused():
    with pytest.raises(DataError, match="a length of 31 and 30 rows") as caught:
        container().sequence(31)
    assert caught.value.code == "config/inconsistent"
    odd = pl.int_range(pl.len()) % 2 == 1
    with pytest.raises(DataError, match="15 rows, of them 0 window too early, 15 window unsettled") as caught:
        container(val=VAL.with_columns(is_settled=odd)).sequence(2)
    assert caught.value.code == "datasets/empty"
    with pytest.raises(UsageError, match="sequence_length"):
        container().sequence(0)


def test_windows_are_cut_once():
    with pytest.raises(UsageError, match="a data set of rows to cut windows from, came one of sequence") as caught:
        container().sequence(5).sequence(6)
    assert caught.value.code == "datasets/view"
    assert container().seen_as("tabular", None).reads == "tabular"


def test_a_cut_part_keeps_its_view():
    part = container().sequence(30).train.take(np.array([3, 0]))
    assert np.array_equal(np.asarray(part.X), np.stack([X[5:35], X[2:32]]))
    assert part.datetime.tolist() == [34 * 5, 31 * 5]


def test_the_rows_of_a_table_without_gaps_are_no_copy():
    rows = container().val
    assert np.shares_memory(rows.X, container()._source.matrix.X) is False
    found = container()
    assert np.shares_memory(found.val.X, found._source.matrix.X)
    assert as_datetime(found.val.datetime)[0] == VAL["datetime"][0]
