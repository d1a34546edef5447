"""Raw bars of the nine intraday rungs, each price as its distance from the base close: what a multi-resolution model reads."""

from __future__ import annotations

from barsmith.features.definitions import feature
from barsmith.features.graph import Expr, close, high, low, on, open_

RUNGS = ("1m", "5m", "10m", "15m", "20m", "25m", "30m", "45m", "1h")


def from_close(timeframe: str, price: Expr) -> Expr:
    return on(timeframe, price) / close - 1


@feature(timeframe=RUNGS)
def multires_open(timeframe: str) -> Expr:
    """Open of the last finished bar of a rung over the base close. Unit: share of the close. Source: common definition."""
    return from_close(timeframe, open_)


@feature(timeframe=RUNGS)
def multires_high(timeframe: str) -> Expr:
    """High of the last finished bar of a rung over the base close. Unit: share of the close. Source: common definition."""
    return from_close(timeframe, high)


@feature(timeframe=RUNGS)
def multires_low(timeframe: str) -> Expr:
    """Low of the last finished bar of a rung over the base close. Unit: share of the close. Source: common definition."""
    return from_close(timeframe, low)


@feature(timeframe=RUNGS)
def multires_close(timeframe: str) -> Expr:
    """Close of the last finished bar of a rung over the base close; 0 on the base itself. Unit: share of the close. Source: common
    definition.
    """
    return from_close(timeframe, close)
