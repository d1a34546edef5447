"""A recurrent network that reads a window from its first bar to its last and answers from what it then remembers."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn

from barsmith.models.neural.dropout import Dropout
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import WindowParams


class RecurrentParams(NetworkParams, WindowParams):
    hidden: int = Field(default=128, ge=1, le=4096, description="units of each layer")
    layers: int = Field(default=2, ge=1, le=16, description="one on top of the other")


class RecurrentNetwork(nn.Module):
    """(B, T, F) -> (B, n_classes): `layers` of cells, dropout between them and before the linear layer on the last hidden state."""

    def __init__(self, cells: type[nn.LSTM] | type[nn.GRU], n_features: int, params: RecurrentParams, n_classes: int) -> None:
        super().__init__()
        between = params.dropout if params.layers > 1 else 0.0  # PyTorch warns of dropout after an only layer
        self.cells = cells(n_features, params.hidden, params.layers, batch_first=True, dropout=between)
        self.dropout = Dropout(params.dropout)
        self.head = nn.Linear(params.hidden, n_classes)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.cells(windows)[0][:, -1]
        answer: torch.Tensor = self.head(self.dropout(hidden))
        return answer
