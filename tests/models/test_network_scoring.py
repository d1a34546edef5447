"""A window's answer is its own: at the shipped sizes, in any company, by any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_windows import drawn_answers, windows

from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.neural import scoring
from barsmith.models.registry import SHIPPED

NETWORKS = [name for name in SHIPPED if ModelRegistry.info(name).family == "neural"]


@pytest.mark.parametrize("name", NETWORKS)
def test_at_its_own_size_a_window_alone_has_the_bits_it_has_among_others(name):
    torch.manual_seed(0)
    model = ModelRegistry.create(name)
    scorer = model.scorer(model.network((60, 150), 3).eval())
    X = np.random.default_rng(0).normal(size=(20, 60, 150)).astype(np.float32)
    whole = scorer.logits(X)
    assert np.ptp(whole, axis=0).min() > 0
    for row in (0, 1, 7, 15, 16, 19):
        assert scorer.logits(X[row : row + 1]).tobytes() == whole[row : row + 1].tobytes()


@pytest.mark.parametrize("name", ["gru", "tcn"])
def test_many_windows_are_shared_among_threads_and_keep_their_bits(name, monkeypatch):
    view = windows(700)
    X = np.asarray(view)
    y, _ = drawn_answers(X)
    model = ModelRegistry.create(name, max_epochs=1, n_jobs=1, **({"hidden": 4} if name == "gru" else {"channels": 4}))
    fit_model(model, X[:60], y[:60], feature_names=list("abcd"))
    before = torch.get_num_threads()
    many = [predict_model(model, each).probabilities.tobytes() for each in (view, X)]
    assert torch.get_num_threads() == before
    monkeypatch.setattr(scoring, "AT_ONCE", 10_000)
    assert many == [predict_model(model, X).probabilities.tobytes()] * 2
