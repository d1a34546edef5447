"""PatchTST: each variable by itself, cut into patches, through one Transformer encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from barsmith.config import wrong
from barsmith.errors import DataError
from barsmith.models.neural.channels import Channels
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.encoder import EncoderLayer, EncoderParams
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.revin import RevIN
from barsmith.models.params import RungParams
from barsmith.models.registry import register


@register(name="patchtst", family="neural", reads="multires")
class PatchTSTModel(NetworkModel):
    """PatchTST: patches of each variable through one encoder. Source: Nie et al. (2023).

    Every variable (of rungs: every price of every timeframe) is normalised in its window, cut into patches of `patch_len` bars every `stride`,
    and encoded alone with weights that all share; one linear layer over all of it gives the logits, as in the paper's flatten head.
    Normalised means that adding a constant to a variable's window or scaling it changes nothing: switch `revin` off where a level tells
    something. Without the residual attention scores of the authors' code.
    """

    class Params(EncoderParams, RungParams):
        strategy: Literal["single", "indicators", "ingestion"] = "ingestion"
        patch_len: int = Field(default=16, ge=1, le=10_000, description="bars of a patch, at most seq_len")
        stride: int = Field(default=8, ge=1, le=10_000, description="bars from one patch to the next")
        d_model: int = Field(default=16, ge=1, le=4096, description="width of a patch's embedding, a multiple of heads")
        layers: int = Field(default=2, ge=1, le=32)
        d_feedforward: int = Field(default=64, ge=1, le=16_384)
        revin: bool = Field(
            default=True, description="each variable by its own mean and deviation in the window; false where a level tells something"
        )

        @model_validator(mode="after")
        def _patches_fit(self) -> Self:
            if self.patch_len > self.seq_len:
                do = "choose a shorter patch_len or a longer seq_len"
                raise wrong("config/inconsistent", f"at most seq_len, {self.seq_len} bars", str(self.patch_len), do, "training.patch_len")
            return self

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        if self.params.patch_len > shape[-2]:
            raise DataError(
                "models/shape",
                expected=f"windows of at least patch_len, {self.params.patch_len} bars",
                came=f"windows of {shape[-2]}",
                do="choose a shorter patch_len or a longer seq_len",
            )
        names = ("patch_len", "stride", "d_model", "heads", "layers", "d_feedforward", "dropout", "revin")
        return PatchTST(shape, n_classes, **{name: getattr(self.params, name) for name in names})


class PatchTST(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes)."""

    def __init__(
        self,
        shape: Sequence[int],
        n_classes: int,
        *,
        patch_len: int,
        stride: int,
        d_model: int,
        heads: int,
        layers: int,
        d_feedforward: int,
        dropout: float,
        revin: bool,
    ) -> None:
        super().__init__()
        self.channels = Channels(shape)
        self.revin = RevIN() if revin else nn.Identity()
        self.patch_len, self.stride = patch_len, stride
        self.patches = (self.channels.steps - patch_len) // stride + 2
        self.embedding = nn.Linear(patch_len, d_model)
        self.position = nn.Parameter(torch.empty(self.patches, d_model).uniform_(-0.02, 0.02))
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(d_model, heads, d_feedforward, dropout, is_batch_normed=True) for _ in range(layers))
        self.head = nn.Linear(self.channels.count * self.patches * d_model, n_classes)

    def patched(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, C, patches, patch_len); the last bar is repeated `stride` times before the cut, as in the paper."""
        padded = functional.pad(x.transpose(1, 2), (0, self.stride), mode="replicate")
        return padded.unfold(dimension=2, size=self.patch_len, step=self.stride)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embedding(self.patched(self.revin(self.channels(x)))) + self.position
        tokens = self.dropout(tokens).flatten(end_dim=1)  # variables beside each other: none sees another
        for layer in self.layers:
            tokens = layer(tokens)
        logits: Tensor = self.head(self.dropout(tokens.reshape(len(x), -1)))
        return logits
