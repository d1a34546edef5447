"""Labels as the settings ask for them: rows sampled, method, unit and session rule in one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.ladder import Rung
from barsmith.config import OutcomeSettings, Unit
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.events import cusum_events, trailing_volatility
from barsmith.labels.fixed_horizon import fixed_horizon
from barsmith.labels.meta import meta_labels
from barsmith.labels.outcomes import CLOSE, OPEN, Barriers, Labels
from barsmith.labels.trend_scanning import trend_scanning

if TYPE_CHECKING:
    from barsmith.bars.minutes import Minutes
    from barsmith.bars.sessions import Sessions
    from barsmith.labels.primary_signal import PrimarySignal


def make_labels(
    minutes: Minutes,
    base: Rung,
    sessions: Sessions,
    settings: OutcomeSettings,
    barriers: Mapping[int, Barriers],
    *,
    unit: Unit,
    tick: float,
    signal: PrimarySignal | None = None,
) -> dict[int, Labels]:
    """{horizon: labels}, all horizons in one scan, each with barriers of its own.

    minutes, base: in the contract's own prices, as for `triple_barrier`. unit: of the barriers. tick: price units. signal: of the user's,
    for meta-labels. Raises UsageError `labels/settings`, DataError `labels/adjusted`, `labels/no-future`.
    """
    scale = unit_size(unit, minutes, base, tick)
    closes = session_closes(sessions, base, settings)
    side = asked_sides(minutes, base, settings, signal)
    is_event = None if side is None else side != 0
    if settings.method == "fixed_horizon":
        return fixed_horizon(minutes, base, scale, barriers=barriers, closes=closes, is_event=is_event)
    if settings.method == "trend_scanning":
        patience = {horizon: one.max_bars for horizon, one in barriers.items()}
        lengths = {"max_bars": patience, "min_bars": settings.trend_min_bars, "min_t": settings.trend_min_t}
        return trend_scanning(minutes, base, scale, **lengths, closes=closes, is_event=is_event)  # type: ignore[arg-type]
    found = triple_barrier(minutes, base, scale, barriers=barriers, closes=closes, side=side)
    if side is None or settings.primary_signal is None:
        return found
    return {horizon: meta_labels(one, side) for horizon, one in found.items()}


def unit_size(unit: Unit, minutes: Minutes, base: Rung, tick: float) -> np.ndarray:
    """(m,) price units: what a distance of 1 is at each base bar. A fraction is one of the entry's price: NaN in the last row, which has none."""
    if unit == "atr":
        return wilder_atr(base)
    if unit == "ticks":
        return np.full(len(base), tick)
    return np.append(minutes.bars[base.first[1:], OPEN], np.nan)


def session_closes(sessions: Sessions, base: Rung, settings: OutcomeSettings) -> np.ndarray | None:
    """(m,) minutes since 1970, the close of each base bar's session, where a trade ends there; else None."""
    return sessions.closes[base.session] if settings.session == "close" else None


def asked_sides(minutes: Minutes, base: Rung, settings: OutcomeSettings, signal: PrimarySignal | None) -> np.ndarray | None:
    """(m,) int8: 0 for a row that is not asked for a label, else its trade's side: the primary signal's, +1 where there is none.

    None where every row is asked. Nothing after a bar's close decides whether it is.
    """
    side = signal.sides(base) if signal is not None and settings.primary_signal is not None else None
    if settings.events == "every_bar":
        return side
    log_close = np.log(base.bars[:, CLOSE] / minutes.factor[base.last])
    is_fraction = settings.cusum_unit == "fraction"
    size = np.full(len(base), 1.0) if is_fraction else trailing_volatility(log_close)
    is_event = cusum_events(log_close, settings.cusum_threshold * size)
    return is_event.astype(np.int8) if side is None else side * is_event


def in_words(settings: OutcomeSettings, k_up: float, k_down: float, unit: Unit) -> str:
    """How labels are made, for a reader: `triple barrier, 1.5 ATR up and 1 ATR down, held across the break, every bar`."""
    distances = f", {distance(k_up, unit)} up and {distance(k_down, unit)} down" if settings.method != "trend_scanning" else ""
    if settings.primary_signal is not None:
        distances = f" for the trades of {settings.primary_signal}, profit at {distance(k_up, unit)} and stop at {distance(k_down, unit)}"
    break_ = "held across the break" if settings.session == "hold" else "closed with the session"
    return f"{settings.method.replace('_', ' ')}{distances}, {break_}, {event_bars(settings)}"


def event_bars(settings: OutcomeSettings) -> str:
    """Which bars are asked for a label: `every bar`, `every signal`, `bars after a move of 4 trailing volatilities (CUSUM)`."""
    if settings.events == "every_bar":
        return "every bar" if settings.primary_signal is None else "every signal"
    move = (
        f"{settings.cusum_threshold:g} trailing volatilities" if settings.cusum_unit == "volatility" else f"{settings.cusum_threshold:.2%}"
    )
    return f"bars after a move of {move} (CUSUM)"


def distance(k: float, unit: Unit) -> str:
    """A barrier's distance with its unit."""
    return {"atr": f"{k:g} ATR", "fraction": f"{k:.2%}", "ticks": f"{k:g} ticks"}[unit]
