"""One feature over a handful of bars of one timeframe, without minutes and sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from barsmith.features.graph import BAR_FIELDS, Column, Constant, Expr
from barsmith.features.registry import catalogue

FEATURES = catalogue()


def read(name: str, **columns: Sequence[float]) -> np.ndarray:
    """A feature's column. What is not given: open, high and low are the close, volume is 1, the rest 0."""
    return read_expression(FEATURES[name].expr, **columns)


def read_expression(e: Expr, **columns: Sequence[float]) -> np.ndarray:
    size = len(next(iter(columns.values())))
    known = {name: np.zeros(size) for name in BAR_FIELDS} | {"volume": np.ones(size)}
    if "close" in columns:
        known |= {name: np.asarray(columns["close"], float) for name in ("open", "high", "low")}
    known |= {name: np.asarray(column, float) for name, column in columns.items()}
    done: dict[Expr, Any] = {}

    def visit(e: Expr) -> Any:
        if e not in done:
            if isinstance(e, Column):
                done[e] = known[e.name]
            elif isinstance(e, Constant):
                done[e] = np.float64(e.value)
            else:
                done[e] = e.read(*(visit(i) for i in e.inputs))[0]
        return done[e]

    return visit(e)
