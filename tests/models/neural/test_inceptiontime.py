"""InceptionTime: its size, how far one bar is seen, and that the networks of an ensemble learn by themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from barsmith.models import ModelRegistry
from barsmith.models.neural.batches import OnDevice, Samples
from barsmith.models.neural.inceptiontime import InceptionNetwork, InceptionTime
from barsmith.models.neural.trainer import Trainer, row_losses

TINY = {"depth": 3, "filters": 2, "bottleneck": 2, "kernel": 8, "dropout": 0.0}


def size_by_hand(channels, *, depth=6, filters=32, bottleneck=32, kernels=(40, 20, 10), classes=3):
    """Ismail Fawaz et al. (2020), section 3: no convolution has a bias; a norm has a scale and a shift; a shortcut every third module."""
    width, total = 4 * filters, 0
    for i in range(depth):
        before = channels if i == 0 else width
        narrow = bottleneck if before > 1 else 1
        total += (before * bottleneck if before > 1 else 0) + sum(narrow * filters * kernel for kernel in kernels)
        total += before * filters + 2 * width
        if i % 3 == 2:
            total += (channels if i == 2 else width) * width + 2 * width
    return total + width * classes + classes


@pytest.mark.parametrize(("shape", "channels"), [((60, 150), 150), ((9, 60, 4), 36), ((60, 1), 1)])
def test_it_has_the_papers_number_of_parameters(shape, channels):
    network = ModelRegistry.create("inceptiontime").network(shape, 3)
    assert sum(p.numel() for p in network.parameters()) == size_by_hand(channels)


def test_five_networks_have_five_times_as_many():
    network = ModelRegistry.create("inceptiontime", ensemble=5).network((60, 150), 3)
    assert sum(p.numel() for p in network.parameters()) == 5 * size_by_hand(150)


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4), (1, 5)])
def test_it_answers_with_three_logits(shape):
    assert InceptionTime(shape, 3, ensemble=2, **TINY).eval()(torch.randn(6, *shape)).shape == (6, 3)


def test_a_place_sees_as_far_as_the_longest_kernels_reach_together():
    # kernel 8 pads 3 before and 4 after, so three modules see 9 bars back and 12 on
    torch.manual_seed(0)
    sizes = {"depth": 3, "filters": 4, "bottleneck": 4, "kernels": (8, 4, 2), "dropout": 0.0}
    network = InceptionNetwork(2, 3, **sizes).double().eval()
    x = torch.randn(50, 60, 2, dtype=torch.float64, requires_grad=True)
    network.features(x)[:, :, 30].sum().backward()
    seen = x.grad.abs().sum(dim=(0, 2)).nonzero()[:, 0]
    assert (seen.min().item(), seen.max().item()) == (30 - 9, 30 + 12)


def test_an_ensemble_answers_with_the_mean_probability():
    torch.manual_seed(0)
    ensemble, x = InceptionTime((12, 5), 3, ensemble=3, **TINY).eval(), torch.randn(4, 12, 5)
    mean = torch.stack([network(x).softmax(dim=1) for network in ensemble.networks]).mean(dim=0)
    torch.testing.assert_close(ensemble(x).softmax(dim=1), mean)


def test_each_network_of_an_ensemble_gets_the_gradient_it_would_get_alone():
    torch.manual_seed(0)
    ensemble, x, y = InceptionTime((12, 5), 3, ensemble=2, **TINY).train(), torch.randn(8, 12, 5), torch.arange(8) % 3
    row_losses(ensemble(x), y).mean().backward()
    together = [p.grad.clone() for p in ensemble.networks[1].parameters()]
    ensemble.zero_grad()
    functional.cross_entropy(ensemble.networks[1](x), y).backward()
    for both, alone in zip(together, (p.grad for p in ensemble.networks[1].parameters()), strict=True):
        torch.testing.assert_close(2.0 * both, alone)


@pytest.mark.parametrize("clip", [0.1, 0.4])
def test_a_network_learns_in_an_ensemble_what_it_learns_alone(monkeypatch, clip):
    """Five steps, clipped: a norm over both networks, or a mean of their gradients, would clip others."""
    monkeypatch.setattr("barsmith.models.neural.trainer.CLIP", clip)
    random = np.random.default_rng(0)
    X, y = random.normal(size=(40, 12, 3)).astype(np.float32), random.integers(-1, 2, 40)
    params = ModelRegistry.create("inceptiontime", max_epochs=1, batch_size=8, **TINY).params
    torch.manual_seed(0)
    ensemble = InceptionTime((12, 3), 3, ensemble=2, **TINY)
    alone = InceptionTime((12, 3), 3, ensemble=1, **TINY)
    alone.networks[0].load_state_dict(ensemble.networks[1].state_dict())
    for network in (ensemble, alone):
        samples = Samples.of(OnDevice("cpu"), X, y, np.ones(40, np.float32))
        Trainer(network, params, samples, None, "cpu", 8, 1).learn_once(0)
    for both, single in zip(ensemble.networks[1].parameters(), alone.networks[0].parameters(), strict=True):
        torch.testing.assert_close(both, single)


def test_an_ensemble_of_two_trains_and_answers():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(64, 12, 3)).astype(np.float32), random.integers(-1, 2, 64)
    model = ModelRegistry.create("inceptiontime", ensemble=2, max_epochs=2, n_jobs=1, **TINY)
    model.fit(X, y)
    assert model.predict(X).probabilities.shape == (64, 3)
