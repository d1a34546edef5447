"""Every model trained once on one year of real minutes, each in a process of its own: seconds and peak memory.

    make bench-models            (or: .venv/bin/python bench/train_all.py [MODEL,MODEL] [--epochs N] [--workspace NEW_FOLDER])

The minutes are the real MES bars of BARSMITH_REAL_DATA (by default ../shared/data), horizon 20; without them a simulated market of as many sessions, and
the result says so. Networks read windows of 30 bars and train for one epoch or as many as are asked for, the others train as they ship. Writes
bench/MODELS.md. The trainings stay where `--workspace` says, for tools/make_model_table.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from run import machine

from barsmith.artifacts import write_parquet
from barsmith.bars.simulate import simulate

HERE = Path(__file__).resolve().parent
REAL = Path(os.environ.get("BARSMITH_REAL_DATA", HERE.parents[1] / "shared" / "data"))
ROLLS = "rolls: [2025-09-11T04:08Z, 2025-12-11T07:00Z, 2026-03-12T06:00Z]\n"  # of the real file
SEQ_LEN = 30
EPOCH_LIMIT = 300.0  # seconds that one epoch of a network may take on two cores


def told(workspace: Path, *words: str) -> dict:
    """What one command answers; its progress goes to the terminal."""
    command = [sys.executable, "-m", "barsmith", "--json", *words, "--workspace", str(workspace)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise SystemExit(f"{' '.join(words)}: {answer['error']}")
    return answer


def prepare(workspace: Path, sessions: int) -> str:
    """Bars and settings; returns where the bars come from."""
    raw = workspace / "data" / "raw" / "MES_1m.parquet"
    (workspace / "config").mkdir(parents=True)
    is_real = (REAL / "MES_1m.parquet").is_file()
    (workspace / "config" / "pipeline.yaml").write_text(ROLLS * is_real)
    if is_real:
        raw.parent.mkdir(parents=True)
        raw.symlink_to(REAL / "MES_1m.parquet")
    else:
        write_parquet(raw, simulate("MES", days=sessions, seed=3, edge=0.0, paths=0).bars)
    return "real MES minutes" if is_real else f"{sessions} simulated sessions"


def measure(workspace: Path, models: str = "all", epochs: int = 1, sessions: int = 257) -> dict:
    """{"claim": ..., "rows": by split, "models": {name: figures}} of trainings in a new workspace."""
    source = prepare(workspace, sessions)
    run = told(workspace, "run", "--symbols", "MES", *["--allow-outside"] * (source == "real MES minutes"))
    windows = ["--seq-len", str(SEQ_LEN), "--set", f"training.max_epochs={epochs}"] if has_epochs(models) else []
    found = told(workspace, "train", "--model", models, *windows)
    return {
        "claim": f"{source}, {run['features_kept']} features, horizon 20; networks over windows of {SEQ_LEN} bars, {epochs} epoch{'s' * (epochs > 1)}",
        "rows": run["splits"],
        "models": {each["model"]: figures(each) for each in found["models"]},
    }


def has_epochs(models: str) -> bool:
    """Whether one of the models is trained in epochs."""
    from barsmith.cli.train_all import names_asked
    from barsmith.models import ModelRegistry

    return any("max_epochs" in ModelRegistry.get(name).Params.names() for name in names_asked(models))


def figures(record: dict) -> dict:
    if record["error"] is not None:
        return {"status": record["status"], "error": record["error"]["code"]}
    result = record["result"]
    training = result["training"]
    return {
        "status": "trained",
        "family": record["family"],
        "command, s": record["seconds"],
        "fit, s": round(training["seconds"], 1),
        "epoch, s": round(training["n_fit"] / training["rows_per_second"], 1) if "rows_per_second" in training else None,
        "peak MiB": result["peak_mib"],
        "rounds": len(training["history"].get("train", [])) if training["best_iteration"] is not None else 0,
        "device": training["device"],
        "rows": training["n_fit"],
    }


def page(result: dict) -> str:
    lines = [
        "# Models on one year",
        "",
        f"Written by `make bench-models`, {datetime.now(UTC):%Y-%m-%d}, {machine()}: {result['claim']}.",
        "",
        "*epoch* is a network's way once through the rows that it learns from, *fit* the model's own `fit` with the loss on the stopping rows by round, *command* the",
        "whole of `barsmith train`: start, reading, fit, scores with intervals, importance, report. *peak* is the process's highest resident memory. *rounds* are",
        "boosting rounds or epochs done.",
        "",
        "| model | epoch, s | fit, s | command, s | peak MiB | rounds | rows learned from | device |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, each in result["models"].items():
        if each["status"] != "trained":
            lines.append(f"| {name} | {each['status']}: {each['error']} | | | | | | |")
            continue
        lines.append(
            f"| {name} | {each['epoch, s'] or '-'} | {each['fit, s']:,} | {each['command, s']:,.1f} | {each['peak MiB']:,.0f} | {each['rounds'] or '-'} | {each['rows']:,} | {each['device']} |"
        )
    slow = [name for name, each in result["models"].items() if (each.get("epoch, s") or 0.0) > EPOCH_LIMIT]
    lines += ["", f"Networks whose epoch took more than {EPOCH_LIMIT:.0f} s: {', '.join(slow) or 'none'}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?", default="all")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    if given.models != "all" and "," not in given.models:
        parser.error("say all, or several models between commas")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(given.workspace or Path(folder), given.models, given.epochs)
    (HERE / "MODELS.md").write_text(page(result))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
