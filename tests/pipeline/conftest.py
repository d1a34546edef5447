"""The small simulated market, walked once."""

from __future__ import annotations

from small_market import copied, market

__all__ = ["copied", "market"]
