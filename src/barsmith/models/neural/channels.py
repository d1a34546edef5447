"""The door of every network that reads windows or rungs: (B, T, F) or (B, R, T, 4) goes on as (B, T, C)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

#: A standard deviation below which a channel counts as constant: no price moves by one part in a hundred million.
LEAST = 1e-8


class Channels(nn.Module):
    """(B, T, F) as it is; (B, R, T, 4) as (B, T, 4 R), each channel standardised. Channel 4 r + k is price k of rung r.

    shape: of one sample, (T, F) or (R, T, 4). Features come scaled; prices come as a ratio to the last close, about 0.001, and larger
    the longer the rung, which is too small for batch normalisation's epsilon and for the first steps of any optimiser.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        *rungs, self.steps, columns = shape
        self.count = columns * (rungs[0] if rungs else 1)
        self.scale = Standardised(self.count) if rungs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 4:
            x = x.permute(0, 2, 1, 3).reshape(len(x), self.steps, self.count)
        scaled: Tensor = self.scale(x)
        return scaled


class Standardised(nn.Module):
    """(B, T, C) less the mean, over the standard deviation of each channel, over all training windows so far.

    The moments are buffers, saved with the weights; training and scoring divide by the same numbers, so that a batch of one row is as
    good as any. Moments of batches are put together as in Chan, Golub & LeVeque (1983).
    """

    mean: Tensor
    variance: Tensor
    rows: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.zeros(channels))
        self.register_buffer("rows", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.learn(x.detach())
        deviation = torch.where(self.variance > LEAST**2, self.variance, 1.0).sqrt()
        return (x - self.mean) / deviation

    @torch.no_grad()
    def learn(self, x: Tensor) -> None:
        variance, mean = torch.var_mean(x, dim=(0, 1), correction=0)
        share = len(x) / (self.rows + len(x))
        step = mean - self.mean
        self.variance += share * (variance - self.variance) + share * (1.0 - share) * step**2
        self.mean += share * step
        self.rows += len(x)


class SameLength(nn.Conv1d):
    """A convolution of (B, C, T), padded with zeros to T outputs; an even kernel's odd zero stands at the end."""

    def forward(self, input: Tensor) -> Tensor:
        zeros = self.kernel_size[0] - 1
        return super().forward(functional.pad(input, (zeros // 2, zeros - zeros // 2)))
