"""LSTM and GRU: the papers' numbers, and compiled answers equal to PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from drawn_windows import drawn_answers, windows

from barsmith.compiled import njit
from barsmith.models import ModelRegistry, fit_model, predict_model
from barsmith.models.neural import recurrent_scoring
from barsmith.models.neural.recurrent_scoring import RecurrentScorer


def network(name: str, features: int = 150, **params):
    return ModelRegistry.create(name, **params).network((60, features), 3)


@pytest.mark.parametrize(("name", "parts"), [("lstm", 4), ("gru", 3)])
def test_the_number_of_weights_is_the_papers(name, parts):
    first = parts * (128 * 150 + 128 * 128 + 2 * 128)  # input, forget, cell and output, or reset, update and candidate
    second = parts * (128 * 128 + 128 * 128 + 2 * 128)
    assert sum(p.numel() for p in network(name).parameters()) == first + second + 3 * 128 + 3


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def slow_lstm(window, net) -> np.ndarray:
    """Hochreiter & Schmidhuber with the forget gate, in float64, from the equations."""
    steps = window.astype(np.float64)
    for layer in range(net.cells.num_layers):
        W, U, b, c = (getattr(net.cells, f"{n}_l{layer}").detach().numpy().astype(np.float64) for n in PARTS)
        h = cell = np.zeros(net.cells.hidden_size)
        out = []
        for x in steps:
            i, f, g, o = np.split(W @ x + b + U @ h + c, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(cell)
            out.append(h)
        steps = np.array(out)
    return net.head.weight.detach().numpy() @ steps[-1] + net.head.bias.detach().numpy()


def slow_gru(window, net) -> np.ndarray:
    """Cho et al., the reset gate after the matrix product, in float64, from the equations."""
    steps = window.astype(np.float64)
    for layer in range(net.cells.num_layers):
        W, U, b, c = (getattr(net.cells, f"{n}_l{layer}").detach().numpy().astype(np.float64) for n in PARTS)
        h, out = np.zeros(net.cells.hidden_size), []
        for x in steps:
            (r, z, n), (R, Z, N) = np.split(W @ x + b, 3), np.split(U @ h + c, 3)
            r, z = sigmoid(r + R), sigmoid(z + Z)
            h = (1.0 - z) * np.tanh(n + r * N) + z * h
            out.append(h)
        steps = np.array(out)
    return net.head.weight.detach().numpy() @ steps[-1] + net.head.bias.detach().numpy()


PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@pytest.mark.parametrize(("name", "slow"), [("lstm", slow_lstm), ("gru", slow_gru)])
@pytest.mark.parametrize("features", [1, 3, 30])
def test_the_compiled_answers_are_pytorchs_and_the_equations(name, slow, features):
    torch.manual_seed(3)
    net = network(name, features, hidden=17, layers=2).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)  # so that gates are driven hard, too
    X = np.random.default_rng(4).normal(size=(9, 40, features)).astype(np.float32)
    ours = RecurrentScorer(net).logits(X)
    with torch.inference_mode():
        theirs = net(torch.from_numpy(X)).numpy()
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.abs(ours - [slow(window, net) for window in X]).max() < 1e-5


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_trained_models_probabilities_are_pytorchs_within_1e_5(name):
    X = np.asarray(windows(300))
    y, weight = drawn_answers(X)
    model = ModelRegistry.create(name, hidden=16, max_epochs=4, n_jobs=1, learning_rate=0.02)
    fit_model(model, X[:200], y[:200], X[200:], y[200:], weight_train=weight[:200], feature_names=list("abcd"))
    with torch.inference_mode():
        margins = model._calibration.margins(model._network(torch.from_numpy(X)).numpy())
    theirs = torch.softmax(torch.from_numpy(margins), dim=1).numpy()
    assert np.abs(predict_model(model, X).probabilities - theirs).max() < 1e-5


def test_tanh_is_within_4e_7_everywhere_and_odd():
    @njit
    def over(x, out):
        for i in range(len(x)):
            out[i] = recurrent_scoring.tanh(x[i])

    x = np.concatenate([np.linspace(-12, 12, 400_001), np.geomspace(1e-30, 1e30, 1001)]).astype(np.float32)
    out, mirrored = np.empty_like(x), np.empty_like(x)
    over(x, out)
    over(-x, mirrored)
    assert np.abs(out - np.tanh(x.astype(np.float64))).max() < 4e-7
    assert (out == -mirrored).all()


def test_rows_in_any_number_are_added_in_one_order():
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(50, 37)).astype(np.float32), random.normal(size=(37, 21)).astype(np.float32)
    together, alone = np.zeros((50, 21), np.float32), np.zeros((50, 21), np.float32)
    recurrent_scoring.add_products(x, weights, together)
    for row in range(50):
        recurrent_scoring.add_products(x[row : row + 1], weights, alone[row : row + 1])
    assert together.tobytes() == alone.tobytes()
    assert np.abs(together - x.astype(np.float64) @ weights).max() < 1e-4
