"""N-HiTS: blocks that read the window at several rates and draw what they explain through few knots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from barsmith.config import wrong
from barsmith.config.values import Listed
from barsmith.models.neural.channels import Channels
from barsmith.models.neural.doubly_residual import Block, DoublyResidual, FixedBasis
from barsmith.models.neural.network_file import reserve
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import WindowParams
from barsmith.models.registry import register

Rate = Annotated[int, Field(ge=1, le=10_000)]


@register(name="nhits", family="neural", reads="sequence")
class NHitsModel(NetworkModel):
    """N-HiTS: the window at several rates, its forecasts summed to class logits. Source: Challu et al. (2023).

    Stack s sees the maximum of every `pools[s]` bars and draws its backcast through a knot for every `downsample[s]` bars, joined by straight
    lines, so that the first stacks explain what is slow and the last what is fast. The paper draws backcast and forecast so (section 3.3);
    the authors' code only the forecast, whose curve has no place here: forecasts go to the classes as in `nbeats`. The last block has
    no backcast. All channels are read side by side, where the paper reads one series; the code's level, the last value, is left out.
    """

    class Params(NetworkParams, WindowParams):
        pools: Annotated[tuple[Rate, ...], Listed] = Field(
            default=(2, 2, 1), min_length=1, max_length=64, description="bars under one maximum, for each stack"
        )
        downsample: Annotated[tuple[Rate, ...], Listed] = Field(
            default=(4, 2, 1), min_length=1, max_length=64, description="bars to a knot of the backcast, for each stack"
        )
        blocks: int = Field(default=1, ge=1, le=64, description="of a stack")
        hidden: int = Field(default=512, ge=1, le=4096, description="width of each layer")
        layers: int = Field(default=2, ge=1, le=16, description="of a block")
        coefficients: int = Field(default=32, ge=1, le=4096, description="of a forecast")
        dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="after each layer; none in the paper")

        @model_validator(mode="after")
        def _a_rate_for_each_stack(self) -> Self:
            if len(self.pools) != len(self.downsample):
                came = f"{len(self.pools)} in pools, {len(self.downsample)} in downsample"
                raise wrong("config/inconsistent", "one number for each stack in both", came, "give both as many", "training.downsample")
            return self

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        names = ("pools", "downsample", "blocks", "hidden", "layers", "coefficients", "dropout")
        return NHits(shape, n_classes, **{name: getattr(self.params, name) for name in names})


class NHits(DoublyResidual):
    """(B, T, F) -> (B, n_classes)."""

    def __init__(
        self,
        shape: Sequence[int],
        n_classes: int,
        *,
        pools: Sequence[int],
        downsample: Sequence[int],
        blocks: int,
        hidden: int,
        layers: int,
        coefficients: int,
        dropout: float,
    ) -> None:
        channels = Channels(shape)
        steps, count = channels.steps, channels.count

        def block(pool: int, rate: int, is_last: bool) -> Block:
            basis = None if is_last else FixedBasis(knot_curves(steps, max(steps // rate, 1)), count)
            sizes, pool = (hidden,) * layers, min(pool, steps)
            return Block(steps, count, n_classes, basis, hidden=sizes, coefficients=coefficients, dropout=dropout, pool=pool)

        rates = [(pool, rate) for pool, rate in zip(pools, downsample, strict=True) for _ in range(blocks)]
        made = [block(pool, rate, i == len(rates) - 1) for i, (pool, rate) in enumerate(rates)]
        super().__init__(channels, [(made[first : first + blocks], 1) for first in range(0, len(made), blocks)])


def knot_curves(steps: int, knots: int) -> Tensor:
    """(T, knots): linear interpolation between `knots` values spread over the window, as a matrix whose rows sum to one.

    Knot k stands in the middle of the k-th of `knots` equal parts, and it is level before the first and after the last: the places of the
    authors' code, F.interpolate(mode="linear", align_corners=False). The paper's formula has knot k at the first bar of its part.
    Source: Challu et al. (2023), section 3.3.
    """
    reserve(steps, knots)
    place = ((torch.arange(steps, dtype=torch.float64) + 0.5) * knots / steps - 0.5).clamp(0.0, knots - 1.0)
    return (1.0 - (place[:, None] - torch.arange(knots)).abs()).clamp(min=0.0)
