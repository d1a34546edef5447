"""A formula is the expression: read back, it gives an equal one."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from barsmith import features as language
from barsmith.features import Expr, absolute, catalogue, close, high, lag, log, low, maximum, on, ta, volume
from barsmith.features.formula import formula
from barsmith.features.kernels import StepKernel, mean
from barsmith.features.learned import Learner
from barsmith.features.scale import ratio

FEATURES = catalogue()


def names() -> dict[str, Any]:
    """What a user's file can write, and every kernel and learner of the catalogue by its name."""
    kernels = {
        value.name: value
        for name, module in list(sys.modules.items())
        if name.startswith("barsmith.features")
        for value in vars(module).values()
        if isinstance(value, StepKernel | Learner)
    }
    return {name: getattr(language, name) for name in language.__all__} | kernels | {"ratio": ratio}


@pytest.mark.parametrize("name", FEATURES)
def test_the_formula_of_every_feature_reads_back_as_the_feature(name: str) -> None:
    expression = FEATURES[name].expr
    assert eval(formula(expression), names()) == expression


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (close - (high - low), "close - (high - low)"),
        (close - high - low, "close - high - low"),
        (close / (high * low), "close / (high * low)"),
        ((close + high) * 2, "(close + high) * 2"),
        (-(close + high), "-(close + high)"),
        (-close * high, "-close * high"),
        (-(close * high), "-(close * high)"),
        (close * -0.5, "close * -0.5"),
        (1 - close, "1 - close"),
        (log(close / lag(close, 1)), "log(close / lag(close, 1))"),
        (abs(volume), "absolute(volume)"),
        (absolute(maximum(close, 0.1)), "absolute(maximum(close, 0.1))"),
        (ta.RSI(close, timeperiod=14) / 100, "ta.RSI(close, timeperiod=14) / 100"),
        (ta.MACD(close).macdhist, "ta.MACD(close).macdhist"),
        (on("1h", mean(close, n=3)), 'on("1h", mean(close, n=3))'),
        (ratio(close, volume, flat=0.5), "ratio(close, volume, flat=0.5)"),
    ],
)
def test_a_formula_has_the_parentheses_it_needs_and_no_others(expression: Expr, text: str) -> None:
    assert formula(expression) == text
    assert eval(text, names()) == expression
