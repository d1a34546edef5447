"""Runs every benchmark in turn and writes bench/RESULTS.md; each figure is from one run of one process on one machine."""

from __future__ import annotations

import importlib
import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BENCHMARKS = ("ladder", "live_bar", "one_row", "catalogue", "labels", "tuning", "year_run", "boosting", "neural", "gpu")
LIBRARIES = ("numpy", "numba", "polars", "pandas", "TA-Lib", "xgboost-cpu", "pyarrow", "lightgbm", "catboost", "torch")
HEAD = """# Measured

Written by `make bench`. A claim is a ratio within one run, because times on one machine wander by tens of percent from day to day.
"""


def machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{cores} cores, {model}, {platform.system()}, Python {platform.python_version()}"


def flat(result: dict, before: str = "") -> list[tuple[str, str]]:
    """One row a figure; a nested figure's name is the path to it."""
    rows: list[tuple[str, str]] = []
    for key, value in result.items():
        name = f"{before}, {key}" if before else str(key)
        rows += flat(value, name) if isinstance(value, dict) else [(name, f"{value:,.3g}" if isinstance(value, float) else str(value))]
    return rows


def main() -> None:
    folder = Path(__file__).parent
    lines = [HEAD, f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; " + ", ".join(f"{name} {version(name)}" for name in LIBRARIES) + ".", ""]
    for name in BENCHMARKS:
        module = importlib.import_module(name)
        result = module.measure()
        print(json.dumps({name: result}, indent=1), flush=True)
        lines += [f"## {result.pop('claim', name)}", "", (module.__doc__ or "").strip(), "", "| figure | value |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in flat(result)]
        lines.append("")
    (folder / "RESULTS.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
