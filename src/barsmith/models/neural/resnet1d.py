"""ResNet for time series: three residual blocks of convolutions over time, averaged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor, nn

from barsmith.models.neural.batch_norm import BatchNorm
from barsmith.models.neural.channels import Channels, SameLength
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import RungParams
from barsmith.models.registry import register

KERNELS = (8, 5, 3)


@register(name="resnet1d", family="neural", reads="sequence")
class ResNet1DModel(NetworkModel):
    """ResNet for time series. Source: Wang, Yan & Oates (2017), section 2.3.

    Three residual blocks of `filters`, twice and twice as many filters, the mean over the window, one linear layer. Bars of several timeframes are
    read as channels of one window. The paper has no dropout; set `dropout` for one before the last layer.
    """

    class Params(NetworkParams, RungParams):
        filters: int = Field(default=64, ge=1, le=4096, description="of the first block, twice as many in the second and third")
        dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="before the last layer; none in the paper")

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        filters = self.params.filters
        return ResNet(shape, n_classes, filters=(filters, 2 * filters, 2 * filters), dropout=self.params.dropout)


class ResNet(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes)."""

    def __init__(self, shape: Sequence[int], n_classes: int, *, filters: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.channels = Channels(shape)
        sizes = [self.channels.count, *filters]
        self.blocks = nn.Sequential(*(ResidualBlock(before, after) for before, after in pairwise(sizes)))
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(sizes[-1], n_classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, filters, T): what is averaged over time."""
        maps: Tensor = self.blocks(self.channels(x).transpose(1, 2))
        return maps

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.features(x).mean(dim=2)))
        return logits


class ResidualBlock(nn.Module):
    """(B, before, T) -> (B, after, T): kernels of 8, 5 and 3 bars, added to what came in."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        sizes = [before, after, after, after]
        self.convolutions = nn.ModuleList(SameLength(sizes[i], after, kernel) for i, kernel in enumerate(KERNELS))
        self.norms = nn.ModuleList(BatchNorm(after) for _ in KERNELS)
        widening = [nn.Conv1d(before, after, 1)] if before != after else []
        self.shortcut = nn.Sequential(*widening, BatchNorm(after))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            y = norm(convolution(y))
            y = torch.relu(y) if i < len(KERNELS) - 1 else y
        return torch.relu(y + self.shortcut(x))
