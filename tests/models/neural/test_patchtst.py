"""PatchTST: its patches, its size, and that no variable sees another before the head."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from barsmith.errors import DataError, UsageError
from barsmith.models import ModelRegistry
from barsmith.models.neural.encoder import EncoderLayer
from barsmith.models.neural.patchtst import PatchTST

TINY = {"patch_len": 4, "stride": 2, "d_model": 8, "heads": 2, "layers": 1, "d_feedforward": 16, "dropout": 0.0, "revin": True}


def size_by_hand(channels, steps, *, patch_len, stride, d_model, layers, d_feedforward, classes=3):
    """Nie et al. (2023), section 3.1: N = floor((L - P) / S) + 2 patches, a layer of 4 D^2 + 2 D F weights with biases and two batch norms."""
    patches = (steps - patch_len) // stride + 2
    layer = 4 * d_model**2 + 4 * d_model + 2 * d_model * d_feedforward + d_feedforward + d_model + 2 * 2 * d_model
    embedding = patch_len * d_model + d_model + patches * d_model
    return embedding + layers * layer + channels * patches * d_model * classes + classes


@pytest.mark.parametrize(("shape", "channels"), [((9, 60, 4), 36), ((60, 150), 150)])
def test_it_has_the_papers_number_of_parameters(shape, channels):
    params = ModelRegistry.create("patchtst").params
    sizes = {name: getattr(params, name) for name in ("patch_len", "stride", "d_model", "layers", "d_feedforward")}
    network = ModelRegistry.create("patchtst").network(shape, 3)
    assert sum(p.numel() for p in network.parameters()) == size_by_hand(channels, 60, **sizes)


def test_patches_of_ten_bars():
    # P = 4, S = 2, L = 10: floor(6 / 2) + 2 = 5 patches; the last bar is repeated twice before the cut
    cut = PatchTST((10, 1), 3, **TINY).patched(torch.arange(10.0)[None, :, None])[0, 0]
    assert cut.tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9], [8, 9, 9, 9]]


@pytest.mark.parametrize(("steps", "patch_len", "stride"), [(60, 16, 8), (61, 16, 8), (8, 8, 3), (7, 2, 5), (1, 1, 1)])
def test_the_number_of_patches_is_the_papers(steps, patch_len, stride):
    network = PatchTST((steps, 2), 3, **{**TINY, "patch_len": patch_len, "stride": stride})
    assert network.patched(torch.randn(3, steps, 2)).shape == (3, 2, (steps - patch_len) // stride + 2, patch_len)
    assert network(torch.randn(3, steps, 2)).shape == (3, 3)


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4)])
def test_it_answers_with_three_logits(shape):
    assert PatchTST(shape, 3, **TINY)(torch.randn(6, *shape)).shape == (6, 3)


def test_a_variable_is_encoded_without_a_look_at_the_others():
    torch.manual_seed(0)
    network = PatchTST((12, 3), 3, **TINY).double().eval()
    x, tokens = torch.randn(1, 12, 3).double(), []
    network.layers[-1].register_forward_hook(lambda _, came, gave: tokens.append(gave))
    network(x)
    x[:, :, 1] = torch.randn(1, 12).double()
    network(x)
    moved = (tokens[0] - tokens[1]).abs().sum(dim=(1, 2))
    assert (moved[0], moved[2]) == (0.0, 0.0)
    assert moved[1] > 0.01


def test_a_windows_level_and_size_change_nothing_and_its_shape_does():
    torch.manual_seed(0)
    x, network = torch.randn(5, 12, 3).double(), PatchTST((12, 3), 3, **TINY).double().eval()
    with torch.no_grad():
        torch.testing.assert_close(network(3.0 * x + 2.0), network(x), atol=1e-4, rtol=1e-4)
        assert (network(x.flip(1)) - network(x)).abs().max() > 0.01
        without = PatchTST((12, 3), 3, **{**TINY, "revin": False}).double().eval()
        assert (without(3.0 * x + 2.0) - without(x)).abs().max() > 0.01


def test_attention_is_the_formula_in_numpy():
    torch.manual_seed(0)
    layer, x = EncoderLayer(8, 2, 16, 0.0, is_batch_normed=True).double(), torch.randn(3, 5, 8).double()
    projected = x.numpy() @ layer.queries_keys_values.weight.detach().numpy().T + layer.queries_keys_values.bias.detach().numpy()
    mixed = np.empty((3, 5, 8))
    for series in range(3):
        for head in range(2):
            q, k, v = (projected[series, :, 8 * part + 4 * head : 8 * part + 4 * head + 4] for part in range(3))
            scores = np.exp(q @ k.T / 2.0)  # the root of four numbers a head
            mixed[series, :, 4 * head : 4 * head + 4] = scores / scores.sum(axis=1, keepdims=True) @ v
    wanted = mixed @ layer.out.weight.detach().numpy().T + layer.out.bias.detach().numpy()
    np.testing.assert_allclose(layer.attended(x).detach().numpy(), wanted, atol=1e-12)


def test_its_norms_are_of_the_batch_and_score_by_learned_moments():
    torch.manual_seed(0)
    network, x = PatchTST((12, 3), 3, **TINY), torch.randn(40, 12, 3)
    assert (network.train()(x)[:20] - network(x[:20])).abs().max() > 1e-3
    network.eval()
    torch.testing.assert_close(network(x)[:20], network(x[:20]))


def test_a_patch_longer_than_the_window_is_refused():
    with pytest.raises(UsageError) as error:
        ModelRegistry.create("patchtst", seq_len=8)
    assert error.value.code == "config/inconsistent"
    with pytest.raises(DataError) as error:
        ModelRegistry.create("patchtst").fit(np.zeros((4, 8, 3), np.float32), np.array([-1, 0, 1, 0]))
    assert error.value.code == "models/shape"


@pytest.mark.parametrize("name", ["patchtst", "itransformer"])
def test_heads_share_the_model_equally(name):
    with pytest.raises(UsageError) as error:
        ModelRegistry.create(name, d_model=10, heads=4)
    assert error.value.code == "config/inconsistent"
