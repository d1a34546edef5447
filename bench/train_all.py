"""Every model trained once on one year of real minutes, each in a process of its own: seconds and peak memory.

    make bench-models            (or: .venv/bin/python bench/train_all.py [MODEL,MODEL] [--epochs N])

The minutes are the real MES bars of BARSMITH_REAL_DATA (by default ../shared/data), horizon 20; without them a simulated market of as many sessions, and
the result says so. Networks train for one epoch (`training.max_epochs=1`), the others as they ship, so a network's seconds are those of an epoch, its
scoring and the report; its scores here say nothing. Writes bench/MODELS.md.
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
    (workspace / "config" / "pipeline.yaml").write_text("labels: {tune: false}\n" + ROLLS * is_real)
    if is_real:
        raw.parent.mkdir(parents=True)
        raw.symlink_to(REAL / "MES_1m.parquet")
    else:
        write_parquet(raw, simulate("MES", days=sessions, seed=3, edge=0.0, paths=0).bars)
    return "real MES minutes" if is_real else f"{sessions} simulated sessions"


def measure(models: str = "all", epochs: int = 1, sessions: int = 257) -> dict:
    """{"bars": where they come from, "rows": ..., "models": {name: {seconds, peak_mib, rounds, device, rows_a_second, error}}}."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        source = prepare(workspace, sessions)
        run = told(workspace, "run", "--symbols", "MES", *["--allow-outside"] * (source == "real MES minutes"))
        limit = ["--set", f"training.max_epochs={epochs}"] if has_epochs(models) else []
        found = told(workspace, "train", "--model", models, *limit)
    return {
        "claim": f"every model on a year: {source}, {run['features_kept']} features, horizon 20, {epochs} epoch(s) of a network",
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
        "*fit* is the model's own `fit` with its validation loss by round; *command* is the whole of `barsmith train`: start, reading, fit, scores with",
        "intervals, importance, report. *peak* is the process's highest resident memory. *rounds* are boosting rounds or epochs done.",
        "",
        "| model | fit, s | command, s | peak MiB | rounds | rows learned from | device |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in result["models"].items():
        if each["status"] != "trained":
            lines.append(f"| {name} | {each['status']}: {each['error']} | | | | | |")
            continue
        lines.append(
            f"| {name} | {each['fit, s']:,} | {each['command, s']:,.1f} | {each['peak MiB']:,.0f} | {each['rounds'] or '-'} | {each['rows']:,} | {each['device']} |"
        )
    slow = [name for name, each in result["models"].items() if each.get("family") == "neural" and each["fit, s"] > EPOCH_LIMIT]
    lines += ["", f"Networks whose run took more than {EPOCH_LIMIT:.0f} s: {', '.join(slow) or 'none'}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="?", default="all")
    parser.add_argument("--epochs", type=int, default=1)
    given = parser.parse_args()
    if given.models != "all" and "," not in given.models:
        parser.error("say all, or several models between commas")
    result = measure(given.models, given.epochs)
    (HERE / "MODELS.md").write_text(page(result))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
