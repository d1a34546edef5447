"""Dropout that draws four masks from one random number: on the CPU the drawing costs more than the layers beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

PARTS = 1 << 16  # a share is a multiple of one part


class Dropout(nn.Module):
    """While training a share `p` of the numbers is zero and the others are larger by 1 / (1 - p). Source: Srivastava et al. (2014).

    p: is rounded to a multiple of 1 / 65,536 on the CPU. The numbers come from the process's generator there, as PyTorch's own would.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.parts = p, min(round(p * PARTS), PARTS - 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None).view(torch.int16)[: x.numel()]
        kept = (drawn.view(x.shape) >= self.parts - PARTS // 2).to(x.dtype)
        return x * kept.mul_(PARTS / (PARTS - self.parts))

    def extra_repr(self) -> str:
        return f"p={self.p}"
