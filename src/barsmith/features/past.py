"""How much of the past a model sees with each bar, and the bars that a live reading keeps for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from barsmith.features.plan import Reading

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Window:
    """What a model is handed at each decision.

    reads: `tabular`, the bar's features; `sequence`, those of the last `length` base bars; `multires`, open, high, low and close of the last
    `length` finished bars of each of `timeframes`. within_session: a sequence does not begin in an earlier session than it ends in.
    """

    reads: Literal["tabular", "sequence", "multires"] = "tabular"
    length: int = 1
    within_session: bool = False
    timeframes: tuple[str, ...] = ()

    def shape(self, features: int) -> tuple[int, ...]:
        """Of one window of so many features; () of rows."""
        if self.reads == "tabular":
            return ()
        return (self.length, features) if self.reads == "sequence" else (len(self.timeframes), self.length, len(PRICES))


ROW = Window()


class Past:
    """The last bars of a live reading, as a window needs them. It stands where `before` ends."""

    def __init__(self, window: Window, before: Reading) -> None:
        self.window = window
        self.rows: deque[tuple[Sequence[float], bool, float]] = deque(maxlen=window.length)
        self.bars: dict[str, deque[Sequence[float]]] = {t: deque(maxlen=window.length) for t in window.timeframes}
        for timeframe, bars in self.bars.items():
            bars.extend(before.rungs[timeframe].bars[-window.length :, : len(PRICES)].tolist())
        if window.reads == "sequence":
            last = slice(-window.length, None)
            self.rows.extend(
                zip(before.matrix[last].tolist(), before.settled[last].tolist(), before.base.session[last].tolist(), strict=True)
            )

    def close(self, timeframe: str, fields: Sequence[float]) -> None:
        """A bar of this timeframe is finished. fields: as `BAR_FIELDS` names them."""
        if timeframe in self.bars:
            self.bars[timeframe].append(fields[: len(PRICES)])

    def of(self, features: Sequence[float], settled: bool, session: float) -> np.ndarray | None:
        """The window that ends with a base bar: (T, F) unscaled features, or (R, T, 4) prices; None where it is not whole or not settled."""
        if self.window.reads == "multires":
            is_whole = all(len(bars) == self.window.length for bars in self.bars.values())
            return np.array(list(self.bars.values()), np.float64) if is_whole else None
        self.rows.append((features, settled, session))
        rows: Any = [row for row, is_settled, number in self.rows if is_settled and (number == session or not self.window.within_session)]
        window = np.array(rows, np.float64)
        return window if len(window) == self.window.length and np.isfinite(window).all() else None
