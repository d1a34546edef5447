"""Meta-labels: whether the trade that a primary signal asks for paid. A second model learns from them when to act on the first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from barsmith.labels.outcomes import Labels


def meta_labels(labels: Labels, side: np.ndarray) -> Labels:
    """Labels 1 where the primary signal's trade paid and 0 where it did not.

    labels: of `triple_barrier(..., side=side)`, whose barriers were oriented by the side. side: (m,) int8 -1, 0, +1.
    A trade pays when it reaches its profit barrier first, or when its time is over with a gain. A minute that touches both barriers does
    not pay, whatever its close. Return and excursions become those of the trade: of a short one the return is its gain.
    Source: Lopez de Prado (2018), section 3.6 and snippet 3.7.
    """
    sign = side.astype(np.float64)
    gain = labels.log_return * sign
    is_timeout = (labels.label == 0) & ~labels.tie
    paid = np.where(is_timeout, gain > 0.0, (labels.label != 0) & (labels.label == side)) & labels.has_label
    flipped = labels.label == -1
    rise, fall = np.where(flipped, labels.mae, labels.mfe), np.where(flipped, labels.mfe, labels.mae)
    return replace(
        labels,
        label=paid.astype(np.int8),
        log_return=gain,
        mfe=np.where(side < 0, fall, rise),
        mae=np.where(side < 0, rise, fall),
        is_meta=True,
    )
