"""The small simulated market, walked once, and its bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from barsmith.serving.bundle import Bundle
from small_market import SmallMarket, copied, later_bars, market

__all__ = ["copied", "market"]


@pytest.fixture(autouse=True)
def _every_bundle_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged bundles are opened at once, so that this process meets what is wrong with them: test_trial.py tries foreign ones."""
    monkeypatch.setattr("barsmith.serving.bundle.is_known", lambda digest: True)


@pytest.fixture
def folder(market: SmallMarket, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return shutil.copytree(market.bundle, tmp_path / "bundles" / "small")


@pytest.fixture(scope="session")
def bundle(market: SmallMarket) -> Bundle:
    return Bundle.load(market.bundle)


@pytest.fixture(scope="session")
def fresh(market: SmallMarket) -> pl.DataFrame:
    """Four sessions that follow the bundle's history."""
    return later_bars()[len(pl.read_parquet(market.raw)) :]
