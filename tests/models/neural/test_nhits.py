"""N-HiTS: its size, its knots against two independent interpolations, its rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry
from barsmith.models.neural.nhits import NHits, knot_curves

TINY = {"blocks": 1, "hidden": 8, "layers": 2, "coefficients": 4, "dropout": 0.0}


def test_it_has_the_papers_number_of_parameters():
    # Challu et al. (2023), section 3: pooled inputs, two layers, a knot for every r bars
    def block(inputs, knots):
        layers = inputs * 512 + 512 + 512 * 512 + 512
        return layers + 512 * 32 + 32 * 3 + 3 + 512 * knots

    network = ModelRegistry.create("nhits").network((60, 150), 3)
    assert sum(p.numel() for p in network.parameters()) == block(30 * 150, 15 * 150) + block(30 * 150, 30 * 150) + block(60 * 150, 0)


@pytest.mark.parametrize(("steps", "knots"), [(60, 15), (60, 30), (60, 1), (7, 3), (8, 8), (61, 60), (1, 1)])
def test_knots_are_joined_by_straight_lines(steps, knots):
    values = np.random.default_rng(0).normal(size=knots)
    joined = knot_curves(steps, knots).numpy() @ values
    theirs = functional.interpolate(torch.from_numpy(values)[None, None], size=steps, mode="linear", align_corners=False)
    np.testing.assert_allclose(joined, theirs[0, 0], atol=1e-12)
    places = (np.arange(knots) + 0.5) * steps / knots - 0.5  # of the knots, in bars
    np.testing.assert_allclose(joined, np.interp(np.arange(steps), places, values), atol=1e-12)


def test_two_knots_over_four_bars():
    np.testing.assert_allclose(knot_curves(4, 2), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_a_stack_reads_and_draws_at_its_rate():
    network = NHits((60, 5), 3, pools=(4, 2, 1), downsample=(12, 3, 1), **TINY)
    assert [stack[0].layers[0].in_features for stack in network.stacks] == [15 * 5, 30 * 5, 60 * 5]
    assert [block.basis and tuple(block.basis.curves.shape) for (block,) in network.stacks] == [(60, 5), (60, 20), None]
    assert network.stacks[0][0](torch.randn(2, 60, 5))[1].shape == (2, 60, 5)


def test_a_pool_shows_the_maximum_of_its_bars_and_of_the_rest():
    network = NHits((7, 1), 3, pools=(3,), downsample=(1,), **TINY)
    read = network.stacks[0][0].pool(torch.tensor([[[1.0, 5.0, 2.0, 0.0, -1.0, 3.0, 9.0]]]))
    assert read.tolist() == [[[5.0, 3.0, 9.0]]]
    assert network.stacks[0][0].layers[0].in_features == 3


@pytest.mark.parametrize("shape", [(12, 5), (1, 5), (2, 1)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_it_answers_with_three_logits_and_every_parameter_learns(shape, blocks):
    network = NHits(shape, 3, pools=(2, 2, 1), downsample=(4, 2, 1), **{**TINY, "blocks": blocks})
    answer = network(torch.randn(6, *shape))
    answer.sum().backward()
    assert answer.shape == (6, 3)
    assert all(p.grad is not None for p in network.parameters())


def test_each_stack_needs_both_rates():
    with pytest.raises(UsageError) as error:
        ModelRegistry.create("nhits", pools=[2, 1])
    assert error.value.code == "config/inconsistent"
