"""A transformer encoder over the last bars, read out at the last one."""

from __future__ import annotations

import math
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import nn

from barsmith.config import wrong
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.network_file import reserve
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import WindowParams
from barsmith.models.registry import register


@register(name="transformer", family="neural", reads="sequence")
class TransformerModel(NetworkModel):
    """Transformer encoder with sinusoidal positions. Source: Vaswani et al. (2017), section 3.

    Normalised before each part, not after it (Xiong et al., 2020): trains without a long warm-up. All bars of a window are past
    when the decision falls, so every bar may look at every other; the answer is read at the last.
    """

    class Params(NetworkParams, WindowParams):
        d_model: int = Field(default=64, ge=2, le=4096, description="width of a bar's embedding, even and a multiple of heads")
        heads: int = Field(default=4, ge=1, le=64, description="of each layer")
        layers: int = Field(default=2, ge=1, le=32, description="one on top of the other")
        d_feedforward: int = Field(default=256, ge=1, le=16_384, description="width inside each layer")

        @model_validator(mode="after")
        def _heads_fit(self) -> Self:
            if self.d_model % self.heads or self.d_model % 2:
                came = f"d_model {self.d_model} and {self.heads} heads"
                do = "choose a d_model that is even and a multiple of heads"
                raise wrong("config/inconsistent", "d_model even and a multiple of heads", came, do, "training.d_model")
            return self

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return Transformer(shape, self.params, n_classes)


class Transformer(nn.Module):
    """(B, T, F) -> (B, n_classes)."""

    positions: torch.Tensor

    def __init__(self, shape: tuple[int, ...], params: TransformerModel.Params, n_classes: int) -> None:
        super().__init__()
        width = params.d_model
        self.embedding = nn.Linear(shape[1], width)
        self.register_buffer("positions", sinusoids(shape[0], width), persistent=False)
        self.dropout = Dropout(params.dropout)
        layer = nn.TransformerEncoderLayer(
            width, params.heads, params.d_feedforward, params.dropout, activation="relu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, params.layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, n_classes)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        steps = self.dropout(self.embedding(windows) + self.positions)
        answer: torch.Tensor = self.head(self.encoder(steps)[:, -1])
        return answer


def sinusoids(length: int, width: int) -> torch.Tensor:
    """(length, width): sin(t / 10000^(2i / width)) in column 2i, the cosine in column 2i + 1."""
    reserve(length, width)
    time = torch.arange(length, dtype=torch.float32)[:, None]
    speed = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    return torch.stack((torch.sin(time * speed), torch.cos(time * speed)), dim=2).reshape(length, width)
