"""Reversible instance normalisation, against the paper's formula in NumPy."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.models.neural.revin import RevIN


def by_hand(x, weight, bias, epsilon=1e-5):
    """Kim et al. (2022), equations 1 and 2, one window and one variable at a time."""
    out = np.empty_like(x)
    for b in range(x.shape[0]):
        for c in range(x.shape[2]):
            series = x[b, :, c]
            mean = sum(series) / len(series)
            variance = sum((value - mean) ** 2 for value in series) / len(series)
            out[b, :, c] = weight[c] * (series - mean) / np.sqrt(variance + epsilon) + bias[c]
    return out


def test_it_is_the_papers_formula():
    random = np.random.default_rng(2)
    x, weight, bias = random.normal(3.0, 2.0, (4, 9, 5)), random.normal(size=5), random.normal(size=5)
    norm = RevIN(5).double()
    norm.weight.data, norm.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    np.testing.assert_allclose(norm(torch.from_numpy(x)).detach().numpy(), by_hand(x, weight, bias), rtol=1e-10, atol=1e-12)


def test_a_ramp_of_five_bars():
    told = RevIN(1, is_affine=False, epsilon=0.0)(torch.arange(5.0)[None, :, None])
    assert torch.allclose(told[0, :, 0], torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]) / 2.0**0.5)


def test_a_learned_scale_and_shift_are_one_number_a_variable_each():
    assert sum(p.numel() for p in RevIN(7).parameters()) == 14
    assert not list(RevIN(7, is_affine=False).parameters())


def test_a_level_window_is_zero_and_not_nan():
    assert (RevIN(2)(torch.full((1, 6, 2), 3.0)) == 0.0).all()


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-50, 50), scale=st.floats(0.5, 50), seed=st.integers(0, 1000))
def test_adding_a_constant_and_scaling_a_window_changes_nothing(shift, scale, seed):
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(2, 12, 3)))
    norm = RevIN(3, epsilon=1e-12).double()
    torch.testing.assert_close(norm(scale * x + shift), norm(x), rtol=1e-7, atol=1e-7)
