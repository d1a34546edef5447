"""The transformer encoder: the paper's layer, positions and numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry
from barsmith.models.neural.transformer import sinusoids


def network(length: int = 10, features: int = 5, **params):
    torch.manual_seed(1)
    return (
        ModelRegistry.create("transformer", **{"d_model": 8, "heads": 2, "d_feedforward": 12, **params})
        .network((length, features), 3)
        .eval()
    )


def test_the_number_of_weights_is_the_papers():
    d, ff, features, layers = 8, 12, 5, 2
    attention = 4 * (d * d + d)  # query, key, value and output
    feedforward = d * ff + ff + ff * d + d
    norms = 2 * 2 * d
    whole = (features * d + d) + layers * (attention + feedforward + norms) + 2 * d + (3 * d + 3)
    assert sum(p.numel() for p in network().parameters()) == whole


def test_positions_are_the_papers_sines():
    found = sinusoids(7, 6)
    for t in range(7):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            assert found[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert found[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)


def test_it_is_the_papers_encoder_normalised_before_each_part():
    net, windows = network(), torch.randn(3, 10, 5)
    with torch.inference_mode():
        steps = net.embedding(windows) + sinusoids(10, 8)
        for layer in net.encoder.layers:
            x = layer.norm1(steps)
            q, k, v = (
                part.unflatten(2, (2, 4)).transpose(1, 2)
                for part in (x @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias).chunk(3, 2)
            )
            seen = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(4), dim=3) @ v
            steps = steps + layer.self_attn.out_proj(seen.transpose(1, 2).flatten(2))
            steps = steps + layer.linear2(functional.relu(layer.linear1(layer.norm2(steps))))
        expected = net.head(net.encoder.norm(steps)[:, -1])
        assert torch.allclose(net(windows), expected, atol=1e-5)


def test_the_order_of_the_bars_matters():
    net, windows = network(), torch.randn(1, 10, 5)
    swapped = windows[:, [1, 0, *range(2, 10)]]
    with torch.inference_mode():
        assert not torch.allclose(net(windows), net(swapped), atol=1e-4)


@pytest.mark.parametrize(("width", "heads"), [(8, 3), (7, 7)])
def test_a_width_that_heads_or_sines_do_not_divide_is_refused(width, heads):
    with pytest.raises(UsageError) as caught:
        ModelRegistry.create("transformer", d_model=width, heads=heads)
    assert caught.value.code == "config/inconsistent"
