"""The way from raw file to signal on the real bars, walked with the commands a user types."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[1]
HONEST_AUC = (0.45, 0.55)  # what direction looks like on these bars to a system that does not lie
STREAMED = 300  # minutes that the pipeline never sees


def call(*command: object, stdin: str | None = None) -> str:
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("symbol", "majority"), [("MES", 0.57), ("MGC", 0.42)])
def test_raw_bars_become_signals(real_data, tmp_path, symbol, majority):
    raw = tmp_path / "data" / "raw" / f"{symbol}_1m.parquet"
    raw.parent.mkdir(parents=True)
    whole = pl.read_parquet(real_data / raw.name)
    whole[:-STREAMED].write_parquet(raw)
    here = ("--workspace", tmp_path)

    given = ("--set", "labels.tune=false")  # the shares and scores below are those of the contract's own barriers
    run = json.loads(call("./pipeline", "--json", "run", "--symbols", symbol, *given, *here))
    assert [s["status"] for s in run["stages"]] == ["done"] * 14
    assert run["features"] > 150
    again = json.loads(call("./pipeline", "--json", "run", "--symbols", symbol, *given, *here))
    assert [s["status"] for s in again["stages"]] == ["cached"] * 14

    script = (sys.executable, "scripts/train_model.py")
    training = json.loads(call(*script, "--json", "--model", "xgboost", "--horizon", "20", *here))
    val = training["metrics"]["val"]
    assert abs(training["baselines"]["majority"]["accuracy"] - majority) < 0.02
    assert HONEST_AUC[0] < val["auc_direction"] < HONEST_AUC[1]
    assert val["auc_timing"] > 0.65
    assert training["alarms"] == []

    barsmith = (sys.executable, "-m", "barsmith")
    call(*barsmith, "bundle", "create", "--run", training["run_dir"], "--name", "real", *here)
    bundle, signals = tmp_path / "bundles" / "real", tmp_path / "signals.parquet"
    call(sys.executable, "scripts/batch_inference.py", "--bundle", bundle, "--input", raw, "--output", signals, *here)
    predicted = pl.read_parquet(signals)
    base = pl.read_parquet(tmp_path / "data" / "processed" / symbol / "5m.parquet")
    assert predicted["datetime"].to_list() == base["datetime"].to_list()
    assert predicted.columns == ["datetime", "symbol", "signal", "confidence", "prob_short", "prob_neutral", "prob_long"]

    tail, everything, last = tmp_path / "tail.parquet", tmp_path / "everything.parquet", tmp_path / "last.parquet"
    whole[-20_000:].write_parquet(tail)
    parity = json.loads(call(*barsmith, "--json", "parity", "--bundle", bundle, "--bars", tail, *here))
    assert parity["mismatches"] == 0
    assert parity["values"] == parity["bars"] * (parity["features"] + 3)

    whole.write_parquet(everything)
    call(*barsmith, "predict", "--bundle", bundle, "--bars", everything, "--out", last, *here)
    rows = whole[-STREAMED:].to_dicts()
    lines = "".join(json.dumps({**row, "datetime": row["datetime"].strftime("%Y-%m-%dT%H:%M:%SZ")}) + "\n" for row in rows)
    answers = [json.loads(line) for line in call(*barsmith, "stream", "--bundle", bundle, *here, stdin=lines).splitlines()]
    expected = pl.read_parquet(last)[-len(answers) :].to_dicts()
    assert len(answers) >= STREAMED // 5 - 1
    for answer, row in zip(answers, expected, strict=True):
        assert answer == {**row, "datetime": row["datetime"].strftime("%Y-%m-%dT%H:%M:%SZ")}
