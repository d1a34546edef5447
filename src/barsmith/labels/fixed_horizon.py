"""Fixed-horizon labels: where the price stands after so many bars, against a threshold on either side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from barsmith.labels.outcomes import Barriers, Labels, check_any, check_barriers, check_prices, held, held_labels, window

if TYPE_CHECKING:
    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes


def fixed_horizon(
    minutes: Minutes,
    base: Rung,
    scale: np.ndarray,
    *,
    barriers: Mapping[int, Barriers],
    closes: np.ndarray | None = None,
    is_event: np.ndarray | None = None,
) -> dict[int, Labels]:
    """+1 where the price is more than k_up above the entry at the end of the window, -1 where it is more than k_down below, else 0.

    minutes, base, scale, closes: as for `triple_barrier`; barriers: {horizon: thresholds in units of scale, and bars to wait}.
    is_event: (m,) bool, the rows that are asked for a label; None: all.
    `label_end` is the end of the window, whatever happened within. Raises as `triple_barrier`. Source: Lopez de Prado (2018), section 3.2.
    """
    check_prices(minutes, base)
    found = {}
    for horizon, one in barriers.items():
        check_barriers(one, horizon)
        whole = window(base, one.max_bars, closes)
        has_label = (whole.last >= 0) & (scale >= 0.0) & (True if is_event is None else is_event)
        check_any(has_label, horizon, one.max_bars, sampled=is_event is not None)
        position = held(minutes, base, np.where(has_label, whole.last, -1))
        move = position.leave - position.entry
        label = (move > one.k_up * scale).astype(np.int8) - (move < -one.k_down * scale).astype(np.int8)
        found[horizon] = held_labels(base, scale, whole, position, label, has_label, one)
    return found
