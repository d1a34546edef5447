"""A bundle's live session against its batch reading, bar by bar, with everything a feed may do in between."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl

from barsmith.serving.bundle import Bundle
from barsmith.serving.session import LiveSession

Bars = dict[int, tuple[float, ...]]
"""Start of each base bar -> its features, then its probabilities (NaN where there are none), as bits."""


def batch(bundle: Bundle, bars: pl.DataFrame) -> Bars:
    reading, rows, _ = bundle.read(bars)
    signals = bundle.answers(reading, rows).select("prob_short", "prob_neutral", "prob_long")
    values = np.column_stack((reading.matrix[rows], signals.cast(pl.Float64).fill_null(np.nan).to_numpy()))
    return {int(start): bits(row) for start, row in zip(reading.base.start[rows], values, strict=True)}


def live(session: LiveSession, bars: pl.DataFrame, *, restore_after: Collection[int] = ()) -> tuple[Bars, LiveSession]:
    """Feed the bars one by one; after some of them another session is built from nothing but the minutes of this one."""
    found: Bars = {}
    for number, row in enumerate(bars.iter_rows(named=True)):
        found |= answers(session, row)
        if number in restore_after:
            session = LiveSession(session.bundle, session.minutes())
    return found, session


def answers(session: LiveSession, message: dict[str, Any]) -> Bars:
    found = {}
    for signal in session.update({name: value for name, value in message.items() if value is not None}):
        finished = session.finished[signal.start]
        found[signal.start] = bits([*finished.features, *(signal.probabilities or (np.nan,) * 3)])
    return found


def bits(values: Any) -> tuple[float, ...]:
    """Equal only where every bit is, all NaN alike."""
    row = np.array(values, np.float64)
    row[np.isnan(row)] = np.nan
    return tuple(row.view(np.int64).tolist())


def with_holes(bars: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Single minutes, whole hours and a stretch around a session break taken out."""
    rng = np.random.default_rng(seed)
    keep = rng.random(len(bars)) > 0.05
    for _ in range(3):
        first = int(rng.integers(0, len(bars)))
        keep[first : first + int(rng.integers(1, 150))] = False
    return bars.filter(pl.Series(keep))
