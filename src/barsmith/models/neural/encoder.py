"""The encoder layer that PatchTST and iTransformer share: attention and two dense layers, each added and normalised afterwards."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from barsmith.config import wrong
from barsmith.models.neural.batch_norm import BatchNorm
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.params import NetworkParams


class EncoderParams(NetworkParams):
    d_model: int = Field(default=64, ge=1, le=4096, description="width of a variable's embedding, a multiple of heads")
    heads: int = Field(default=4, ge=1, le=64, description="of each layer")
    layers: int = Field(default=2, ge=1, le=32, description="one on top of the other")
    d_feedforward: int = Field(default=128, ge=1, le=16_384, description="width inside each layer")

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        check_heads(self.d_model, self.heads, "d_model")
        return self


def check_heads(size: int, heads: int, name: str) -> None:
    """Refuse, as `config/inconsistent`, heads that cannot share a size equally."""
    if size % heads:
        do = f"choose a {name} that is a multiple of heads"
        raise wrong("config/inconsistent", f"{name} a multiple of heads", f"{name} {size} and {heads} heads", do, f"training.{name}")


class EncoderLayer(nn.Module):
    """(S, P, D) -> the same shape: every token of a series sees all P of them. Source: Vaswani et al. (2017), with GELU.

    is_batch_normed: normalise each of the D numbers over the batch (PatchTST) and not each token by itself (iTransformer).
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float, *, is_batch_normed: bool) -> None:
        super().__init__()
        self.heads = n_heads
        self.queries_keys_values = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.feed_forward = nn.Sequential(nn.Linear(d_model, d_ff), nn.GELU(), Dropout(dropout), nn.Linear(d_ff, d_model))
        norm = BatchNorm if is_batch_normed else nn.LayerNorm
        self.norms = nn.ModuleList(norm(d_model) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normed(0, x + self.dropout(self.attended(x)))
        return self.normed(1, x + self.dropout(self.feed_forward(x)))

    def attended(self, x: Tensor) -> Tensor:
        series, tokens, width = x.shape
        parts = self.queries_keys_values(x).reshape(series, tokens, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(series, tokens, width))
        return out

    def normed(self, which: int, x: Tensor) -> Tensor:
        flat: Tensor = self.norms[which](x.reshape(-1, x.shape[-1]))
        return flat.reshape(x.shape)
