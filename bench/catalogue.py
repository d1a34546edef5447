"""The whole catalogue over a year of minutes, in one process; beside bare TA-Lib, pandas-ta-classic, `ta` and QuantWave; from nothing; over ten years.

    .venv/bin/pip install -c constraints.txt ".[bench]"      # the peers
    .venv/bin/python bench/catalogue.py

A peer gets the finished 5m bars in the form it likes best and answers for one column after another; barsmith gets minutes, folds them into
bars and answers for all the columns at once, on one core. Only columns whose values agree are timed. Every figure is the median of several
turns, taken alternately with what it is compared with.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import peers
import polars as pl
import talib

from barsmith.bars.cleaning import clean
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import simulate
from barsmith.features.graph import Expr
from barsmith.features.indicators import Talib, held
from barsmith.features.learned import learn, learned_features
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue

SESSIONS = load_sessions("equity_index")
BASE, DAYS, TURNS = "5m", 257, 7
#: One fresh process: what its first call costs. Prints seconds and MiB as JSON.
FRESH = """
import json, sys, time
began = time.perf_counter()
import numpy as np
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.features.learned import is_learned
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue
features = {name: one.expr for name, one in catalogue().items() if not is_learned(one.expr)}
plan = Plan(features, base="5m", sessions=load_sessions("equity_index"))
imported = time.perf_counter() - began
with np.load(sys.argv[1]) as stored:
    minutes = Minutes.of(stored["time"], stored["bars"])
def peak():  # of this program alone: getrusage counts what the process that started it had at that moment
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
plan.read(minutes[:3000])  # loads what is compiled
before, began = peak(), time.perf_counter()
if len(sys.argv) > 2:
    reading = plan.read(minutes, keep=sys.argv[2] == "keep")
    print(json.dumps({"minutes": len(minutes), "base bars": len(reading.base), "columns": len(features), "seconds": time.perf_counter() - began,
        "kept MiB": reading.matrix.nbytes / 2**20, "peak MiB": peak(), "peak beyond what is kept and was there before MiB":
        peak() - before - reading.matrix.nbytes / 2**20}))
else:
    print(json.dumps({"import and plan, seconds": imported, "first call, seconds": began - first}))
"""
FRESH = FRESH.replace("plan.read(minutes[:3000])", "first = time.perf_counter()\nplan.read(minutes[:3000])")


def seconds(*calls: Callable[[], Any], turns: int = TURNS) -> list[float]:
    """The median of each, called in turn."""
    times = []
    for _ in range(turns):
        for call in calls:
            began = time.perf_counter()
            call()
            times.append(time.perf_counter() - began)
    return [statistics.median(times[i :: len(calls)]) for i in range(len(calls))]


def year(days: int = DAYS) -> Minutes:
    minutes, _ = clean(simulate("MES", days=days, seed=3, edge=0.0, paths=0).bars, SESSIONS)
    return minutes


def whole_plan(minutes: Minutes) -> Plan:
    """Every feature; what learns has learned from the first forty days."""
    features = catalogue()
    stretch = (int(minutes.time[0]), int(minutes.time[0]) + 40 * 1440)
    learned = learn({n: f.expr for n, f in features.items()}, minutes, base=BASE, sessions=SESSIONS, slices=[stretch], seed=1)
    return Plan({n: f.expr for n, f in learned_features(features, learned, BASE).items()}, base=BASE, sessions=SESSIONS)


class Beside(Plan):
    """A plan that calls every TA-Lib function also bare, on the same arrays, beside its node: now before it, now after it."""

    times: list[tuple[float, float]]
    is_bare_first = False

    def column(self, node: Any, known: Any, bars: Any, inputs: Sequence[Any]) -> Any:
        if not isinstance(node.expr, Talib):
            return super().column(node, known, bars, inputs)
        arrays, parameters, found = [held(x) for x in inputs], dict(node.expr.params), []
        calls = [lambda: found.append(node.expr.read(*inputs)), lambda: getattr(talib, node.expr.name)(*arrays, **parameters)]
        took = [0.0, 0.0]
        for k in (1, 0) if self.is_bare_first else (0, 1):
            began = time.perf_counter()
            calls[k]()
            took[k] = time.perf_counter() - began
        self.times.append((took[0], took[1]))
        return found[0]

    def beside(self, minutes: Minutes) -> list[tuple[float, float]]:
        """For each function the seconds in the graph and bare."""
        self.times, self.is_bare_first = [], not self.is_bare_first
        self.read(minutes)
        return self.times


def talib_share(plan: Plan, minutes: Minutes) -> dict[str, Any]:
    """The sum over the functions of their medians."""
    beside = Beside(dict(zip(plan.names, (plan.nodes[i].expr for i in plan.outputs), strict=True)), base=BASE, sessions=SESSIONS)
    times = np.median([beside.beside(minutes) for _ in range(2 * TURNS)], axis=0)
    ours, bare = times.sum(axis=0).tolist()
    return {"functions": len(times), "in the graph, seconds": ours, "bare, seconds": bare, "ratio": ours / bare}


def beside_peer(mine: dict[str, Expr], theirs: dict[str, Callable[[], Any]], minutes: Minutes) -> dict[str, Any]:
    """The columns of which both give the same values, and the time of all of them."""
    both = Plan({name: mine[name] for name in theirs}, base=BASE, sessions=SESSIONS)
    matrix = both.read(minutes).matrix
    same = [name for k, name in enumerate(theirs) if peers.agrees(peers.values(theirs[name]()), matrix[:, k])]
    plan = Plan({name: mine[name] for name in same}, base=BASE, sessions=SESSIONS)
    ours, *each = seconds(lambda: plan.read(minutes), *(theirs[name] for name in same), turns=3)
    slowest = same[int(np.argmax(each))]
    return {
        "columns of equal values": f"{len(same)}: {', '.join(same)}",
        "columns of other values, left out": ", ".join(name for name in theirs if name not in same) or "none",
        "peer, seconds": sum(each), f"peer without its slowest ({slowest}), seconds": sum(each) - max(each),
        "barsmith with folding the bars, seconds": ours, "ratio, peer / barsmith": sum(each) / ours,
        "ratio without the peer's slowest": (sum(each) - max(each)) / ours,
    }  # fmt: skip


def beside_peers(minutes: Minutes) -> dict[str, Any]:
    mine = peers.ours()
    bars = Plan({"rsi_14": mine["rsi_14"]}, base=BASE, sessions=SESSIONS).read(minutes).base.bars
    frame = pd.DataFrame(bars, columns=["open", "high", "low", "close", "volume"])
    asked = {
        ("pandas-ta-classic", "its own code"): lambda: peers.pandas_ta_classic(frame, talib=False),
        ("pandas-ta-classic", "handing over to TA-Lib"): lambda: peers.pandas_ta_classic(frame, talib=True),
        ("ta", ""): lambda: peers.ta(frame),
        ("quantwave", "Polars expressions"): lambda: peers.quantwave(pl.from_pandas(frame)),
    }
    found: dict[str, Any] = {}
    for (library, how), ask in asked.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[f"{library} {version(library)} {how}".strip()] = beside_peer(mine, ask(), minutes)
        except ImportError as error:
            found[library] = f"not installed: {error}"
    return found


def fresh(stored: Path, cache: Path, *arguments: str) -> dict[str, Any]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", FRESH, str(stored), *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)


def store(folder: Path, minutes: Minutes) -> Path:
    path = folder / f"{len(minutes)}.npz"
    np.savez(path, time=minutes.time, bars=minutes.bars)
    return path


def measure(days: int = DAYS) -> dict[str, Any]:
    """Seconds, MiB and ratios; see the text at the top."""
    minutes = year(days)
    plan = whole_plan(minutes)
    (whole,) = seconds(lambda: plan.read(minutes))
    result: dict[str, Any] = {
        "claim": "The whole catalogue over a year",
        "minutes": len(minutes), "base bars": len(plan.read(minutes).base), "features": len(plan.names), "nodes": len(plan.nodes),
        "timeframes": len(plan.timeframes), "read, seconds": whole,
        "TA-Lib": talib_share(plan, minutes),
        "peers": beside_peers(minutes),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        one, ten = store(place, minutes), store(place, year(10 * days))
        result["fresh process, empty cache"] = fresh(one, place / "cache")
        result["fresh process, warm cache"] = fresh(one, place / "cache")
        result["memory"] = {
            "a year, all columns kept": fresh(one, place / "cache", "keep"),
            "ten years, all columns kept": fresh(ten, place / "cache", "keep"),
            "ten years, no column kept": fresh(ten, place / "cache", "none"),
        }
    return result


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else DAYS), indent=1))
