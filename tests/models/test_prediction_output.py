"""What a model may answer with."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.errors import DataError
from barsmith.models import PredictionOutput, TrainingMetrics


def test_confidence_is_the_probability_of_the_signal():
    output = PredictionOutput([1, -1], [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])
    assert output.classes.dtype == np.int8
    assert output.signal.tolist() == [1, -1]
    assert output.confidence.tolist() == [0.7, 0.5]
    assert output.trade_signal(0) == {"signal": 1, "confidence": 0.7, "probabilities": [0.1, 0.2, 0.7]}


def test_a_tie_is_no_signal():
    output = PredictionOutput.of(np.array([[0.4, 0.2, 0.4], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4]]))
    assert output.signal.tolist() == [0, 0, 0]
    assert output.confidence.tolist() == [0.2, 0.4, 0.4]


def test_either_class_of_a_tie_may_be_named():
    assert PredictionOutput([-1, 1], [[0.4, 0.2, 0.4]] * 2).classes.tolist() == [-1, 1]


def test_no_rows_are_an_answer():
    assert len(PredictionOutput(np.empty(0, np.int8), np.empty((0, 3)))) == 0


@pytest.mark.parametrize(
    ("classes", "probabilities"),
    [
        ([1], [0.1, 0.2, 0.7]),
        ([1], [[0.3, 0.7]]),
        ([1, 1], [[0.1, 0.2, 0.7]]),
        ([1], [[0.1, 0.2, np.nan]]),
        ([1], [[0.1, 0.2, np.inf]]),
        ([1], [[0.1, 0.2, 0.6999]]),
        ([1], [[-0.1, 0.2, 0.9]]),
        ([2], [[0.1, 0.2, 0.7]]),
        ([0.5], [[0.1, 0.2, 0.7]]),
        (["1"], [[0.1, 0.2, 0.7]]),
        ([-1], [[0.1, 0.2, 0.7]]),  # the order [long, neutral, short]
    ],
)
def test_an_answer_that_is_none_is_refused(classes, probabilities):
    with pytest.raises(DataError) as refused:
        PredictionOutput(np.array(classes), np.array(probabilities))
    assert refused.value.code == "models/prediction"


@given(st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 3).filter(lambda p: sum(p) > 1e-3), min_size=1, max_size=20))
def test_the_signal_is_strictly_the_most_probable_class_or_none(rows):
    probabilities = np.array(rows) / np.array(rows).sum(axis=1, keepdims=True)
    for p, signal in zip(probabilities.tolist(), PredictionOutput.of(probabilities).signal.tolist(), strict=True):
        top = [k - 1 for k in range(3) if p[k] == max(p)]
        assert signal == (top[0] if len(top) == 1 else 0)


def test_metrics_hold_a_models_own_numbers_and_json_takes_them():
    told = TrainingMetrics(seconds=1.5, best_iteration=3, history={"train": [1.0, 0.9]}, val_accuracy=0.5).as_dict()
    assert json.loads(json.dumps(told))["val_accuracy"] == 0.5
    assert told["history"] == {"train": [1.0, 0.9]}
