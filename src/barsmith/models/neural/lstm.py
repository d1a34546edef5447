"""Long short-term memory on the last bars up to each decision."""

from __future__ import annotations

from torch import nn

from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.recurrent import RecurrentNetwork, RecurrentParams
from barsmith.models.neural.recurrent_scoring import RecurrentScorer
from barsmith.models.neural.scoring import WindowScorer
from barsmith.models.registry import register


@register(name="lstm", family="neural", reads="sequence")
class LSTMModel(NetworkModel):
    """Long short-term memory. Source: Hochreiter & Schmidhuber (1997), with the forget gate of Gers, Schmidhuber & Cummins (2000).

    A layer of H cells over I inputs has 4 (I H + H H + 2 H) numbers: four gates, each with two biases as in cuDNN.
    """

    class Params(RecurrentParams):
        pass

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return RecurrentNetwork(nn.LSTM, shape[-1], self.params, n_classes)

    def scorer(self, network: nn.Module) -> WindowScorer:
        assert isinstance(network, RecurrentNetwork)
        return RecurrentScorer(network)
