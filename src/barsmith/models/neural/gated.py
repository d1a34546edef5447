"""The gated parts that the Temporal Fusion Transformer is built from, for V variables side by side, each with weights of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from barsmith.models.neural.dropout import Dropout


class Dense(nn.Module):
    """(V, N, before) -> (V, N, after): a linear layer for each variable."""

    def __init__(self, variables: int, before: int, after: int) -> None:
        super().__init__()
        self.shape, bound = (variables, 1, after), 1.0 / math.sqrt(before)
        self.weight = nn.Parameter(torch.empty(variables, before, after).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(variables * after).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.bmm(x, self.weight).add_(self.bias.view(self.shape))  # baddbmm copies the bias to every row first


class Norm(nn.Module):
    """(V, N, D): layer normalisation with a scale and a shift for each variable."""

    def __init__(self, variables: int, size: int) -> None:
        super().__init__()
        self.shape = (variables, 1, size)
        self.weight = nn.Parameter(torch.ones(variables * size))
        self.bias = nn.Parameter(torch.zeros(variables * size))

    def forward(self, x: Tensor) -> Tensor:
        normal = functional.layer_norm(x, x.shape[-1:])
        return torch.addcmul(self.bias.view(self.shape), normal, self.weight.view(self.shape))


class AddNorm(nn.Module):
    """LayerNorm(skipped + GLU(x)), where GLU(x) = (W x + b) * sigmoid(V x + c): a skip connection that can be closed.

    x: (V, N, before), skipped: (V, N, after). Source: Lim et al. (2021), equation 5 and section 4.1.
    """

    def __init__(self, before: int, after: int, dropout: float, *, variables: int = 1) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.gate = Dense(variables, before, 2 * after)
        self.norm = Norm(variables, after)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        out: Tensor = self.norm(skipped + functional.glu(self.gate(self.dropout(x))))
        return out


class GatedResidual(nn.Module):
    """(V, N, before) -> (V, N, after): LayerNorm(a + GLU(W1 ELU(W2 a + b2) + b1)); the a that is added goes through a linear map where
    sizes differ.

    Source: Lim et al. (2021), equations 2 to 4, without a context vector: there are no static inputs.
    """

    def __init__(self, before: int, hidden: int, after: int, dropout: float, *, variables: int = 1) -> None:
        super().__init__()
        self.first = Dense(variables, before, hidden)
        self.second = Dense(variables, hidden, hidden)
        self.skip = Dense(variables, before, after) if before != after else nn.Identity()
        self.add_norm = AddNorm(hidden, after, dropout, variables=variables)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.first(x), self.skip(x))

    def after(self, inner: Tensor, skipped: Tensor) -> Tensor:
        """The rest of the way from W2 a + b2 and from what is added."""
        out: Tensor = self.add_norm(self.second(functional.elu(inner)), skipped)
        return out
