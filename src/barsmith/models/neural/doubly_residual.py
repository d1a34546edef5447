"""Blocks that take from the window what they can explain and add what it says about the classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from barsmith.models.neural.channels import Channels
from barsmith.models.neural.dropout import Dropout


class Block(nn.Module):
    """(B, T, C) -> its logits (B, n_classes) and its backcast (B, T, C), which is None where it has no basis.

    pool: bars under one maximum before the window is read. Layers with ReLU, then two linear maps to the coefficients of the backcast
    and of the forecast. basis: coefficients (B, basis.size) -> (B, T, C). The horizon's values of the papers are the classes' logits
    here: classes have no time that a curve could run over, so the forecast's basis is a learned matrix in every block.
    """

    def __init__(
        self,
        steps: int,
        channels: int,
        n_classes: int,
        basis: Basis | None,
        *,
        hidden: Sequence[int],
        coefficients: int,
        dropout: float,
        pool: int = 1,
    ) -> None:
        super().__init__()
        self.pool = nn.MaxPool1d(pool, ceil_mode=True) if pool > 1 else nn.Identity()
        sizes = [-(-steps // pool) * channels, *hidden]
        layers = [(nn.Linear(before, after), nn.ReLU(), Dropout(dropout)) for before, after in pairwise(sizes)]
        self.layers = nn.Sequential(*(part for layer in layers for part in layer))
        self.forward_coefficients = nn.Linear(sizes[-1], coefficients, bias=False)
        self.forecast = nn.Linear(coefficients, n_classes)
        self.basis = basis
        self.backward_coefficients = None if basis is None else nn.Linear(sizes[-1], basis.size, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        read = self.pool(x.transpose(1, 2))
        hidden = self.layers(read.flatten(start_dim=1))
        logits = self.forecast(self.forward_coefficients(hidden))
        if self.basis is None or self.backward_coefficients is None:
            return logits, None
        return logits, self.basis(self.backward_coefficients(hidden))


class DoublyResidual(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes): the sum of the blocks' logits, each block reading what those before it left.

    stacks: their blocks, and how often each stack is gone through. Source: Oreshkin et al. (2020), section 3.2.
    """

    def __init__(self, channels: Channels, stacks: Sequence[tuple[Sequence[Block], int]]) -> None:
        super().__init__()
        self.channels = channels
        self.stacks = nn.ModuleList(nn.ModuleList(blocks) for blocks, _ in stacks)
        self.rounds = [rounds for _, rounds in stacks]

    def decomposed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, n_classes) logits of each stack, and (B, T, C) what the last block was given."""
        residual = left = self.channels(x)
        answers = []
        for stack, rounds in zip(self.stacks, self.rounds, strict=True):
            logits: list[Tensor] = []
            for block in [*stack] * rounds:  # type: ignore[misc]
                residual = left
                forecast, backcast = block(residual)
                logits.append(forecast)
                left = residual if backcast is None else residual - backcast
            answers.append(torch.stack(logits).sum(dim=0))
        return torch.stack(answers, dim=1), residual

    def forward(self, x: Tensor) -> Tensor:
        return self.decomposed(x)[0].sum(dim=1)


class Basis(nn.Module):
    """(B, size) coefficients -> (B, T, C)."""

    size: int


class FixedBasis(Basis):
    """Each channel is K coefficients on the K columns of `curves` (T, K)."""

    curves: Tensor

    def __init__(self, curves: Tensor, channels: int) -> None:
        super().__init__()
        self.register_buffer("curves", curves.to(torch.float32), persistent=False)
        self.size = curves.shape[1] * channels

    def forward(self, coefficients: Tensor) -> Tensor:
        return torch.matmul(self.curves, coefficients.reshape(len(coefficients), self.curves.shape[1], -1))


class LearnedBasis(Basis):
    """A learned matrix over the whole window."""

    def __init__(self, size: int, steps: int, channels: int) -> None:
        super().__init__()
        self.size, self.shape = size, (steps, channels)
        self.curves = nn.Linear(size, steps * channels)

    def forward(self, coefficients: Tensor) -> Tensor:
        window: Tensor = self.curves(coefficients).reshape(len(coefficients), *self.shape)
        return window
