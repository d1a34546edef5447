"""The proof that training equals serving: a file streamed minute by minute against the batch reading, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import moment
from barsmith.bars.reading import validate_frame
from barsmith.datasets.rungs import RungBars, is_too_early, last_finished
from barsmith.features.live import Finished
from barsmith.features.past import PRICES
from barsmith.features.plan import Reading
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
    windows = newest_bars(bundle, reading, mine)
    expected = np.column_stack((reading.matrix[mine], windows, probabilities.cast(pl.Float64).fill_null(np.nan).to_numpy()))
    bars_seen = [f"{price} of the {timeframe} bar" for timeframe in bundle.plan.rungs for price in PRICES]
    names = [*bundle.plan.names, *bars_seen, "prob_short", "prob_neutral", "prob_long"]
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
    return Parity(len(mine), len(names) - 3, expected.size, int(differ.sum()), first)


def streamed(session: LiveSession, raw: pl.DataFrame, progress: Callable[[int, int], None] | None) -> Any:
    """(end, features, probabilities or None) of each base bar that the minutes finish."""
    bundle = session.bundle
    raw = validate_frame(raw, bundle.reading_rules).frame
    for done, message in enumerate(messages_of(raw)):
        for signal in session.update(message):
            finished = session.finished[signal.start]
            yield finished.end, [*finished.features, *live_bars(bundle, finished)], signal.probabilities
        if progress and done % 2000 == 0:
            progress(done, len(raw))


def newest_bars(bundle: Bundle, reading: Reading, rows: np.ndarray) -> np.ndarray:
    """(n, 4 R) the prices of each rung's last finished bar at these rows; NaN where the model has no window yet."""
    window, found = bundle.scorer.window, np.full((len(rows), len(PRICES) * len(bundle.plan.rungs)), np.nan)
    if bundle.plan.rungs:
        bars = RungBars.of_ladder(reading.rungs)
        last = last_finished(bars, reading.base.end[rows])
        known = ~is_too_early(bars, last, window.length)
        found[known] = bars.prices[last[known]].reshape(int(known.sum()), found.shape[1])
    return found


def live_bars(bundle: Bundle, finished: Finished) -> np.ndarray:
    """(4 R,) the live twin of `newest_bars`."""
    width = len(PRICES) * len(bundle.plan.rungs)
    return np.full(width, np.nan) if finished.window is None or not width else finished.window[:, -1].ravel()


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal to the last bit; any NaN equals any other."""
    return (np.ascontiguousarray(a).view(np.int64) == np.ascontiguousarray(b).view(np.int64)) | (np.isnan(a) & np.isnan(b))


def number(x: float) -> float | None:
    return None if np.isnan(x) else float(x)
