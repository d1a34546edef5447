"""Features in, signals out: the one way for a single live bar and for a file of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime, moment
from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.rungs import RungBars, RungWindows, is_too_early, last_finished
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.views import View
from barsmith.datasets.windows import Windows, window_faults
from barsmith.features.live import Finished
from barsmith.features.past import ROW, Window
from barsmith.features.plan import Reading
from barsmith.models.base import BaseModel
from barsmith.models.fitting import predict_model


@dataclass(frozen=True)
class Signal:
    """What the model says at the close of one base bar; nothing (None) while the bundle is warming up.

    start: the bar's open, minutes since 1970 UTC. signal: -1 short, 0 neutral, +1 long. probabilities: (short, neutral, long).
    """

    start: int
    symbol: str
    signal: int | None = None
    confidence: float | None = None
    probabilities: tuple[float, float, float] | None = None

    @property
    def datetime(self) -> datetime:
        """The bar's open, UTC."""
        return moment(self.start)

    def as_dict(self) -> dict[str, Any]:
        short, neutral, long = self.probabilities or (None, None, None)
        return {
            "datetime": f"{moment(self.start):%Y-%m-%dT%H:%M:%SZ}",
            "symbol": self.symbol,
            "signal": self.signal,
            "confidence": self.confidence,
            "prob_short": short,
            "prob_neutral": neutral,
            "prob_long": long,
        }


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scaler and model of a bundle, over features in the bundle's order. window: what the model is handed at each decision."""

    scaler: RobustScaler
    model: BaseModel
    window: Window = ROW

    def usable(self, features: np.ndarray, settled: np.ndarray) -> np.ndarray:
        """(n,) bool: rows whose features have all settled and are all finite."""
        return settled & np.isfinite(features).all(axis=1)

    def scaled(self, features: np.ndarray) -> np.ndarray:
        """(n, f) float64 -> float32, as the model learned from them."""
        return self.scaler.apply(features).astype(np.float32)

    def signal(self, finished: Finished, symbol: str) -> Signal:
        """The answer for one live bar."""
        seen = self.live_input(finished)
        if seen is None:
            return Signal(finished.start, symbol)
        answer = predict_model(self.model, seen)
        short, neutral, long = answer.probabilities[0].tolist()
        return Signal(finished.start, symbol, int(answer.signal[0]), float(answer.confidence[0]), (short, neutral, long))

    def live_input(self, finished: Finished) -> np.ndarray | None:
        """What the model reads at a live bar, as a batch of one; None while that is not there or not settled."""
        if self.window.reads == "tabular":
            row = np.array([finished.features])
            return self.scaled(row) if finished.settled and np.isfinite(row).all() else None
        if finished.window is None:
            return None
        if self.window.reads == "sequence":
            return self.scaled(finished.window)[None]
        return RungWindows.of_prices(finished.window, self.window.timeframes)[:]

    def batch_input(self, reading: Reading, rows: np.ndarray) -> tuple[np.ndarray | View, np.ndarray]:
        """What the model reads at these rows of a reading, of those that it can answer, which are (n,) bool."""
        if self.window.reads == "tabular":
            features = reading.matrix[rows]
            usable = self.usable(features, reading.settled[rows])
            return self.scaled(features[usable]), usable
        if self.window.reads == "multires":
            bars = RungBars.of_ladder(reading.rungs)
            last = last_finished(bars, reading.base.end[rows])
            usable = ~is_too_early(bars, last, self.window.length)
            return RungWindows(bars, last[usable], self.window.length), usable
        first = max(0, int(rows.min(initial=0)) - self.window.length + 1)
        features, base = reading.matrix[first:], reading.base
        settled = self.usable(features, reading.settled[first:])
        matrix = FeatureMatrix(self.scaled(features), base.start[first:], base.session[first:], settled, np.zeros(len(features), np.int64))
        faults = window_faults(matrix, rows - first, self.window.length, within_session=self.window.within_session)
        usable = ~np.logical_or.reduce(list(faults.values()))
        return Windows(matrix, rows[usable] - first, self.window.length), usable

    def frame(self, reading: Reading, rows: np.ndarray, symbol: str) -> pl.DataFrame:
        """The answers for these rows of a reading: datetime, symbol, signal, confidence, prob_short, prob_neutral, prob_long."""
        start = reading.base.start[rows]
        probabilities = np.full((len(start), 3), np.nan)
        confidence, signal = np.full(len(start), np.nan), np.zeros(len(start), np.int8)
        seen, usable = self.batch_input(reading, rows)
        if usable.any():
            answer = predict_model(self.model, seen)
            probabilities[usable], confidence[usable], signal[usable] = answer.probabilities, answer.confidence, answer.signal
        known = pl.Series(usable)
        frame = pl.DataFrame({"datetime": as_datetime(start), "symbol": pl.repeat(symbol, len(start), eager=True)})
        numbers = {"signal": signal, "confidence": confidence} | {
            f"prob_{name}": np.ascontiguousarray(probabilities[:, i]) for i, name in enumerate(("short", "neutral", "long"))
        }
        return frame.with_columns(pl.when(known).then(pl.Series(values)).otherwise(None).alias(name) for name, values in numbers.items())
