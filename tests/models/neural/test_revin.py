"""Reversible instance normalisation, against the paper's formula in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.models.neural.revin import RevIN


def by_hand(x, epsilon=1e-5):
    """Kim et al. (2022), equations 1 and 2, one window and one variable at a time."""
    out = np.empty_like(x)
    for b in range(x.shape[0]):
        for c in range(x.shape[2]):
            series = x[b, :, c]
            mean = sum(series) / len(series)
            variance = sum((value - mean) ** 2 for value in series) / len(series)
            out[b, :, c] = (series - mean) / np.sqrt(variance + epsilon)
    return out


def test_it_is_the_papers_formula():
    x = np.random.default_rng(2).normal(3.0, 2.0, (4, 9, 5))
    np.testing.assert_allclose(RevIN()(torch.from_numpy(x)).numpy(), by_hand(x), rtol=1e-10, atol=1e-12)


def test_a_ramp_of_five_bars():
    told = RevIN(epsilon=0.0)(torch.arange(5.0)[None, :, None])
    assert torch.allclose(told[0, :, 0], torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]) / 2.0**0.5)


def test_it_has_nothing_to_learn_as_in_both_authors_code():
    assert not RevIN().state_dict()


def test_a_level_window_is_zero_and_not_nan():
    assert (RevIN()(torch.full((1, 6, 2), 3.0)) == 0.0).all()


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-50, 50), scale=st.floats(0.5, 50), seed=st.integers(0, 1000))
def test_adding_a_constant_and_scaling_a_window_changes_nothing(shift, scale, seed):
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 12, 3)))
    norm = RevIN(epsilon=1e-12)
    torch.testing.assert_close(norm(scale * x + shift), norm(x), rtol=1e-7, atol=1e-7)
