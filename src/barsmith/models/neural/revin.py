"""Reversible instance normalisation: each window is measured by its own mean and deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RevIN(nn.Module):
    """(B, T, C) -> each channel of each window less its mean over T, over its standard deviation.

    A forecaster undoes this at its output; a classifier has nothing to undo, so only the first half of the paper stands here. What is
    lost is the window's own level and size: whoever needs them switches `revin` off. Source: Kim et al. (2022), equation 2, epsilon as in
    the authors' code; without the learned scale and shift, as PatchTST's code (`affine` 0) and iTransformer's have it.
    """

    def __init__(self, *, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        return (x - mean) / torch.sqrt(variance + self.epsilon)
