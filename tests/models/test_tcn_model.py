"""TCN: the dilated network of the paper, of which only what the last output looks at is computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from barsmith.models import ModelRegistry
from barsmith.models.neural.tcn import levels_for, receptive_field


def network(length: int = 60, features: int = 5, **params):
    torch.manual_seed(1)
    return ModelRegistry.create("tcn", **{"channels": 6, **params}).network((length, features), 3).eval()


def dilated(net, windows: torch.Tensor) -> torch.Tensor:
    """The paper's network as it is written there: every step of every layer, dilation 2^i, zeros before the window."""
    steps = windows.transpose(1, 2)
    for level, block in enumerate(net.blocks):
        inner = steps
        for conv in (block.first, block.second):
            padded = functional.pad(inner, ((conv.kernel_size[0] - 1) * 2**level, 0))
            inner = functional.relu(functional.conv1d(padded, conv.weight, conv.bias, dilation=2**level))
        steps = functional.relu(inner + block.beside(steps))
    return net.head(steps[:, :, -1])


@pytest.mark.parametrize(("length", "kernel", "levels"), [(60, 3, 4), (61, 3, 4), (7, 2, 3), (1, 3, 2), (33, 5, 6), (20, 3, 1)])
def test_it_is_the_papers_dilated_network(length, kernel, levels):
    net = network(length, kernel=kernel, levels=levels)
    windows = torch.randn(4, length, 5)
    with torch.inference_mode():
        assert torch.allclose(net(windows), dilated(net, windows), atol=1e-6)


@pytest.mark.parametrize(("kernel", "levels"), [(3, 2), (2, 3), (5, 1), (3, 3)])
def test_it_looks_at_as_many_bars_as_the_formula_says(kernel, levels):
    reach = receptive_field(levels, kernel)
    assert reach == 1 + sum(2 * (kernel - 1) * 2**level for level in range(levels))
    net, windows = network(reach + 3, kernel=kernel, levels=levels, channels=16), torch.randn(20, reach + 3, 5)
    windows.requires_grad_(True)
    net(windows).square().sum().backward()
    seen = windows.grad.abs().sum(dim=(0, 2)) > 0
    assert seen.tolist() == [False] * 3 + [True] * reach


def test_by_default_it_looks_at_the_whole_window():
    for length in (1, 5, 6, 60, 61, 62, 200):
        levels = levels_for(length, 3)
        assert receptive_field(levels, 3) >= length
        assert levels == 1 or receptive_field(levels - 1, 3) < length
        assert len(network(length).blocks) == levels


def test_the_number_of_weights_is_the_papers():
    kernel, width, features = 3, 6, 5
    first = (kernel * features * width + width + width) + (kernel * width * width + width + width) + (features * width + width)
    others = 3 * 2 * (kernel * width * width + width + width)  # a weight's direction, its norm a channel, a bias a channel
    assert sum(p.numel() for p in network(60).parameters()) == first + others + 3 * width + 3


def test_the_norm_of_a_weight_is_a_number_of_its_own():
    conv = network().blocks[0].first
    norms, directions = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
    with torch.no_grad():
        norms.fill_(2.0)
    assert np.allclose(conv.weight.detach().flatten(1).norm(dim=1), 2.0, atol=1e-5)
    assert directions.shape == (6, 5, 3)
