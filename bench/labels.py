"""Triple-barrier labels for horizons 5, 10, 15 and 20 over a year of 24-hour 5m bars: barsmith against vectorbt and RiskLabAI.

    .venv/bin/python bench/labels.py

barsmith walks the one-minute bars and gives label, label end, return, adverse and favourable excursion and ties; it is timed from minutes, base bars
and ATR to the finished arrays, once with the same barriers for all horizons and once with its own for each, on all cores. The peers see closes of
the 5m bars and give labels (vectorbt, BOLB with the same thresholds at each bar) or first touches (RiskLabAI, the book's snippet, in one process:
it is given every tenth bar and its time is multiplied by ten). mlfinpy asks for NumPy below 1.27 and cannot stand beside ours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from barsmith.bars.ladder import Rung, ladder
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.bars.simulate import simulate
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.outcomes import Barriers, default_barriers

HORIZONS = (5, 10, 15, 20)
K_UP, K_DOWN = 1.5, 1.0
BARS = 105_000
EVERY = 10
Work = Callable[[], Any]


def market(days: int) -> tuple[Minutes, Rung, np.ndarray]:
    """Minutes, 5m bars and ATR."""
    minutes = Minutes.from_frame(simulate("MES", days, paths=0).bars)
    base = ladder(minutes, load_sessions("equity_index"), ["5m"], adjusted=False)["5m"]
    short = base.first[BARS] if len(base) > BARS else len(minutes)
    minutes = minutes[: int(short)]
    base = ladder(minutes, load_sessions("equity_index"), ["5m"], adjusted=False)["5m"]
    return minutes, base, wilder_atr(base)


def ours(minutes: Minutes, base: Rung, atr: np.ndarray) -> dict[str, Work]:
    same = default_barriers(K_UP, K_DOWN, HORIZONS)
    own = {h: Barriers(1.0 + h / 10, 1.0 + h / 10, h) for h in HORIZONS}
    return {
        "barsmith": lambda: triple_barrier(minutes, base, atr, barriers=same),
        "barsmith, barriers of its own for each horizon": lambda: triple_barrier(minutes, base, atr, barriers=own),
    }


def vectorbt(base: Rung, atr: np.ndarray) -> Work:
    import pandas as pd
    import vectorbt as vbt

    prices = base.bars[:, 3]
    close = pd.Series(prices)
    up, down = (np.nan_to_num(k * atr / prices) for k in (K_UP, K_DOWN))
    return lambda: [vbt.BOLB.run(close, window=h, pos_th=up, neg_th=down).labels for h in HORIZONS]


def _book(base: Rung, atr: np.ndarray) -> tuple[Any, Any, dict[int, Any]]:
    """Closes by time, the bars that are labelled, and for each horizon the book's events."""
    import pandas as pd

    index = pd.DatetimeIndex(base.end.astype("datetime64[m]").astype("datetime64[ns]"))
    close = pd.Series(base.bars[:, 3], index=index)
    rows = np.arange(20, len(close) - max(HORIZONS), EVERY)
    width = pd.Series(atr[rows] / close.to_numpy()[rows], index=index[rows])
    return close, index[rows], {h: (index[rows + h], width) for h in HORIZONS}


def risklabai(base: Rung, atr: np.ndarray) -> Work:
    import pandas as pd
    from RiskLabAI.data.labeling import triple_barrier as apply

    close, rows, events = _book(base, atr)
    tables = [pd.DataFrame({"End Time": end, "Base Width": width, "Side": 1.0}, index=rows) for end, width in events.values()]
    return lambda: [apply(close, table, [K_UP, K_DOWN], list(rows)) for table in tables]


def peers(base: Rung, atr: np.ndarray) -> tuple[dict[str, tuple[Work, int]], dict[str, str]]:
    """{peer: its work and by how much its time is multiplied}, {peer: its version, or why it is not here}."""
    found, told = {}, {}
    for name, make, factor in (("vectorbt", vectorbt, 1), ("RiskLabAI", risklabai, EVERY)):
        try:
            work = make(base, atr)
            work()
        except (ImportError, PackageNotFoundError, AttributeError, TypeError, ValueError) as error:
            told[name] = f"not measured: {type(error).__name__}: {str(error)[:120]}"
            continue
        found[name], told[name] = (work, factor), version(name)
    return found, told


def measure(repetitions: int = 15, days: int = 390) -> dict[str, Any]:
    """{claim, bars, minutes, milliseconds: {side: {median, fastest, slowest}}, times as long as barsmith: {peer: ratio of the medians}, versions}."""
    minutes, base, atr = market(days)
    found, told = peers(base, atr)
    mine = ours(minutes, base, atr)
    works: dict[str, tuple[Work, int]] = {**{name: (work, 1) for name, work in mine.items()}, **found}
    for work, _ in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for repetition in range(repetitions):
        for name, (work, factor) in works.items():
            if factor > 1 and repetition >= 2:  # seconds each
                continue
            began = time.perf_counter()
            work()
            times[name].append(1000 * factor * (time.perf_counter() - began))
    table = {name: {"median": statistics.median(t), "fastest": min(t), "slowest": max(t)} for name, t in times.items()}
    return {
        "claim": "triple-barrier labels of four horizons over a year of 5m bars",
        "bars": len(base),
        "minutes": len(minutes),
        "milliseconds for all four horizons": table,
        "times as long as barsmith": {name: table[name]["median"] / table["barsmith"]["median"] for name in found},
        "peers": told,
    }


def main() -> None:
    import json

    print(json.dumps(measure(), indent=1))


if __name__ == "__main__":
    main()
