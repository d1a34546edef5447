"""The proof that training equals serving: a file streamed minute by minute against the batch reading, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import moment
from barsmith.bars.reading import validate_frame
from barsmith.serving.bundle import Bundle
from barsmith.serving.messages import messages_of
from barsmith.serving.session import LiveSession


@dataclass(frozen=True)
class Parity:
    """bars: base bars compared. features: of each. values: numbers compared, features and probabilities. mismatches: that differ in any bit."""

    bars: int
    features: int
    values: int
    mismatches: int
    first_mismatch: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parity(bundle: Bundle, bars: pl.DataFrame, progress: Callable[[int, int], None] | None = None) -> Parity:
    """Stream `bars` through the bundle after the history that is older, and compare every feature and probability with the batch ones.

    progress: called with (minutes done, minutes in all) now and then.
    """
    reading, mine, older = bundle.read(bars)
    probabilities = bundle.answers(reading, mine).select("prob_short", "prob_neutral", "prob_long")
    expected = np.column_stack((reading.matrix[mine], probabilities.cast(pl.Float64).fill_null(np.nan).to_numpy()))
    names = [*bundle.plan.names, "prob_short", "prob_neutral", "prob_long"]
    row_of = {end: i for i, end in enumerate(reading.base.end[mine].tolist())}
    found = np.full_like(expected, np.nan)
    seen = np.zeros(len(mine), bool)
    for end, features, answer in streamed(LiveSession(bundle, older), bars, progress):
        if (i := row_of.get(end)) is not None:
            found[i] = [*features, *(answer or (np.nan,) * 3)]
            seen[i] = True
    differ = ~same_bits(expected, found) | ~seen[:, None]
    first = None
    if differ.any():
        i, j = (int(x[0]) for x in np.nonzero(differ))
        first = {
            "datetime": f"{moment(int(reading.base.start[mine[i]])):%Y-%m-%dT%H:%M:%SZ}",
            "name": names[j],
            "batch": number(expected[i, j]),
            "live": number(found[i, j]),
        }
    return Parity(len(mine), len(bundle.plan.names), expected.size, int(differ.sum()), first)


def streamed(session: LiveSession, raw: pl.DataFrame, progress: Callable[[int, int], None] | None) -> Any:
    """(end, features, probabilities or None) of each base bar that the minutes finish."""
    bundle = session.bundle
    raw = validate_frame(raw, bundle.reading_rules).frame
    for done, message in enumerate(messages_of(raw)):
        for signal in session.update(message):
            finished = session.finished[signal.start]
            yield finished.end, finished.features, signal.probabilities
        if progress and done % 2000 == 0:
            progress(done, len(raw))


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal to the last bit; any NaN equals any other."""
    return (np.ascontiguousarray(a).view(np.int64) == np.ascontiguousarray(b).view(np.int64)) | (np.isnan(a) & np.isnan(b))


def number(x: float) -> float | None:
    return None if np.isnan(x) else float(x)
