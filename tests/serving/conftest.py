"""The small simulated market, walked once, and its bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from small_market import SmallMarket, copied, market

__all__ = ["copied", "market"]


@pytest.fixture
def folder(market: SmallMarket, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return shutil.copytree(market.bundle, tmp_path / "bundles" / "small")
