"""AdamW by PyTorch's fused function on plain tensors: its Optimizer class would load the compiler, seconds and a folder under /tmp."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.optim.adamw import adamw

BETAS, EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """The two moments of each parameter. What is a matrix shrinks by `weight_decay`; biases and scales, of whatever shape, do not.

    Source: Loshchilov & Hutter (2019).
    """

    def __init__(self, network: nn.Module, weight_decay: float) -> None:
        self.parameters = dict(network.named_parameters())
        self.weight_decay = weight_decay
        self.state: dict[str, torch.Tensor] = {}
        for name, parameter in self.parameters.items():
            self.state[f"mean.{name}"] = torch.zeros_like(parameter)
            self.state[f"square.{name}"] = torch.zeros_like(parameter)
            self.state[f"steps.{name}"] = torch.zeros((), device=parameter.device)

    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in self.state.items():
            tensor.copy_(state[name])

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move all parameters that have a gradient, and forget their gradients."""
        for is_matrix in (True, False):
            chosen = {name: p for name, p in self.parameters.items() if p.grad is not None and shrinks(p) == is_matrix}
            adamw(
                list(chosen.values()),
                [p.grad for p in chosen.values() if p.grad is not None],
                [self.state[f"mean.{name}"] for name in chosen],
                [self.state[f"square.{name}"] for name in chosen],
                [],
                [self.state[f"steps.{name}"] for name in chosen],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=self.weight_decay if is_matrix else 0.0,
                eps=EPSILON,
                maximize=False,
            )
        for parameter in self.parameters.values():
            parameter.grad = None


def shrinks(parameter: torch.Tensor) -> bool:
    """A weight norm's scales (channels, 1, 1) are a vector."""
    return sum(size > 1 for size in parameter.shape) > 1
