"""The optional door to TimesFM: what it says without the library and without weights."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry, fit_model
from barsmith.models.foundation.timesfm import series_of

X, Y = np.zeros((6, 1, 8, 4), np.float32), np.array([-1, 0, 1, -1, 0, 1])


def test_without_the_library_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timesfm", None)  # to Python, not installed
    with pytest.raises(UsageError, match="timesfm") as error:
        fit_model(ModelRegistry.create("timesfm"), X, Y)
    assert error.value.code == "models/missing-library"


@pytest.mark.parametrize("weights", [None, "/no/such/model.safetensors"])
def test_without_weights_the_error_says_which_and_that_nothing_is_downloaded(weights):
    model = ModelRegistry.create("timesfm", weights=weights)
    for action in (model.weights_file, lambda: model.fit(X, Y)):
        with pytest.raises(UsageError, match="downloads nothing") as error:
            action()
        assert error.value.code == "models/missing-weights"


def test_a_series_is_a_timeframes_closes_or_a_feature():
    rungs = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
    assert series_of(rungs)[1, 2].tolist() == rungs[1, 2, :, 3].tolist()
    features = rungs[:, 0]
    assert series_of(features)[1, 2].tolist() == features[1, :, 2].tolist()


def test_it_is_not_among_all_models_that_are_trained():
    from barsmith.cli.train_all import is_trained_alone

    assert not is_trained_alone("timesfm")
    assert is_trained_alone("tft")
