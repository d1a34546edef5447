"""Parquet file -> in-session minutes -> every rung of the ladder, one year of minutes: barsmith against Polars and pandas.

    .venv/bin/python bench/ladder.py

The same work on all sides, from the file to the bars' open, high, low, close and volume, anchored on the session's open and cut at its
close. All sides get the same table of session opens and closes. Polars runs lazily on all cores, barsmith on one.
"""

from __future__ import annotations

import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.cleaning import clean
from barsmith.bars.ladder import ladder
from barsmith.bars.minutes import as_datetime
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.bars.simulate import simulate
from barsmith.config import TIMEFRAMES

NINE = [name for name in TIMEFRAMES if name not in ("4h", "1d")]
ELEVEN = list(TIMEFRAMES)
Bars = dict[str, np.ndarray]


def ours(path: Path, sessions: Sessions, timeframes: list[str]) -> Bars:
    minutes, _ = clean(pl.read_parquet(path), sessions)
    rungs = ladder(minutes, sessions, timeframes, now=1 << 60)
    return {name: rung.bars for name, rung in rungs.items()}


def with_polars(path: Path, sessions: Sessions, timeframes: list[str]) -> Bars:
    table = pl.LazyFrame({"opened": as_datetime(sessions.opens), "closed": as_datetime(sessions.closes)}).set_sorted("opened")
    inside = (
        pl.scan_parquet(path)
        .set_sorted("datetime")
        .join_asof(table, left_on="datetime", right_on="opened")
        .filter(pl.col("datetime") < pl.col("closed"))
        .with_columns(minute=(pl.col("datetime") - pl.col("opened")).dt.total_minutes())
        .collect()
        .lazy()
    )
    aggregates = (pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    plans = [
        inside.with_columns(bar=pl.col("opened") + pl.duration(minutes=pl.col("minute") // step * step))
        .set_sorted("bar")
        .group_by("bar", maintain_order=True)
        .agg(*aggregates)
        for step in (TIMEFRAMES[name] for name in timeframes)
    ]
    return dict(zip(timeframes, (frame.drop("bar") for frame in pl.collect_all(plans)), strict=True))


def with_polars_dynamic(path: Path, sessions: Sessions, timeframes: list[str]) -> Bars:
    """`group_by_dynamic` within each session: the idiom of its manual."""
    table = pl.LazyFrame({"opened": as_datetime(sessions.opens), "closed": as_datetime(sessions.closes)}).set_sorted("opened")
    inside = (
        pl.scan_parquet(path)
        .set_sorted("datetime")
        .join_asof(table, left_on="datetime", right_on="opened")
        .filter(pl.col("datetime") < pl.col("closed"))
        .with_columns(elapsed=pl.col("datetime") - pl.col("opened") + pl.datetime(1970, 1, 1, time_zone="UTC"))
        .collect()
        .lazy()
    )
    aggregates = (pl.first("open"), pl.max("high"), pl.min("low"), pl.last("close"), pl.sum("volume"))
    plans = [inside.group_by_dynamic("elapsed", every=f"{TIMEFRAMES[name]}m", group_by="opened").agg(*aggregates) for name in timeframes]
    return dict(zip(timeframes, (frame.drop("opened", "elapsed") for frame in pl.collect_all(plans)), strict=True))


def with_pandas(path: Path, sessions: Sessions, timeframes: list[str]) -> Bars:
    import pandas as pd

    frame = pd.read_parquet(path)
    minute = frame["datetime"].astype("int64").to_numpy() // 60_000_000
    number = np.searchsorted(sessions.opens, minute, "right") - 1
    inside = minute < sessions.closes[number]
    frame, minute, opened = frame[inside], minute[inside], sessions.opens[number[inside]]
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    steps = (TIMEFRAMES[name] for name in timeframes)
    return {n: frame.groupby(minute - (minute - opened) % s, sort=False).agg(how) for n, s in zip(timeframes, steps, strict=True)}


SIDES: dict[str, Callable[[Path, Sessions, list[str]], Any]] = {
    "barsmith": ours,
    "polars": with_polars,
    "polars group_by_dynamic": with_polars_dynamic,
    "pandas": with_pandas,
}


def measure(repetitions: int = 12, days: int = 257) -> dict[str, Any]:
    """{minutes, versions, results: {rungs: {side: {median_ms, fastest_ms, slowest_ms}}}, ratio: {rungs: fastest Polars / barsmith}}."""
    sides = dict(SIDES)
    versions = {"python": platform.python_version(), "polars": pl.__version__, "numpy": np.__version__}
    try:
        import pandas as pd

        versions["pandas"] = pd.__version__
    except ImportError:
        del sides["pandas"]
    sessions = load_sessions("equity_index")
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "MES_1m.parquet"
        bars = simulate("MES", days, paths=0).bars
        bars.write_parquet(path)
        for label, timeframes in (("nine", NINE), ("eleven", ELEVEN)):
            expected = ours(path, sessions, timeframes)
            for name, side in sides.items():  # the first call compiles; and the work must be the same
                found = side(path, sessions, timeframes)
                same = all(np.array_equal(expected[t], np.asarray(found[t], np.float64)) for t in timeframes)
                if not same:
                    raise SystemExit(f"{name} makes other bars than barsmith")
            times: dict[str, list[float]] = {name: [] for name in sides}
            for repetition in range(repetitions):
                turn = repetition % len(sides)  # nobody always follows the same neighbour
                for name in [*sides][turn:] + [*sides][:turn]:
                    began = time.perf_counter()
                    sides[name](path, sessions, timeframes)
                    times[name].append(1000 * (time.perf_counter() - began))
            results[label] = {n: {"median_ms": statistics.median(t), "fastest_ms": min(t), "slowest_ms": max(t)} for n, t in times.items()}
    ratio = {
        label: min(row["median_ms"] for name, row in rows.items() if name.startswith("polars")) / rows["barsmith"]["median_ms"]
        for label, rows in results.items()
    }
    return {"minutes": len(bars), "repetitions": repetitions, "versions": versions, "results": results, "ratio": ratio}


def main() -> None:
    found = measure()
    print(f"{found['minutes']:,} minutes, {found['repetitions']} alternating repetitions, {found['versions']}", file=sys.stdout)
    for label, rows in found["results"].items():
        print(f"\nParquet, session filter, {label} rungs        median   fastest   slowest")
        for name, row in rows.items():
            print(f"  {name:<38} {row['median_ms']:8.1f} {row['fastest_ms']:9.1f} {row['slowest_ms']:9.1f} ms")
        print(f"  barsmith is {found['ratio'][label]:.2f} times as fast as the faster Polars")


if __name__ == "__main__":
    main()
