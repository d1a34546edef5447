"""What a newcomer runs first: the demo, the example, and the report opened in a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=10000",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("demo") / "market"
    command = [sys.executable, "-m", "barsmith", "--json", "demo", "--workspace", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_demo_finds_the_planted_edge_and_proves_parity(demo):
    val, intervals = demo["train"]["metrics"]["val"], demo["train"]["intervals"]["val"]
    assert intervals["auc_direction"][0] > 0.5
    assert intervals["log_loss"][1] > demo["train"]["best_possible"]["log_loss"]
    assert (
        val["log_loss"]
        < demo["train"]["baselines"]["time_of_day"]["log_loss"]
        < demo["train"]["baselines"]["train_frequencies"]["log_loss"]
    )
    assert demo["train"]["alarms"] == []
    assert demo["parity"]["mismatches"] == 0
    assert demo["parity"]["values"] == demo["parity"]["bars"] * (demo["parity"]["features"] + 3) > 50_000


@pytest.mark.slow
def test_the_report_draws_its_pictures_in_a_browser(demo, tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.fail("no Chromium on this machine: run `make browser`, which installs it where apt-get can")
    pages = {"report": Path(demo["report"]), "data": Path(demo["run"]["report"])}
    for name, path in pages.items():
        url = f"file://{path if path.is_absolute() else Path(demo['folder']).parent / path}"
        command = [browser, *QUIET, f"--user-data-dir={tmp_path / name}", "--enable-logging=stderr", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(tmp_path)})
        promised = len(re.findall(r'<div class="plot">', done.stdout))
        drawn = len(re.findall(r'class="plotly-graph-div js-plotly-plot"', done.stdout))
        assert promised == drawn > 2, name
        assert "Uncaught" not in done.stderr


@pytest.mark.slow
def test_the_example_runs_as_it_stands(tmp_path):
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "quickstart.py"), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "signals for the last hour" in done.stdout
