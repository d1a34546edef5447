"""One new base bar: the whole catalogue continued live, beside TA-Lib recomputed over a tail as notebooks and bots do it.

Both compute on the same simulated bars in the same process, bar after bar in turn. The peer does only the TA-Lib functions of the base
timeframe (no kernels, no other timeframes), over its last 1,000 bars: the least that a recomputing bot can get away with.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import talib

from barsmith.bars.cleaning import clean
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import simulate
from barsmith.features.graph import Column
from barsmith.features.indicators import Talib
from barsmith.features.live import Live
from barsmith.features.plan import Plan
from barsmith.features.registry import catalogue

TAIL, BARS = 1000, 1500


def quantiles(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 in microseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return {"p50_us": round(cuts[49] * 1e6, 1), "p99_us": round(cuts[98] * 1e6, 1)}


def measure() -> dict:
    """Microseconds a new base bar, and the ratio of the medians."""
    sessions = load_sessions("equity_index", "ETH")
    minutes, _ = clean(simulate("MES", days=60, seed=1, edge=0.0, paths=0).bars, sessions)
    features = catalogue()
    plan = Plan({name: f.expr for name, f in features.items()}, base="5m", sessions=sessions)
    split = len(minutes) - BARS * 5
    live = Live(plan, minutes[:split])
    base = plan.read(minutes).base
    columns = {name: np.ascontiguousarray(base.bars[:, i]) for i, name in enumerate(("open", "high", "low", "close", "volume"))}
    calls = {
        (n.expr.name, tuple(i.name for i in n.expr.inputs), n.expr.params)
        for n in plan.nodes
        if n.timeframe == "5m" and isinstance(n.expr, Talib) and all(isinstance(i, Column) and i.name in columns for i in n.expr.inputs)
    }
    index = {int(end): i for i, end in enumerate(base.end)}
    ours: list[float] = []
    minute: list[float] = []
    peer: list[float] = []
    for at, bar in zip(minutes.time[split:].tolist(), minutes.bars[split:].tolist(), strict=True):
        start = time.perf_counter()
        finished = live.update(at, bar)
        (ours if finished else minute).append(time.perf_counter() - start)
        for each in finished:
            row = index[each.end] + 1
            tail = {name: column[max(0, row - TAIL) : row] for name, column in columns.items()}
            start = time.perf_counter()
            for name, inputs, params in calls:
                getattr(talib, name)(*(tail[i] for i in inputs), **dict(params))
            peer.append(time.perf_counter() - start)
    ratio = statistics.median(peer) / statistics.median(ours)
    return {
        "claim": "one new base bar, whole catalogue",
        "features": len(features),
        "nodes": len(plan.nodes),
        "timeframes": len(plan.timeframes),
        "bars": len(ours),
        "barsmith": quantiles(ours),
        "barsmith, a minute that finishes no base bar": quantiles(minute),
        f"{len(calls)} TA-Lib functions recomputed over {TAIL} bars": quantiles(peer),
        "ratio of medians (peer / barsmith)": round(ratio, 2),
    }


if __name__ == "__main__":
    print(measure())
