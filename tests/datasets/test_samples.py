"""The map-style protocol of PyTorch's DataLoader, without PyTorch."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
from tables import FEATURES, table

from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.roles import roles_of

TRAIN, VAL = table(0, 100, seed=1), table(1000, 50, seed=2)


def parts() -> list[Any]:
    about = {"symbol": "MES", "horizon": 20, "feature_names": FEATURES, "roles": roles_of(TRAIN.columns, FEATURES)}
    rows = TimeSeriesDataContainer.from_frames(TRAIN, VAL, None, **about)
    return [rows.train, rows.sequence(8).train]


def collated(samples: list[Any]) -> list[np.ndarray]:
    """As torch.utils.data.default_collate does it: arrays of one shape are stacked, NumPy scalars become an array, tuples go field by field."""
    fields = list(zip(*samples, strict=True))
    for field in fields:
        assert len({type(each) for each in field}) == 1
        assert isinstance(field[0], np.ndarray | np.generic)
        assert field[0].dtype.kind in "fi"
        assert all(each.flags.writeable for each in field if isinstance(each, np.ndarray)), "torch warns of memory that it must not write"
    return [np.stack(field) for field in fields]


@pytest.mark.parametrize("part", parts(), ids=["rows", "windows"])
def test_shuffled_batches_hold_the_rows_that_were_drawn(part):
    samples = part.samples()
    assert len(samples) == len(part)
    order = random.Random(1).sample(range(len(part)), len(part))
    for first in range(0, len(order), 16):
        drawn = order[first : first + 16]
        x, y, weight = collated(samples.__getitems__(drawn))
        assert np.array_equal(x, part.X[np.array(drawn)])
        assert (x.dtype, y.dtype, weight.dtype) == (np.float32, np.int64, np.float32)
        assert y.tolist() == part.y[drawn].tolist()
        assert weight.tolist() == part.weight[drawn].astype(np.float32).tolist()


@pytest.mark.parametrize("part", parts(), ids=["rows", "windows"])
def test_a_single_sample_is_that_of_the_batch(part):
    samples = part.samples()
    x, y, weight = samples[5]
    assert np.array_equal(x, part.X[5])
    assert (int(y), weight) == (part.y[5], np.float32(part.weight[5]))
    with pytest.raises(IndexError):
        samples[len(samples)]
    assert len(list(samples)) == len(samples), "plain iteration ends"


def test_what_a_batch_is_written_over_with_stays_out_of_the_data():
    part = parts()[0]
    before = part.X.copy()
    for x, _, _ in part.samples().__getitems__([0, 1, 2]):
        x[:] = np.nan
    assert np.array_equal(part.X, before)


def test_a_worker_process_gets_the_samples_by_copying_them():
    samples = parts()[1].samples()
    again = copy.deepcopy(samples)
    assert np.array_equal(again[3][0], samples[3][0])
