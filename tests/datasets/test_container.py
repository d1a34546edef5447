"""The container: rows left out are counted, the test split is closed and not even read."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tables import FEATURES, table

from barsmith.bars.minutes import as_datetime
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.roles import roles_of
from barsmith.errors import DataError, UsageError

TRAIN, VAL, TEST = table(0, 100, seed=1), table(1000, 50, seed=2), table(2000, 40, seed=3)


def container(train=TRAIN, val=VAL, read_test=lambda: TEST, features=FEATURES, horizon=20):
    return TimeSeriesDataContainer.from_frames(
        train, val, read_test, symbol="MES", horizon=horizon, feature_names=features, roles=roles_of(TRAIN.columns, FEATURES)
    )


def test_unsettled_and_unlabelled_rows_are_left_out_and_counted():
    data = container()
    assert (len(data.train), len(data.val)) == (96, 46)
    assert data.left_out == {"train": {"unsettled": 2, "unlabelled": 2}, "val": {"unsettled": 2, "unlabelled": 2}}


def test_rows_of_all_arrays_belong_together():
    part, kept = container().train, TRAIN[2:98]
    assert part.X.dtype == np.float32
    assert part.X.flags.c_contiguous
    assert np.array_equal(part.X, kept.select(FEATURES).to_numpy().astype(np.float32))
    assert part.y.tolist() == kept["label_h20"].to_list()
    assert part.weight.tolist() == kept["sample_weight_h20"].to_list()
    assert part.log_return.tolist() == kept["return_h20"].to_list()
    assert part.datetime.tolist() == list(range(10, 490, 5))
    assert (part.decision - part.datetime == 5).all()
    assert (part.label_end - part.decision == 10).all()
    assert part.minutes_since_open.tolist() == part.decision.tolist()
    assert part.last_direction.tolist() == kept["last_direction"].to_list()


def test_columns_stand_in_the_models_order():
    assert np.array_equal(container(features=FEATURES[::-1]).train.X, container().train.X[:, ::-1])


def test_the_closed_test_split_is_not_read_and_opening_it_leaves_the_closed_one_closed():
    reads = []

    def read_test() -> pl.DataFrame:
        reads.append(1)
        return TEST

    closed = container(read_test=read_test)
    with pytest.raises(UsageError, match="train --open-test") as caught:
        _ = closed.test
    assert caught.value.code == "datasets/test-closed"
    assert reads == []
    opened = closed.open_test()
    assert (len(opened.test), opened.test_is_open, closed.test_is_open, reads) == (36, True, False, [1])
    assert opened.left_out["test"] == {"unsettled": 2, "unlabelled": 2}
    assert opened.open_test() is opened
    with pytest.raises(UsageError):
        _ = closed.test


def test_a_data_set_without_a_test_split_says_so():
    with pytest.raises(UsageError, match="with a test split"):
        container(read_test=None).open_test()


def test_a_label_among_the_features_is_refused():
    """Planted leak 13."""
    for leak in ("label_h20", "return_h20", "sample_weight_h20", "label_end_h20"):
        with pytest.raises(DataError, match=leak) as caught:
            container(features=(*FEATURES, leak))
        assert caught.value.code == "datasets/role"


def test_labels_that_live_on_in_the_next_split_are_refused():
    """Planted leak 17: the first decision of validation is minute 1005, so a train label known at 1005 knows it."""
    ends_at = {known: table(0, 100, seed=1, span=known - 490) for known in (1004, 1005)}  # the last labelled row is decided at 490
    settled = VAL.with_columns(is_settled=True)
    container(train=ends_at[1004], val=settled)
    with pytest.raises(DataError, match="every label of train known before val begins") as caught:
        container(train=ends_at[1005], val=settled)
    assert caught.value.code == "datasets/overlap"
    with pytest.raises(DataError, match="every label of val known before test begins"):
        container(val=table(1000, 50, span=5000)).open_test()


def test_an_infinite_value_is_refused_with_its_place_and_a_missing_one_stays():
    spoilt = TRAIN.with_columns(rsi_14=pl.when(pl.int_range(100) == 7).then(float("inf")).otherwise("rsi_14"))
    with pytest.raises(DataError, match="finite values of rsi_14, came 1 infinite ones, the first at 1970-01-01 00:35 UTC"):
        container(train=spoilt)
    missing = TRAIN.with_columns(rsi_14=pl.when(pl.int_range(100) == 7).then(None).otherwise("rsi_14"))
    assert np.isnan(container(train=missing).train.X).sum() == 1


def test_a_horizon_that_was_not_labelled_is_refused():
    with pytest.raises(DataError, match="without label_h10, label_end_h10") as caught:
        container(horizon=10)
    assert caught.value.code == "datasets/columns"


def test_a_split_of_warm_up_alone_is_refused():
    with pytest.raises(DataError, match="100 rows, 100 of them unsettled") as caught:
        container(train=TRAIN.with_columns(is_settled=False))
    assert caught.value.code == "datasets/empty"


def test_shuffled_or_repeated_rows_are_refused():
    """Planted leak 18."""
    with pytest.raises(DataError, match="in the order of time") as caught:
        container(train=TRAIN.sample(fraction=1.0, shuffle=True, seed=1))
    assert caught.value.code == "datasets/order"
    with pytest.raises(DataError, match="in the order of time"):
        container(val=VAL.with_columns(datetime=as_datetime(np.full(50, 1000))))


def test_take_cuts_every_array_alike():
    part = container().train
    cut = part.take(np.array([0, 5]))
    assert len(cut) == 2
    assert cut.X.tolist() == part.X[[0, 5]].tolist()
    assert cut.label_end.tolist() == [part.label_end[0], part.label_end[5]]
