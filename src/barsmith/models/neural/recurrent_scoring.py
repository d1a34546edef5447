"""LSTM and GRU windows answered by compiled loops: a window's bits are its own, and one alone takes less than PyTorch needs to begin.

Sums run over the inputs in their order, for all cells side by side; never fastmath. Equal to PyTorch's within rounding (tested).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from barsmith.compiled import njit
from barsmith.models.neural.recurrent import RecurrentNetwork
from barsmith.models.neural.scoring import windows_of
from barsmith.models.params import CLASSES


class RecurrentScorer:
    """The weights of a recurrent network, laid out for the loops."""

    def __init__(self, network: RecurrentNetwork) -> None:
        cells = network.cells
        self.is_lstm = isinstance(cells, torch.nn.LSTM)
        self.hidden, self.layers = cells.hidden_size, []
        for layer in range(cells.num_layers):
            parts = (getattr(cells, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            from_below, from_before, bias, bias_before = (part.detach().cpu().numpy() for part in parts)
            self.layers.append((columns(from_below), columns(from_before), np.array(bias), np.array(bias_before)))
        self.head = columns(network.head.weight.detach().cpu().numpy())
        self.head_bias = np.array(network.head.bias.detach().cpu().numpy())

    def logits(self, X: Any) -> np.ndarray:
        """X: (N, T, F) windows, an array or a view that gathers them. Returns (N, 3) float32."""
        found = np.empty((len(X), CLASSES), np.float32)
        layer_of = lstm_layer if self.is_lstm else gru_layer
        for row, window in enumerate(windows_of(X, 0, len(X))):
            steps = window
            for weights in self.layers:
                steps = layer_of(steps, *weights)
            found[row] = self.head_bias
            add_products(steps[-1:], self.head, found[row : row + 1])
        return found


def columns(weight: np.ndarray) -> np.ndarray:
    """(inputs, outputs) float32 in C order of PyTorch's (outputs, inputs)."""
    return np.ascontiguousarray(weight.T, np.float32)


@njit(nogil=True)
def add_products(x: Any, weights: Any, out: Any) -> None:
    """out (n, m) += x (n, k) weights (k, m), every sum in the order of k, whatever n is."""
    k, m = weights.shape
    whole = k - k % 4
    for row in range(len(x)):
        for i in range(0, whole, 4):
            a, b, c, d = x[row, i], x[row, i + 1], x[row, i + 2], x[row, i + 3]
            for j in range(m):
                out[row, j] = out[row, j] + a * weights[i, j] + b * weights[i + 1, j] + c * weights[i + 2, j] + d * weights[i + 3, j]
        for i in range(whole, k):
            a = x[row, i]
            for j in range(m):
                out[row, j] += a * weights[i, j]


@njit(nogil=True, inline="always")
def tanh(x: Any) -> Any:
    """Within 3e-7 of it: a rational function of odd degree 13 over 6, as Eigen and XNNPACK have it; plain arithmetic, so that cells go side by side."""
    x = np.float32(-7.9) if x < np.float32(-7.9) else (np.float32(7.9) if x > np.float32(7.9) else x)
    s = x * x
    p = np.float32(-2.76076847742355e-16) * s + np.float32(2.00018790482477e-13)
    p = p * s + np.float32(-8.60467152213735e-11)
    p = p * s + np.float32(5.12229709037114e-08)
    p = p * s + np.float32(1.48572235717979e-05)
    p = p * s + np.float32(6.37261928875436e-04)
    p = p * s + np.float32(4.89352455891786e-03)
    q = np.float32(1.19825839466702e-06) * s + np.float32(1.18534705686654e-04)
    q = q * s + np.float32(2.26843463243900e-03)
    q = q * s + np.float32(4.89352518554385e-03)
    return x * p / q


@njit(nogil=True, inline="always")
def sigmoid(x: Any) -> Any:
    return np.float32(0.5) + np.float32(0.5) * tanh(np.float32(0.5) * x)


@njit(nogil=True)
def lstm_layer(steps: Any, from_below: Any, from_before: Any, bias: Any, bias_before: Any) -> Any:
    """(T, hidden) hidden states of a window's T steps. Gates in PyTorch's order: input, forget, candidate, output."""
    length, hidden = len(steps), len(from_before)
    gates, cell, out = np.empty((length, 4 * hidden), np.float32), np.zeros(hidden, np.float32), np.empty((length, hidden), np.float32)
    for t in range(length):
        for j in range(4 * hidden):
            gates[t, j] = bias[j] + bias_before[j]
    add_products(steps, from_below, gates)
    for t in range(length):
        if t:
            add_products(out[t - 1 : t], from_before, gates[t : t + 1])
        now = gates[t]
        for j in range(hidden):
            cell[j] = sigmoid(now[hidden + j]) * cell[j] + sigmoid(now[j]) * tanh(now[2 * hidden + j])
            out[t, j] = sigmoid(now[3 * hidden + j]) * tanh(cell[j])
    return out


@njit(nogil=True)
def gru_layer(steps: Any, from_below: Any, from_before: Any, bias: Any, bias_before: Any) -> Any:
    """(T, hidden) hidden states of a window's T steps. Gates in PyTorch's order: reset, update, candidate."""
    length, hidden = len(steps), len(from_before)
    below, before = np.empty((length, 3 * hidden), np.float32), np.empty((1, 3 * hidden), np.float32)
    out = np.empty((length, hidden), np.float32)
    for t in range(length):
        below[t] = bias
    add_products(steps, from_below, below)
    for t in range(length):
        before[0] = bias_before
        if t:
            add_products(out[t - 1 : t], from_before, before)
        now, past = below[t], before[0]
        for j in range(hidden):
            reset, update = sigmoid(now[j] + past[j]), sigmoid(now[hidden + j] + past[hidden + j])
            candidate = tanh(now[2 * hidden + j] + reset * past[2 * hidden + j])
            earlier = out[t - 1, j] if t else np.float32(0.0)
            out[t, j] = candidate + update * (earlier - candidate)
    return out
