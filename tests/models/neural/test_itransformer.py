"""iTransformer: its size, its tokens, and what its normalisation forgets."""

from __future__ import annotations

import pytest
import torch

from barsmith.models import ModelRegistry
from barsmith.models.neural.itransformer import ITransformer

TINY = {"d_model": 8, "heads": 2, "layers": 1, "d_feedforward": 16, "dropout": 0.0, "revin": True}


def size_by_hand(channels, steps, *, d_model, layers, d_feedforward, classes=3):
    """Liu et al. (2024), section 3: the window is embedded at once; no parameters in the window's normalisation; a norm at the end."""
    layer = 4 * d_model**2 + 4 * d_model + 2 * d_model * d_feedforward + d_feedforward + d_model + 2 * 2 * d_model
    return steps * d_model + d_model + layers * layer + 2 * d_model + channels * d_model * classes + classes


@pytest.mark.parametrize(("shape", "channels"), [((9, 60, 4), 36), ((60, 150), 150)])
def test_it_has_the_papers_number_of_parameters(shape, channels):
    model = ModelRegistry.create("itransformer")
    sizes = {name: getattr(model.params, name) for name in ("d_model", "layers", "d_feedforward")}
    assert sum(p.numel() for p in model.network(shape, 3).parameters()) == size_by_hand(channels, 60, **sizes)


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4), (1, 5), (12, 1)])
def test_it_answers_with_three_logits(shape):
    assert ITransformer(shape, 3, **TINY)(torch.randn(6, *shape)).shape == (6, 3)


def test_a_token_is_a_variable_and_all_tokens_see_each_other():
    torch.manual_seed(0)
    network, seen = ITransformer((12, 5), 3, **TINY).double().eval(), []
    network.layers[0].register_forward_hook(lambda _, came, gave: seen.append((came[0], gave)))
    x = torch.randn(1, 12, 5).double()
    network(x)
    x[:, :, 2] = torch.randn(1, 12).double()
    network(x)
    (before, after), (moved_before, moved_after) = seen
    assert before.shape == (1, 5, 8)
    assert (before - moved_before)[0].abs().sum(dim=1).nonzero()[:, 0].tolist() == [2]
    assert (after - moved_after)[0].abs().sum(dim=1).nonzero()[:, 0].tolist() == [0, 1, 2, 3, 4]


def test_variables_may_come_in_any_order_before_the_head():
    torch.manual_seed(0)
    network, seen = ITransformer((12, 5), 3, **TINY).double().eval(), []
    network.norm.register_forward_hook(lambda _, came, gave: seen.append(gave))
    x, order = torch.randn(2, 12, 5).double(), [3, 1, 4, 0, 2]
    network(x)
    network(x[:, :, order])
    torch.testing.assert_close(seen[1], seen[0][:, order])


def test_a_windows_level_and_size_change_nothing_and_its_shape_does():
    torch.manual_seed(0)
    x, network = torch.randn(5, 12, 3).double(), ITransformer((12, 3), 3, **TINY).double().eval()
    with torch.no_grad():
        torch.testing.assert_close(network(3.0 * x + 2.0), network(x), atol=1e-4, rtol=1e-4)
        assert (network(x.flip(1)) - network(x)).abs().max() > 0.01
        without = ITransformer((12, 3), 3, **{**TINY, "revin": False}).double().eval()
        assert (without(3.0 * x + 2.0) - without(x)).abs().max() > 0.01
