"""N-BEATS: stacks of fully connected blocks that subtract what they explain; trend, seasonality or learned curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from barsmith.config.values import Listed
from barsmith.models.neural.channels import Channels
from barsmith.models.neural.doubly_residual import Basis, Block, DoublyResidual, FixedBasis, LearnedBasis
from barsmith.models.neural.network_file import reserve
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import RungParams
from barsmith.models.registry import register

LAYERS = 4  # of a block, in the paper


@register(name="nbeats", family="neural", reads="sequence")
class NBeatsModel(NetworkModel):
    """N-BEATS, its forecasts summed to class logits. Source: Oreshkin et al. (2020).

    Each block reads what the blocks before it left of the window, subtracts its backcast (a polynomial, waves, or learned curves) and adds
    its forecast, whose values are the three logits: V_f of the paper is a learned matrix from the coefficients to the classes. All channels
    are read side by side, where the paper reads one series. Trend and seasonality stacks go through one block `blocks` times, as in
    the interpretable configuration; a generic stack has `blocks` of its own. The last block has no backcast, since nobody would read it.
    """

    class Params(NetworkParams, RungParams):
        stacks: Annotated[tuple[Literal["trend", "seasonality", "generic"], ...], Listed] = Field(
            default=("trend", "seasonality", "generic"),
            min_length=1,
            max_length=64,
            description="what each subtracts from the window: a polynomial, waves, learned curves",
        )
        blocks: int = Field(default=3, ge=1, le=64, description="of a stack")
        hidden: int = Field(default=256, ge=1, le=4096, description="width of a block's four layers")
        coefficients: int = Field(default=32, ge=1, le=4096, description="of a forecast, and of a generic block's backcast")
        degree: int = Field(default=2, ge=0, le=8, description="of a trend's polynomial")
        harmonics: int = Field(default=4, ge=1, le=512, description="waves a window of a seasonality, at most")
        dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="after each layer; none in the paper")

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        names = ("stacks", "blocks", "hidden", "coefficients", "degree", "harmonics", "dropout")
        return NBeats(shape, n_classes, **{name: getattr(self.params, name) for name in names})


class NBeats(DoublyResidual):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes)."""

    def __init__(
        self,
        shape: Sequence[int],
        n_classes: int,
        *,
        stacks: Sequence[str],
        blocks: int,
        hidden: int,
        coefficients: int,
        degree: int,
        harmonics: int,
        dropout: float,
    ) -> None:
        channels = Channels(shape)
        steps, count = channels.steps, channels.count
        curves = {"trend": trend_curves(steps, degree), "seasonality": seasonal_curves(steps, harmonics)}

        def block(kind: str, is_last: bool) -> Block:
            basis: Basis | None = None
            if not is_last:
                basis = LearnedBasis(coefficients, steps, count) if kind == "generic" else FixedBasis(curves[kind], count)
            layers = (hidden,) * LAYERS
            return Block(steps, count, n_classes, basis, hidden=layers, coefficients=coefficients, dropout=dropout)

        made: list[tuple[list[Block], int]] = []
        for number, kind in enumerate(stacks):
            is_last = number == len(stacks) - 1
            if kind == "generic":
                made.append(([block(kind, is_last and i == blocks - 1) for i in range(blocks)], 1))
            else:
                made.append(([block(kind, is_last and blocks == 1)], blocks))
        super().__init__(channels, made)


def trend_curves(steps: int, degree: int) -> Tensor:
    """(T, degree + 1): powers of time, which runs from 0 to just below 1 over the window. Source: Oreshkin et al. (2020), section 3.3."""
    reserve(steps, degree + 1)
    time = torch.arange(steps, dtype=torch.float64) / steps
    return time[:, None] ** torch.arange(degree + 1)


def seasonal_curves(steps: int, harmonics: int) -> Tensor:
    """(T, 1 + 2 h): a constant, then cosines and sines of 1 to h waves a window, h = `harmonics` or what fits: fewer than half the bars.

    Source: Oreshkin et al. (2020), section 3.3, which takes all that fit.
    """
    reserve(steps, 2 * min(harmonics, (steps - 1) // 2) + 1)
    time = torch.arange(steps, dtype=torch.float64) / steps
    angle = 2.0 * math.pi * time[:, None] * torch.arange(1, min(harmonics, (steps - 1) // 2) + 1)
    return torch.cat([torch.ones(steps, 1, dtype=torch.float64), torch.cos(angle), torch.sin(angle)], dim=1)
