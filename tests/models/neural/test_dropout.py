"""Dropout: the share that is left out, what the rest grows by, and that one seed gives one mask."""

from __future__ import annotations

import pytest
import torch

from barsmith.models.neural.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_share_is_zero_and_the_mean_stays(p):
    torch.manual_seed(0)
    told = Dropout(p)(torch.ones(1000, 1001))
    assert told.unique().tolist() == pytest.approx([0.0, 1.0 / (1.0 - p)], rel=1e-3)
    assert float((told == 0.0).float().mean()) == pytest.approx(p, abs=0.002)  # four deviations of a million draws
    assert float(told.mean()) == pytest.approx(1.0, abs=0.004 / (1.0 - p))


def test_neighbours_are_drawn_independently():
    torch.manual_seed(1)
    kept = (Dropout(0.5)(torch.ones(400_000)) > 0.0).double() - 0.5
    for lag in range(1, 9):  # four masks share a random number
        assert abs(float((kept[lag:] * kept[:-lag]).mean()) * 4.0) < 0.008


def test_the_gradient_goes_where_the_number_went():
    x = torch.ones(7, 3, requires_grad=True)
    told = Dropout(0.5)(x)
    told.sum().backward()
    assert torch.equal(x.grad, told.detach())


def test_one_seed_gives_one_mask_and_scoring_none():
    x, part = torch.randn(5, 9), Dropout(0.3)
    torch.manual_seed(3)
    first = part(x)
    torch.manual_seed(3)
    assert torch.equal(part(x), first)
    assert not torch.equal(part(x), first)
    assert part.eval()(x) is x


def test_without_a_share_nothing_is_drawn():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    x = torch.ones(5, 9)
    assert Dropout(0.0)(x) is x
    assert torch.equal(torch.get_rng_state(), before)
    assert Dropout(0.5)(x[:0]).shape == (0, 9)
