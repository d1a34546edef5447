"""iTransformer: one token for each variable's whole window, attention between variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from barsmith.models.neural.channels import Channels
from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.encoder import EncoderLayer, EncoderParams
from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.revin import RevIN
from barsmith.models.params import RungParams
from barsmith.models.registry import register


@register(name="itransformer", family="neural", reads="multires")
class ITransformerModel(NetworkModel):
    """iTransformer: a token for each variable, attention between them. Source: Liu et al. (2024).

    Every variable's window (of rungs: every price of every timeframe) is normalised by its own mean and deviation and becomes one token; an
    encoder with layer normalisation lets the tokens see each other; GELU and one linear layer over all of them give the logits, as in the
    authors' code for classification. That code leaves the window's normalisation out for classes; here it is on, as in the paper's
    forecasts, so that adding a constant to a variable's window or scaling it changes nothing: switch `revin` off where a level tells something.
    """

    class Params(EncoderParams, RungParams):
        strategy: Literal["single", "indicators", "ingestion"] = "ingestion"
        dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
        revin: bool = Field(
            default=True, description="each variable by its own mean and deviation in the window; false where a level tells something"
        )

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        names = ("d_model", "heads", "layers", "d_feedforward", "dropout", "revin")
        return ITransformer(shape, n_classes, **{name: getattr(self.params, name) for name in names})


class ITransformer(nn.Module):
    """(B, T, F) or (B, R, T, 4) -> (B, n_classes)."""

    def __init__(
        self,
        shape: Sequence[int],
        n_classes: int,
        *,
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
        self.embedding = nn.Linear(self.channels.steps, d_model)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(EncoderLayer(d_model, heads, d_feedforward, dropout, is_batch_normed=False) for _ in range(layers))
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear(self.channels.count * d_model, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        windows = self.revin(self.channels(x)).transpose(1, 2)
        tokens = self.dropout(self.embedding(windows))
        for layer in self.layers:
            tokens = layer(tokens)
        told = self.dropout(functional.gelu(self.norm(tokens)))
        logits: Tensor = self.head(told.flatten(start_dim=1))
        return logits
