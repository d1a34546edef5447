"""What can be known at each bar: the feature graph, its batch and live readings, and the catalogue."""

from barsmith.features.definitions import feature
from barsmith.features.graph import (
    Expr,
    absolute,
    close,
    cos,
    datetime_,
    end_,
    high,
    lag,
    log,
    low,
    maximum,
    minimum,
    minute,
    on,
    open_,
    session,
    session_length,
    sign,
    sin,
    sqrt,
    tanh,
    volume,
    weekday,
)
from barsmith.features.indicators import ta
from barsmith.features.kernels import average, kernel, mean, push, zscore
from barsmith.features.learned import learner
from barsmith.features.plain import Bars
from barsmith.features.registry import Feature, catalogue
from barsmith.features.scale import ratio

__all__ = [
    "Bars", "Expr", "Feature", "absolute", "average", "catalogue", "close", "cos", "datetime_", "end_", "feature", "high", "kernel", "lag", "learner", "log",
    "low", "maximum", "mean", "minimum", "minute", "on", "open_", "push", "ratio", "session", "session_length", "sign", "sin", "sqrt",
    "ta", "tanh", "volume", "weekday", "zscore",
]  # fmt: skip
