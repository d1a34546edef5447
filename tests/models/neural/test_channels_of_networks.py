"""The door of the networks: which channel is which, and what prices are divided by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from barsmith.models.neural.batch_norm import BatchNorm
from barsmith.models.neural.channels import Channels, SameLength


def test_features_pass_as_they_are():
    x = torch.randn(5, 7, 3)
    assert Channels((7, 3)).train()(x) is x


def test_channel_4_r_plus_k_is_price_k_of_rung_r():
    x = torch.randn(5, 2, 7, 4)
    door = Channels((2, 7, 4)).eval()
    seen = door(x)
    assert (door.steps, door.count, seen.shape) == (7, 8, (5, 7, 8))
    assert all(torch.equal(seen[:, :, 4 * r + k], x[:, r, :, k]) for r in range(2) for k in range(4))


def test_moments_of_batches_are_those_of_all_windows_at_once():
    random = np.random.default_rng(1)
    windows = (random.normal(size=(50, 3, 6, 4)) * [[[0.001]], [[0.01]], [[1.0]]] + 0.3).astype(np.float32)
    door = Channels((3, 6, 4)).train()
    for part in (windows[:1], windows[1:20], windows[20:]):
        door(torch.from_numpy(part))
    flat = windows.astype(np.float64).transpose(0, 2, 1, 3).reshape(300, 12)
    np.testing.assert_allclose(door.scale.mean.numpy(), flat.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(door.scale.variance.numpy(), flat.var(axis=0), rtol=1e-4)
    seen = door.eval()(torch.from_numpy(windows)).numpy().reshape(300, 12)
    np.testing.assert_allclose(seen, (flat - flat.mean(axis=0)) / flat.std(axis=0), atol=1e-3)


def test_scoring_learns_no_moments_and_training_scales_as_scoring_does():
    door, x = Channels((2, 4, 4)).train(), torch.randn(9, 2, 4, 4)
    trained = door(x)
    before = {name: value.clone() for name, value in door.state_dict().items()}
    assert torch.equal(door.eval()(x), trained)
    door(100.0 * x)
    assert all(torch.equal(value, before[name]) for name, value in door.state_dict().items())


def test_a_channel_that_never_moved_is_not_blown_up():
    door, x = Channels((1, 4, 4)).train(), torch.full((6, 1, 4, 4), 0.25)
    assert (door(x) == 0.0).all()
    assert door.eval()(x + 0.5).abs().max() == 0.5


@pytest.mark.parametrize("kernel", [1, 2, 3, 8, 41])
def test_padding_keeps_the_length_and_puts_the_odd_zero_at_the_end(kernel):
    convolution = SameLength(1, 1, kernel, bias=False)
    torch.nn.init.ones_(convolution.weight)
    x = torch.zeros(1, 1, 50)
    x[0, 0, 25] = 1.0
    reached = convolution(x)[0, 0].nonzero()[:, 0]
    assert convolution(x).shape == x.shape
    assert (reached.min().item(), reached.max().item()) == (25 - kernel // 2, 25 + (kernel - 1) // 2)


def test_one_value_a_channel_is_normed_by_the_running_moments():
    norm, row = BatchNorm(3), torch.tensor([[1.0, 2.0, 3.0]])
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    assert torch.allclose(norm.train()(row), torch.tensor([[0.0, 0.5, 1.0]]), atol=1e-5)
    with pytest.raises(ValueError, match="more than 1 value"):
        torch.nn.BatchNorm1d(3).train()(row)


def test_more_values_are_normed_as_pytorch_does():
    x, ours, theirs = torch.randn(4, 3, 5), BatchNorm(3).train(), torch.nn.BatchNorm1d(3).train()
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
