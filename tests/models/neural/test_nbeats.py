"""N-BEATS: its size, its curves, and that what the blocks take and leave adds up."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry
from barsmith.models.neural.nbeats import NBeats, seasonal_curves, trend_curves

TINY = {"blocks": 2, "hidden": 8, "coefficients": 4, "degree": 2, "harmonics": 2, "dropout": 0.0}


def block_by_hand(inputs, hidden, coefficients, backward, classes=3):
    """Oreshkin et al. (2020), equation 1: four layers with biases, two linear maps without; the forecast's matrix has a bias."""
    layers = inputs * hidden + hidden + 3 * (hidden * hidden + hidden)
    return layers + hidden * coefficients + coefficients * classes + classes + hidden * backward


def test_it_has_the_papers_number_of_parameters():
    network = ModelRegistry.create("nbeats").network((60, 150), 3)
    trend = block_by_hand(9000, 256, 32, 3 * 150)  # one block, gone through three times
    seasonality = block_by_hand(9000, 256, 32, (1 + 2 * 4) * 150)
    learned = block_by_hand(9000, 256, 32, 32) + 32 * 9000 + 9000
    last = block_by_hand(9000, 256, 32, 0)
    assert sum(p.numel() for p in network.parameters()) == trend + seasonality + 2 * learned + last


@pytest.mark.parametrize("stacks", [("generic",), ("trend",), ("seasonality", "trend"), ("generic", "trend", "seasonality")])
@pytest.mark.parametrize("blocks", [1, 3])
def test_every_parameter_learns(stacks, blocks):
    network = NBeats((6, 2), 3, stacks=stacks, **{**TINY, "blocks": blocks})
    network(torch.randn(5, 6, 2)).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4), (1, 5)])
def test_it_answers_with_three_logits(shape):
    assert NBeats(shape, 3, stacks=("trend", "seasonality", "generic"), **TINY)(torch.randn(6, *shape)).shape == (6, 3)


def test_window_is_the_sum_of_all_backcasts_and_what_is_left_and_logits_are_the_sum_of_all_forecasts():
    torch.manual_seed(0)
    network, x = NBeats((10, 3), 3, stacks=("trend", "seasonality", "generic"), **TINY).double(), torch.randn(4, 10, 3).double()
    told = []
    for stack in network.stacks:
        for block in stack:
            block.register_forward_hook(lambda _, came, gave: told.append((came[0], *gave)))
    by_stack, left = network.decomposed(x)
    told, again = list(told), network(x)
    assert len(told) == 6
    backcasts = [backcast for _, _, backcast in told if backcast is not None]
    torch.testing.assert_close(x, torch.stack(backcasts).sum(dim=0) + left)
    for (came, _, backcast), (following, _, _) in pairwise(told):
        torch.testing.assert_close(following, came - backcast)
    torch.testing.assert_close(again, torch.stack([forecast for _, forecast, _ in told]).sum(dim=0))
    torch.testing.assert_close(by_stack[:, 0], told[0][1] + told[1][1])
    assert told[-1][2] is None


def test_trend_takes_polynomials_and_seasonality_takes_waves_and_nothing_else():
    # the paper: T = [1, t, t^2], S = [1, cos(2 pi t), cos(4 pi t), sin(2 pi t), sin(4 pi t)], t = 0, 1/8, ..., 7/8
    t = np.arange(8) / 8
    np.testing.assert_allclose(trend_curves(8, 2), np.stack([t**0, t, t**2], axis=1))
    waves = [np.ones(8), np.cos(2 * math.pi * t), np.cos(4 * math.pi * t), np.sin(2 * math.pi * t), np.sin(4 * math.pi * t)]
    np.testing.assert_allclose(seasonal_curves(8, 2), np.stack(waves, axis=1), atol=1e-12)
    torch.manual_seed(0)
    network = NBeats((8, 3), 3, stacks=("trend", "generic"), **TINY)
    taken = network.stacks[0][0](torch.randn(5, 8, 3))[1].detach().numpy()
    fitted = np.linalg.lstsq(np.stack([t**0, t, t**2], axis=1), taken.transpose(1, 0, 2).reshape(8, -1), rcond=None)
    assert fitted[1].max() < 1e-10


@pytest.mark.parametrize(("steps", "harmonics", "columns"), [(8, 99, 7), (9, 99, 9), (1, 4, 1), (2, 4, 1), (60, 4, 9)])
def test_no_more_waves_than_the_bars_can_tell_apart(steps, harmonics, columns):
    curves = seasonal_curves(steps, harmonics)
    assert curves.shape == (steps, columns)
    assert np.linalg.matrix_rank(curves) == columns


def test_stacks_are_named():
    assert ModelRegistry.create("nbeats", stacks=["generic", "generic"]).params.stacks == ("generic", "generic")
    for wrong in (["linear"], []):
        with pytest.raises(UsageError) as error:
            ModelRegistry.create("nbeats", stacks=wrong)
        assert error.value.code in ("config/type", "config/out-of-range")
