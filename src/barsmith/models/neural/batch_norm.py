"""Batch normalisation that a training batch with a single value does not stop."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class BatchNorm(nn.BatchNorm1d):
    """(B, C, T) or (B, C), as PyTorch's; one value a channel has no deviation and is measured by the running moments.

    While scoring the running moments alone count, so that a row's answer does not depend on its batch.
    Source: Ioffe & Szegedy (2015).
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.training and input.numel() == self.num_features:
            return functional.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        return super().forward(input)
