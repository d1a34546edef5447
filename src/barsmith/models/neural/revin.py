"""Reversible instance normalisation: each window is measured by its own mean and deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RevIN(nn.Module):
    """(B, T, C) -> each channel of each window less its mean over T, over its standard deviation; then a learned scale and shift.

    A forecaster undoes this at its output; a classifier has nothing to undo, so only the first half of the paper stands here. What is
    lost is the window's own level and size: whoever needs them switches `revin` off. Source: Kim et al. (2022), equation 2, epsilon as in
    the authors' code.
    """

    def __init__(self, channels: int, *, is_affine: bool = True, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.weight = nn.Parameter(torch.ones(channels)) if is_affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if is_affine else None

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        normal = (x - mean) / torch.sqrt(variance + self.epsilon)
        return normal if self.weight is None or self.bias is None else normal * self.weight + self.bias
