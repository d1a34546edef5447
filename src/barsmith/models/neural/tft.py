"""Temporal Fusion Transformer: chooses variables, remembers by an LSTM, attends to bars; both choices can be read out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from barsmith.models.base import TrainingMetrics
from barsmith.models.neural.channels import Channels
from barsmith.models.neural.encoder import check_heads
from barsmith.models.neural.gated import AddNorm, Dense, GatedResidual
from barsmith.models.neural.machine import threads
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import RungParams
from barsmith.models.registry import register
from barsmith.models.rows import checked_windows
from barsmith.models.storage import not_fitted

AT_ONCE = 64  # windows whose weights are read out at a time
SAMPLE = 2048  # training windows that importance is the mean over


@register(name="tft", family="neural", reads="multires")
class TFTModel(NetworkModel):
    """Temporal Fusion Transformer: variable selection, LSTM, interpretable attention. Source: Lim et al. (2021).

    Every variable (of rungs: every price of every timeframe) is an observed past input; there are no static ones and none known ahead,
    so static enrichment is the paper's gated residual network without its context vector, and the LSTM begins at zero. The one
    horizon is the decision: the last bar asks, all bars of the window answer. Three logits stand where the quantiles do in the paper.
    `selection_weights` and `attention_weights` tell what a window was judged by; importance is the mean selection weight over
    training windows.
    """

    class Params(NetworkParams, RungParams):
        strategy: Literal["single", "indicators", "ingestion"] = "ingestion"
        hidden: int = Field(default=12, ge=2, le=1024, description="width of everything, a multiple of heads")
        heads: int = Field(default=4, ge=1, le=64, description="of the attention")
        dropout: float = Field(default=0.1, ge=0.0, lt=1.0)

        @model_validator(mode="after")
        def _heads_fit(self) -> Self:
            check_heads(self.hidden, self.heads, "hidden")
            return self

    _network: TFT | None = None

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return TFT(shape, n_classes, hidden=self.params.hidden, heads=self.params.heads, dropout=self.params.dropout)

    def fit(self, X_train: Any, y_train: Any, X_val: Any = None, y_val: Any = None, **keywords: Any) -> TrainingMetrics:
        """As NetworkModel.fit; afterwards the mean selection weights over evenly spaced training windows are kept beside the network."""
        told = super().fit(X_train, y_train, X_val, y_val, **keywords)
        network = self.fitted_network()
        chosen = np.unique(np.linspace(0, len(y_train) - 1, min(SAMPLE, len(y_train))).astype(np.intp))
        weights = self.explained(X_train[chosen])[0]
        network.importance.copy_(torch.from_numpy(weights.mean(axis=(0, 1), dtype=np.float64)))
        return told

    def fitted_network(self) -> TFT:
        if self._network is None:
            raise not_fitted(self)
        return self._network

    def selection_weights(self, X: Any) -> dict[str, np.ndarray]:
        """{variable: (N, T) share of its say at each bar}, oldest bar first; over the variables they sum to one. X: windows as for predict.

        A variable is a feature's name, of rungs `5m_close`.
        """
        weights = self.explained(checked_windows(X, self.feature_names, self.input_shape))[0]
        return {name: weights[:, :, i] for i, name in enumerate(self.variable_names())}

    def attention_weights(self, X: Any) -> dict[int, np.ndarray]:
        """{lag: (N,) attention that the decision pays to the bar so many bars back}, 0 the last; over the lags they sum to one."""
        attention = self.explained(checked_windows(X, self.feature_names, self.input_shape))[1]
        return {lag: attention[:, -1 - lag] for lag in range(attention.shape[1])}

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """(N, T, C) selection and (N, T) attention weights, by one thread."""
        network, found = self.fitted_network(), []
        with threads(1), torch.inference_mode():
            for first in range(0, len(X), AT_ONCE):
                _, selection, attention = network.explained(torch.from_numpy(np.ascontiguousarray(X[first : first + AT_ONCE], np.float32)))
                found.append((selection.numpy(), attention.numpy()))
        selections, attentions = zip(*found, strict=True)
        return np.concatenate(selections), np.concatenate(attentions)

    def variable_names(self) -> tuple[str, ...]:
        """The variables in the order of the channels."""
        if len(self.input_shape) == 2:
            return self.feature_names
        known = self.params.timeframes
        rungs = known if len(known) == self.input_shape[0] else tuple(f"rung{i}" for i in range(self.input_shape[0]))
        return tuple(f"{rung}_{name}" for rung in rungs for name in self.feature_names)

    def get_feature_importance(self) -> dict[str, float]:
        """Mean selection weight by feature; of rungs, a price's weights of all timeframes together."""
        weights = self.fitted_network().importance.numpy().astype(np.float64)
        shares = weights.reshape(-1, len(self.feature_names)).sum(axis=0)
        return dict(zip(self.feature_names, (shares / shares.sum()).tolist(), strict=True))


class TFT(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes)."""

    importance: Tensor

    def __init__(self, shape: Sequence[int], n_classes: int, *, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.channels = Channels(shape)
        self.register_buffer("importance", torch.zeros(self.channels.count))
        self.selection = VariableSelection(self.channels.count, hidden, dropout)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.after_lstm = AddNorm(hidden, hidden, dropout)
        self.enrichment = GatedResidual(hidden, hidden, hidden, dropout)
        self.attention = SharedValueAttention(hidden, heads)
        self.after_attention = AddNorm(hidden, hidden, dropout)
        self.feed_forward = GatedResidual(hidden, hidden, hidden, dropout)
        self.after_feed_forward = AddNorm(hidden, hidden, dropout)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.explained(x)[0]

    def explained(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, n_classes) logits, (B, T, C) weights of the variables at each bar, (B, T) attention of the last bar, both summing to one."""
        chosen, weights = self.selection(self.channels(x))
        remembered = self.lstm(chosen)[0]
        local = flat(self.after_lstm, remembered, chosen)
        enriched = flat(self.enrichment, local)
        last, local = enriched[:, -1:], local[:, -1:]
        mixed, attention = self.attention(last, enriched)
        attended = flat(self.after_attention, mixed, last)
        decided = flat(self.after_feed_forward, flat(self.feed_forward, attended), local)
        return self.head(decided[:, 0]), weights, attention[:, 0]


class VariableSelection(nn.Module):
    """(B, T, C) numbers -> (B, T, D): the variables' embeddings by their weights, and the (B, T, C) weights.

    A number x of variable v is embedded as w_v x + b_v and goes through a gated residual network of its own; another such network over
    all embeddings side by side tells the weights. Source: Lim et al. (2021), section 4.2, equations 6 to 8.
    """

    def __init__(self, variables: int, size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = Dense(variables, 1, size)
        nn.init.zeros_(self.embedding.bias)  # a shift as large as the numbers drowns them in the first norms: slow to learn, by trial
        self.each = GatedResidual(size, size, size, dropout, variables=variables)
        self.all = GatedResidual(variables * size, size, variables, dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rows, steps, variables = x.shape
        numbers = x.reshape(1, rows * steps, variables)
        skip = self.all.skip
        assert isinstance(skip, Dense)
        weights = torch.softmax(self.all.after(self.over_all(self.all.first, numbers), self.over_all(skip, numbers))[0], dim=1)
        alone = numbers[0].T[:, :, None]
        chosen = self.each.after(self.over_each(alone), self.embedding(alone))
        chosen = (chosen * weights.T[:, :, None]).sum(dim=0)
        return chosen.reshape(rows, steps, -1), weights.reshape(rows, steps, variables)

    def over_each(self, alone: Tensor) -> Tensor:
        """first(embedding(x)) of each variable, its two linear maps multiplied before the numbers come."""
        first = self.each.first
        weight = torch.bmm(self.embedding.weight, first.weight)
        return torch.bmm(alone, weight).add_(first(self.embedding.bias.view(self.embedding.shape)))

    def over_all(self, dense: Dense, numbers: Tensor) -> Tensor:
        """dense(all embeddings side by side), multiplied likewise: the (N, C x D) embeddings are never made."""
        by_variable = dense.weight.view(*self.embedding.weight.shape[::2], -1)
        weight = torch.bmm(self.embedding.weight, by_variable)[:, 0]
        return torch.baddbmm(dense(self.embedding.bias.view(1, 1, -1)), numbers, weight[None])


class SharedValueAttention(nn.Module):
    """Queries (B, Q, D) over (B, T, D) -> (B, Q, D) and the mean over heads of their weights (B, Q, T).

    Heads have queries and keys of their own and share the values, so that the mean of the weights is what acts on them.
    Source: Lim et al. (2021), section 4.4, equations 13 to 16.
    """

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, size // heads
        self.queries = nn.Linear(size, size)
        self.keys = nn.Linear(size, size)
        self.values = nn.Linear(size, self.width)
        self.out = nn.Linear(self.width, size, bias=False)

    def forward(self, asking: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.queries(asking), self.keys(told)))
        weights = torch.softmax(queries @ keys.transpose(2, 3) / math.sqrt(self.width), dim=3).mean(dim=1)
        return self.out(weights @ self.values(told)), weights


def flat(part: nn.Module, *x: Tensor) -> Tensor:
    """A gated part of one variable over (B, T, D) each."""
    rows, steps, _ = x[0].shape
    out: Tensor = part(*(each.reshape(1, rows * steps, -1) for each in x))
    return out.reshape(rows, steps, -1)
