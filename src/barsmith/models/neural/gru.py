"""Gated recurrent units on the last bars up to each decision."""

from __future__ import annotations

from torch import nn

from barsmith.models.neural.network_model import NetworkModel
from barsmith.models.neural.recurrent import RecurrentNetwork, RecurrentParams
from barsmith.models.neural.recurrent_scoring import RecurrentScorer
from barsmith.models.neural.scoring import WindowScorer
from barsmith.models.registry import register


@register(name="gru", family="neural", reads="sequence")
class GRUModel(NetworkModel):
    """Gated recurrent units. Source: Cho et al. (2014); the reset gate acts after the matrix product, as in cuDNN.

    A layer of H units over I inputs has 3 (I H + H H + 2 H) numbers: two gates and the candidate, each with two biases.
    """

    class Params(RecurrentParams):
        pass

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return RecurrentNetwork(nn.GRU, shape[-1], self.params, n_classes)

    def scorer(self, network: nn.Module) -> WindowScorer:
        assert isinstance(network, RecurrentNetwork)
        return RecurrentScorer(network)
