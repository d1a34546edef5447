"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REAL = Path(os.environ.get("BARSMITH_REAL_DATA", Path(__file__).parents[1].parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real minute bars, which never enter the repository."""
    if not (REAL / "MES_1m.parquet").is_file():
        pytest.skip(f"no real bars in {REAL}: set BARSMITH_REAL_DATA to the folder of MES_1m.parquet")
    return REAL
