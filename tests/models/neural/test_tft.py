"""The Temporal Fusion Transformer: its size, its parts against the paper in NumPy, and what it tells about its choices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry, fit_model, load_model, save_model
from barsmith.models.neural.gated import GatedResidual
from barsmith.models.neural.tft import TFT, SharedValueAttention, VariableSelection
from barsmith.models.rows import check_rows_alone

NAMES = ("open", "high", "low", "close")


def residual_by_hand(before, hidden, after):
    """Lim et al. (2021), equations 2 to 5: W2, W1, a gate of two, a norm, and a linear skip where sizes differ."""
    dense = (before + 1) * hidden + (hidden + 1) * hidden + 2 * (hidden + 1) * after
    return dense + 2 * after + ((before + 1) * after if before != after else 0)


def size_by_hand(variables, d, heads, classes=3):
    selection = variables * 2 * d + variables * residual_by_hand(d, d, d) + residual_by_hand(variables * d, d, variables)
    lstm = 4 * (d * d + d * d + 2 * d)
    gate = 2 * (d + 1) * d + 2 * d
    attention = 2 * (d + 1) * d + (d + 1) * (d // heads) + (d // heads) * d
    return selection + lstm + 3 * gate + 2 * residual_by_hand(d, d, d) + attention + (d + 1) * classes


@pytest.mark.parametrize(("shape", "variables"), [((9, 60, 4), 36), ((60, 150), 150)])
def test_it_has_the_papers_number_of_parameters(shape, variables):
    model = ModelRegistry.create("tft")
    network = model.network(shape, 3)
    assert sum(p.numel() for p in network.parameters()) == size_by_hand(variables, model.params.hidden, model.params.heads)


@pytest.mark.parametrize("shape", [(12, 5), (3, 12, 4), (1, 5), (12, 1)])
def test_it_answers_with_three_logits(shape):
    assert TFT(shape, 3, hidden=8, heads=2, dropout=0.0)(torch.randn(6, *shape)).shape == (6, 3)


def by_hand(part, x):
    """A gated residual network of one variable, formula by formula. x: (N, before) float64."""
    w = {name: value.detach().numpy() for name, value in part.named_parameters()}
    inner = x @ w["first.weight"][0] + w["first.bias"]
    inner = np.where(inner > 0, inner, np.expm1(inner)) @ w["second.weight"][0] + w["second.bias"]
    value, gate = np.split(inner @ w["add_norm.gate.weight"][0] + w["add_norm.gate.bias"], 2, axis=1)
    skipped = x @ w["skip.weight"][0] + w["skip.bias"] if "skip.weight" in w else x
    out = skipped + value / (1.0 + np.exp(-gate))
    out = (out - out.mean(axis=1, keepdims=True)) / np.sqrt(out.var(axis=1, keepdims=True) + 1e-5)
    return out * w["add_norm.norm.weight"] + w["add_norm.norm.bias"]


@pytest.mark.parametrize("after", [4, 3])
def test_a_gated_residual_network_is_the_papers_formula(after):
    torch.manual_seed(0)
    part, x = GatedResidual(4, 5, after, 0.0).double(), torch.randn(1, 7, 4).double()
    np.testing.assert_allclose(part(x)[0].detach().numpy(), by_hand(part, x[0].numpy()), atol=1e-12)


def test_selection_through_multiplied_maps_is_selection_through_embeddings():
    torch.manual_seed(0)
    part, x = VariableSelection(5, 8, 0.0).double(), torch.randn(3, 4, 5).double()
    chosen, weights = part(x)
    embedded = part.embedding(x.reshape(12, 5).T[:, :, None])
    wanted = torch.softmax(part.all(embedded.transpose(0, 1).reshape(1, 12, -1))[0], dim=1)
    torch.testing.assert_close(weights.reshape(12, 5), wanted)
    torch.testing.assert_close(chosen.reshape(12, 8), (part.each(embedded) * wanted.T[:, :, None]).sum(dim=0))
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(3, 4).double())


def test_attention_with_shared_values_is_the_formula_in_numpy():
    torch.manual_seed(0)
    part, told = SharedValueAttention(8, 2).double(), torch.randn(1, 6, 8).double()
    out, weights = part(told[:, -1:], told)
    w = {name: value.detach().numpy() for name, value in part.named_parameters()}
    x = told[0].numpy()
    q, k, v = (x @ w[f"{name}.weight"].T + w[f"{name}.bias"] for name in ("queries", "keys", "values"))
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = np.exp(k[:, head] @ q[-1, head] / math.sqrt(4))
        heads.append(scores / scores.sum())
    np.testing.assert_allclose(weights[0, 0].detach(), np.mean(heads, axis=0), atol=1e-12)
    np.testing.assert_allclose(out[0, 0].detach(), np.mean(heads, axis=0) @ v @ w["out.weight"].T, atol=1e-12)


def test_every_bar_can_move_the_answer():
    torch.manual_seed(0)
    network = TFT((20, 3), 3, hidden=8, heads=2, dropout=0.0).double().eval()
    x = torch.randn(1, 20, 3).double().requires_grad_()
    network(x)[0, 0].backward()
    assert (x.grad[0] != 0.0).all()


@pytest.fixture(scope="module")
def fitted():
    """A small model of two rungs; the sum of the second rung's closes tells the class."""
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 2, 6, 4)).astype(np.float32)
    total = X[:, 1, :, 3].sum(axis=1)
    y = (np.sign(total) * (np.abs(total) > 1.0)).astype(np.int8)
    model = ModelRegistry.create(
        "tft", timeframes=["1m", "5m"], seq_len=6, hidden=8, heads=2, max_epochs=15, batch_size=32, learning_rate=0.01, n_jobs=1
    )
    fit_model(model, X, y, feature_names=NAMES)
    return model, X, y


def test_selection_is_told_by_name_and_sums_to_one(fitted):
    model, X, y = fitted
    weights = model.selection_weights(X[:50])
    assert list(weights) == [f"{rung}_{price}" for rung in ("1m", "5m") for price in NAMES]
    assert {name: told.shape for name, told in weights.items()} == dict.fromkeys(weights, (50, 6))
    np.testing.assert_allclose(sum(weights.values()), 1.0, atol=1e-6)
    assert max(weights, key=lambda name: weights[name].mean()) == "5m_close"
    assert (model.predict(X).classes == y).mean() > 0.9


def test_attention_is_told_by_lag_and_sums_to_one(fitted):
    model, X, _ = fitted
    attention = model.attention_weights(X[:50])
    assert list(attention) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(sum(attention.values()), 1.0, atol=1e-6)
    assert all((told >= 0.0).all() and told.shape == (50,) for told in attention.values())


def test_importance_is_the_mean_selection_and_is_saved(fitted, tmp_path):
    model, X, _ = fitted
    importance = model.get_feature_importance()
    weights = model.selection_weights(X)
    for price in NAMES:
        assert importance[price] == pytest.approx(sum(weights[f"{rung}_{price}"].mean() for rung in ("1m", "5m")), abs=1e-5)
    assert max(importance, key=importance.get) == "close"
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, feature_names=NAMES)
    assert loaded.get_feature_importance() == importance
    assert loaded.predict(X).probabilities.tobytes() == model.predict(X).probabilities.tobytes()


def test_a_window_of_rungs_alone_gives_the_bits_it_gives_among_others(fitted):
    model, X, _ = fitted
    check_rows_alone(lambda windows: model.predict(windows).probabilities, X, tries=40)


def test_windows_of_features_are_told_by_feature():
    random = np.random.default_rng(0)
    X, y = random.normal(size=(40, 5, 3)).astype(np.float32), random.integers(-1, 2, 40)
    model = ModelRegistry.create("tft", strategy="single", hidden=4, heads=1, max_epochs=1, n_jobs=1)
    fit_model(model, X, y, feature_names=("rsi_14", "atr_14", "roc_5"))
    assert list(model.selection_weights(X)) == list(model.get_feature_importance()) == ["rsi_14", "atr_14", "roc_5"]


def test_nothing_is_told_before_a_fit():
    model = ModelRegistry.create("tft")
    for ask in (model.get_feature_importance, lambda: model.explained(np.zeros((1, 9, 60, 4), np.float32))):
        with pytest.raises(UsageError) as error:
            ask()
        assert error.value.code == "models/not-fitted"


def test_heads_share_the_hidden_size_equally():
    with pytest.raises(UsageError) as error:
        ModelRegistry.create("tft", hidden=10, heads=4)
    assert error.value.code == "config/inconsistent"
