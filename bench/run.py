"""Runs every benchmark in turn and writes bench/RESULTS.md; each figure is from one run of one process on one machine."""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BENCHMARKS = ("ladder", "live_bar", "one_row", "catalogue", "labels", "tuning", "year_run", "boosting", "neural", "gpu")
LIBRARIES = ("numpy", "numba", "polars", "pandas", "TA-Lib", "xgboost-cpu", "pyarrow", "lightgbm", "catboost", "torch")
HEAD = """# Measured

Written by `make bench`, or a part of it by `bench/run.py NAME ...`: each section says when and where. A claim is a ratio within one run, because times on one machine
wander by tens of percent from day to day.
"""
FOLDER = Path(__file__).parent


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


def section(name: str) -> str:
    """One benchmark, run now."""
    module = importlib.import_module(name)
    result = module.measure()
    print(json.dumps({name: result}, indent=1), flush=True)
    known = ", ".join(f"{library} {version(library)}" for library in LIBRARIES)
    lines = [f"## {result.pop('claim', name)}", "", (module.__doc__ or "").strip(), ""]
    lines += [f"Run on {datetime.now(UTC):%Y-%m-%d}, {machine()}; {known}.", "", "| figure | value |", "|---|---|"]
    return "\n".join([*lines, *(f"| {key} | {value} |" for key, value in flat(result)), ""])


def main(names: list[str]) -> None:
    file = FOLDER / "RESULTS.md"
    known = dict(re.findall(r"<!-- (\w+) -->\n(.*?)(?=<!-- \w+ -->|\Z)", file.read_text() if file.exists() else "", re.DOTALL))
    for name in names or BENCHMARKS:
        known[name] = section(name) + "\n"
        file.write_text(HEAD + "\n" + "".join(f"<!-- {each} -->\n{known[each]}" for each in BENCHMARKS if each in known))


if __name__ == "__main__":
    main(sys.argv[1:])
