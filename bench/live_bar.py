"""One new base bar, from raw minute to signal, beside TA-Lib recomputed over a tail as notebooks and bots do it.

Everything computes on the same simulated bars in the same process, bar after bar in turn. The peer does only the TA-Lib functions of the base
timeframe (no kernels, no other timeframes, no model), over its last 1,000 bars: the least that a recomputing bot can get away with.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import talib
from catalogue import whole_plan

import barsmith as bs
from barsmith.bars.simulated_files import write_simulated
from barsmith.features.graph import Column
from barsmith.features.indicators import Talib
from barsmith.features.live import Live
from barsmith.serving.bundle_making import create_bundle
from barsmith.serving.messages import MinuteMessage
from barsmith.serving.session import LiveSession

TAIL, BARS, FIELDS = 1000, 1500, ("open", "high", "low", "close", "volume")


def quantiles(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 in microseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50 us": round(cuts[49] * 1e6, 1), "p99 us": round(cuts[98] * 1e6, 1)}


def measure() -> dict:
    """Microseconds a new base bar, and the ratios of the medians."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write_simulated(workspace, "MES", days=70, seed=1, edge=0.0, paths=0)
        bs.run(workspace, symbol="MES", overrides=["splits.embargo_bars=300"])
        bundle = create_bundle(bs.train(workspace, model="xgboost", horizon=20).run_dir, "bench", workspace)
    minutes = bundle.history
    plan = whole_plan(minutes)
    split = len(minutes) - BARS * 5
    live, session = Live(plan, minutes[:split]), LiveSession(bundle, minutes[:split])
    base = plan.read(minutes).base
    columns = {name: np.ascontiguousarray(base.bars[:, i]) for i, name in enumerate(FIELDS)}
    talibs = [n.expr for n in plan.nodes if n.timeframe == "5m" and isinstance(n.expr, Talib)]
    on_bars = [e for e in talibs if all(isinstance(i, Column) and i.name in FIELDS for i in e.inputs)]
    calls = {(e.name, tuple(i.name for i in e.inputs if isinstance(i, Column)), e.params) for e in on_bars}
    row_of = {int(end): i for i, end in enumerate(base.end)}
    times: dict[str, list[float]] = {"features": [], "minute": [], "signal": [], "peer": []}
    for at, bar in zip(minutes.time[split:].tolist(), minutes.bars[split:].tolist(), strict=True):
        began = time.perf_counter()
        finished = live.update(at, bar)
        times["features" if finished else "minute"].append(time.perf_counter() - began)
        message = MinuteMessage(at, tuple(bar))
        began = time.perf_counter()
        if session.update(message):
            times["signal"].append(time.perf_counter() - began)
        for each in finished:
            row = row_of[each.end] + 1
            tail = {name: column[max(0, row - TAIL) : row] for name, column in columns.items()}
            began = time.perf_counter()
            for name, inputs, params in calls:
                getattr(talib, name)(*(tail[i] for i in inputs), **dict(params))
            times["peer"].append(time.perf_counter() - began)
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "claim": "One new base bar",
        "features": len(plan.names),
        "nodes": len(plan.nodes),
        "timeframes": len(plan.timeframes),
        "base bars": len(times["features"]),
        "whole catalogue": quantiles(times["features"]),
        "a minute that finishes no base bar": quantiles(times["minute"]),
        f"raw minute to signal ({len(bundle.plan.names)} features, scaler, XGBoost)": quantiles(times["signal"]),
        f"peer: {len(calls)} TA-Lib functions over {TAIL} bars": quantiles(times["peer"]),
        "ratio of medians, peer / whole catalogue": round(median["peer"] / median["features"], 2),
        "ratio of medians, peer / raw minute to signal": round(median["peer"] / median["signal"], 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
