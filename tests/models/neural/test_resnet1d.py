"""ResNet for time series: its size, and how far one bar is seen."""

from __future__ import annotations

import pytest
import torch

from barsmith.models import ModelRegistry
from barsmith.models.neural.resnet1d import ResNet


def size_by_hand(channels, filters, classes=3):
    """Wang, Yan & Oates (2017), section 2.3: kernels 8, 5, 3; a 1x1 convolution where a block widens; a norm has a scale and a shift."""
    total, before = 0, channels
    for after in filters:
        total += before * after * 8 + after * after * 5 + after * after * 3 + 3 * after + 3 * 2 * after
        total += (before * after + after if before != after else 0) + 2 * after
        before = after
    return total + before * classes + classes


@pytest.mark.parametrize(("shape", "channels"), [((60, 150), 150), ((9, 60, 4), 36), ((20, 64), 64)])
def test_it_has_the_papers_number_of_parameters(shape, channels):
    network = ModelRegistry.create("resnet1d").network(shape, 3)
    assert sum(p.numel() for p in network.parameters()) == size_by_hand(channels, (64, 128, 128))


def test_univariate_it_has_half_a_million():
    assert (
        size_by_hand(1, (64, 128, 128))
        == sum(p.numel() for p in ResNet((60, 1), 3, filters=(64, 128, 128), dropout=0.0).parameters())
        == 504_387
    )


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4), (1, 5)])
def test_it_answers_with_three_logits(shape):
    assert ResNet(shape, 3, filters=(4, 8, 8), dropout=0.0)(torch.randn(6, *shape)).shape == (6, 3)


def test_a_place_in_the_last_maps_sees_18_bars_back_and_21_on_and_none_further():
    # each block: kernels 8, 5, 3 pad (3, 4), (2, 2), (1, 1): a map sees 6 bars back and 7 on; three blocks: 18 and 21
    torch.manual_seed(0)
    network = ResNet((80, 2), 3, filters=(4, 8, 8), dropout=0.0).double().eval()
    x = torch.randn(50, 80, 2, dtype=torch.float64, requires_grad=True)
    network.features(x)[:, :, 40].sum().backward()
    seen = x.grad.abs().sum(dim=(0, 2)).nonzero()[:, 0]
    assert (seen.min().item(), seen.max().item()) == (40 - 18, 40 + 21)


def test_every_bar_of_the_window_counts_in_the_logits():
    torch.manual_seed(0)
    network = ResNet((80, 2), 3, filters=(4, 8, 8), dropout=0.0).double().eval()
    x = torch.randn(5, 80, 2, dtype=torch.float64, requires_grad=True)
    network(x)[:, 0].sum().backward()
    assert (x.grad.abs().sum(dim=(0, 2)) > 0).all()
