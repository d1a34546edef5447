"""A temporal convolutional network: dilated causal convolutions in residual blocks, read out at the last bar."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import WindowParams
from barsmith.models.registry import register


def receptive_field(levels: int, kernel: int) -> int:
    """Bars that the last output looks at: two convolutions a block, dilated by 1, 2, 4, ...

    >>> receptive_field(levels=4, kernel=3)
    61
    """
    return 1 + 2 * (kernel - 1) * (2**levels - 1)


def levels_for(length: int, kernel: int) -> int:
    """The fewest blocks that look at `length` bars.

    >>> levels_for(60, kernel=3), levels_for(62, kernel=3)
    (4, 5)
    """
    levels = 1
    while receptive_field(levels, kernel) < length:
        levels += 1
    return levels


@register(name="tcn", family="neural", reads="sequence")
class TCNModel(NetworkModel):
    """Temporal convolutional network: weight-normed dilated causal convolutions with residuals. Source: Bai, Kolter & Koltun (2018).

    It looks at 1 + 2 (kernel - 1) (2^levels - 1) bars; by default it has the fewest levels that look at the whole window.
    """

    class Params(NetworkParams, WindowParams):
        channels: int = Field(default=64, ge=1, le=4096, description="of each convolution")
        kernel: int = Field(default=3, ge=2, le=64, description="bars that a convolution looks at")
        levels: int | None = Field(default=None, ge=1, le=16, description="residual blocks; null: as many as look at the whole window")

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        params = self.params
        levels = params.levels or levels_for(shape[0], params.kernel)
        return TCN(shape[-1], params.channels, params.kernel, levels, params.dropout, n_classes)


class TCN(nn.Module):
    """(B, T, F) -> (B, n_classes). Only the steps that the last output looks at are computed.

    The block dilated by 2^i needs every 2^i-th step, counted from the last: on these steps alone its convolutions are plain ones.
    """

    def __init__(self, n_features: int, channels: int, kernel: int, levels: int, dropout: float, n_classes: int) -> None:
        super().__init__()
        widths = [n_features, *[channels] * levels]
        self.blocks = nn.ModuleList(Block(before, after, kernel, dropout) for before, after in pairwise(widths))
        self.head = nn.Linear(channels, n_classes)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        steps = windows.transpose(1, 2)
        for number, block in enumerate(self.blocks):
            if number:
                steps = steps[:, :, (steps.shape[2] - 1) % 2 :: 2]
            steps = block(steps)
        answer: torch.Tensor = self.head(steps[:, :, -1])
        return answer


class Block(nn.Module):
    """Two causal convolutions with weight norm, ReLU and dropout, beside the input (through a 1x1 convolution where widths differ)."""

    def __init__(self, before: int, after: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.reach = kernel - 1
        self.first = weight_norm(started(nn.Conv1d(before, after, kernel)))
        self.second = weight_norm(started(nn.Conv1d(after, after, kernel)))
        self.dropout = Dropout(dropout)
        self.beside = nn.Identity() if before == after else started(nn.Conv1d(before, after, 1))

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        inner = steps
        for convolution in (self.first, self.second):
            inner = self.dropout(functional.relu(convolution(functional.pad(inner, (self.reach, 0)))))
        return functional.relu(inner + self.beside(steps))


def started(convolution: nn.Conv1d) -> nn.Conv1d:
    """With the first weights of He et al. (2015) for ReLU; those of the paper's code (normal, 0.01) start so flat that deep ones stand still."""
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return convolution
