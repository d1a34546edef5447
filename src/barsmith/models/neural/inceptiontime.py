"""InceptionTime: convolutions of three lengths side by side, six deep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from barsmith.models.neural.batch_norm import BatchNorm
from barsmith.models.neural.channels import Channels, SameLength
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import RungParams
from barsmith.models.registry import register

#: A shortcut goes around every third module.
RESIDUAL = 3


@register(name="inceptiontime", family="neural", reads="sequence")
class InceptionTimeModel(NetworkModel):
    """InceptionTime: kernels of three lengths side by side, six deep. Source: Ismail Fawaz et al. (2020).

    Kernels of `kernel`, half and a quarter of it over a bottleneck, beside a pooled branch; a shortcut around every third module; the mean
    over the window, one linear layer. Bars of several timeframes are read as channels of one window. The paper averages five such
    networks: `ensemble` says how many, 1 by default, since each costs the whole training time. They see the same batches and differ in
    their first weights; the paper has no dropout.
    """

    class Params(NetworkParams, RungParams):
        ensemble: int = Field(
            default=1,
            ge=1,
            le=32,
            description="networks whose probabilities are averaged; five in the paper, each costs the whole training time",
        )
        depth: int = Field(default=6, ge=1, le=64, description="inception modules, a shortcut around every third")
        filters: int = Field(default=32, ge=1, le=1024, description="of each of a module's four branches")
        bottleneck: int = Field(default=32, ge=1, le=1024, description="channels that the kernels read")
        kernel: int = Field(default=40, ge=4, le=1024, description="the longest; the others have half and a quarter of it")
        dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="before the last layer; none in the paper")

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        params = self.params
        sizes = {"depth": params.depth, "filters": params.filters, "bottleneck": params.bottleneck, "kernel": params.kernel}
        return InceptionTime(shape, n_classes, ensemble=params.ensemble, dropout=params.dropout, **sizes)


class InceptionTime(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes): the logarithm of the mean probability of its networks.

    While training (B, ensemble, n_classes), the networks' own logits, so that each learns by itself. learners: what is clipped by itself.
    """

    def __init__(
        self, shape: Sequence[int], n_classes: int, *, ensemble: int, depth: int, filters: int, bottleneck: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.channels = Channels(shape)
        sizes = {"depth": depth, "filters": filters, "bottleneck": bottleneck}
        kernels = (kernel, kernel // 2, kernel // 4)
        self.networks = nn.ModuleList(
            InceptionNetwork(self.channels.count, n_classes, kernels=kernels, dropout=dropout, **sizes) for _ in range(ensemble)
        )

    @property
    def learners(self) -> Iterable[nn.Module]:
        return self.networks

    def forward(self, x: Tensor) -> Tensor:
        x = self.channels(x)
        answers = torch.stack([network(x) for network in self.networks], dim=1)
        if self.training:
            return answers
        return torch.logsumexp(functional.log_softmax(answers, dim=2), dim=1)  # of the sum: softmax divides by how many there are


class InceptionNetwork(nn.Module):
    """(B, T, C) -> (B, n_classes)."""

    def __init__(
        self, channels: int, n_classes: int, *, depth: int, filters: int, bottleneck: int, kernels: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        width = (len(kernels) + 1) * filters
        sizes = [channels] + [width] * depth
        self.inceptions = nn.ModuleList(Inception(size, filters, bottleneck, kernels) for size in sizes[:-1])
        self.shortcuts = nn.ModuleList(
            nn.Sequential(nn.Conv1d(sizes[i], width, 1, bias=False), BatchNorm(width)) for i in range(0, depth - RESIDUAL + 1, RESIDUAL)
        )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """(B, width, T): what is averaged over time."""
        y = around = x.transpose(1, 2)
        for i, inception in enumerate(self.inceptions):
            y = inception(y)
            if i % RESIDUAL == RESIDUAL - 1:
                y = around = torch.relu(y + self.shortcuts[i // RESIDUAL](around))
        return y

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.features(x).mean(dim=2)))
        return logits


class Inception(nn.Module):
    """(B, C, T) -> (B, (kernels + 1) x filters, T): kernels over a bottleneck, and a maximum of three bars, beside each other."""

    def __init__(self, channels: int, filters: int, bottleneck: int, kernels: Sequence[int]) -> None:
        super().__init__()
        narrow = bottleneck if channels > 1 else 1
        self.bottleneck = nn.Conv1d(channels, bottleneck, 1, bias=False) if channels > 1 else nn.Identity()
        self.convolutions = nn.ModuleList(SameLength(narrow, filters, kernel, bias=False) for kernel in kernels)
        self.pool = nn.MaxPool1d(3, stride=1, padding=1)
        self.after_pool = nn.Conv1d(channels, filters, 1, bias=False)
        self.norm = BatchNorm((len(kernels) + 1) * filters)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.bottleneck(x)
        branches = [convolution(narrow) for convolution in self.convolutions]
        return torch.relu(self.norm(torch.cat([*branches, self.after_pool(self.pool(x))], dim=1)))
