"""A small simulated workspace, walked once from raw minutes to a bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import DAYS, FIRST_DAY, Walked, barsmith

SETTINGS = """
timeframes: [1m, 5m, 15m, 30m, 1h]
label_horizons: [5, 20]
splits: {purge_bars: 60, embargo_bars: 100}
"""


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    """Nobody may write into it but under a copy or another folder."""
    workspace = tmp_path_factory.mktemp("walked")
    (workspace / "config").mkdir()
    (workspace / "config" / "pipeline.yaml").write_text(SETTINGS)
    here = ("--workspace", workspace)
    said = [
        told("simulate", "--days", str(DAYS), "--start", FIRST_DAY.isoformat(), "--paths", "16", *here),
        told("run", "--symbols", "MES", *here),
    ]
    said.append(told("train", "--model", "xgboost", *here, "--set", "training.n_estimators=20", "--set", "training.n_jobs=1"))
    said.append(told("bundle", "create", "--run", said[-1]["run_dir"], "--name", "small", *here))
    return Walked(workspace, *said)


@pytest.fixture
def copied(walked: Walked, tmp_path: Path) -> Path:
    """The same workspace, to be changed."""
    return shutil.copytree(walked.workspace, tmp_path / "copied")


def told(*words: str | Path) -> dict[str, Any]:
    outcome = barsmith("--json", *words)
    assert outcome.code == 0, outcome.out
    found: dict[str, Any] = json.loads(outcome.out)
    return found
