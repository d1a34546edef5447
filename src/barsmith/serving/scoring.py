"""Features in, signals out: the one way for a single live bar and for a file of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime, moment
from barsmith.datasets.scaling import RobustScaler
from barsmith.models.base import BaseModel, PredictionOutput
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
    """Scaler and model of a bundle, over features in the bundle's order."""

    scaler: RobustScaler
    model: BaseModel

    def usable(self, features: np.ndarray, settled: np.ndarray) -> np.ndarray:
        """(n,) bool: rows whose features have all settled and are all finite."""
        return settled & np.isfinite(features).all(axis=1)

    def answers(self, features: np.ndarray) -> PredictionOutput:
        """(n, f) float64 usable rows -> the model's answers."""
        return predict_model(self.model, self.scaler.apply(features).astype(np.float32))

    def signal(self, start: int, symbol: str, features: list[float], *, settled: bool) -> Signal:
        """The answer for one live bar."""
        row = np.array([features])
        if not settled or not np.isfinite(row).all():
            return Signal(start, symbol)
        answer = self.answers(row)
        short, neutral, long = answer.probabilities[0].tolist()
        return Signal(start, symbol, int(answer.signal[0]), float(answer.confidence[0]), (short, neutral, long))

    def frame(self, start: np.ndarray, symbol: str, features: np.ndarray, settled: np.ndarray) -> pl.DataFrame:
        """The answers for many bars: datetime, symbol, signal, confidence, prob_short, prob_neutral, prob_long."""
        usable = self.usable(features, settled)
        probabilities = np.full((len(start), 3), np.nan)
        confidence, signal = np.full(len(start), np.nan), np.zeros(len(start), np.int8)
        if usable.any():
            answer = self.answers(features[usable])
            probabilities[usable], confidence[usable], signal[usable] = answer.probabilities, answer.confidence, answer.signal
        known = pl.Series(usable)
        frame = pl.DataFrame({"datetime": as_datetime(start), "symbol": pl.repeat(symbol, len(start), eager=True)})
        numbers = {"signal": signal, "confidence": confidence} | {
            f"prob_{name}": np.ascontiguousarray(probabilities[:, i]) for i, name in enumerate(("short", "neutral", "long"))
        }
        return frame.with_columns(pl.when(known).then(pl.Series(values)).otherwise(None).alias(name) for name, values in numbers.items())
