"""Small split tables, as the splits stage leaves them."""

from __future__ import annotations

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime

FEATURES = ("rsi_14", "range_5", "slope_1h")


def table(start: int, n: int, seed: int = 0, horizon: int = 20, span: int = 10) -> pl.DataFrame:
    """n rows of five minutes from minute `start`; the first two are unsettled, the last two unlabelled; labels live `span` minutes."""
    rng = np.random.default_rng(seed)
    time = start + 5 * np.arange(n)
    labelled = pl.Series(np.arange(n) < n - 2)
    answers = {
        f"label_h{horizon}": pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8),
        f"label_end_h{horizon}": as_datetime(time + 5 + span),
        f"return_h{horizon}": pl.Series(rng.normal(0, 0.001, n)),
        f"sample_weight_h{horizon}": pl.Series(rng.uniform(0.5, 1.5, n)),
    }
    return pl.DataFrame(
        {
            "datetime": as_datetime(time),
            "decision": as_datetime(time + 5),
            "session_id": time // 1440,
            "minutes_since_open": (time + 5) % 1440,
            "last_direction": pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8),
            "is_settled": np.arange(n) >= 2,
            **{name: rng.normal(size=n) for name in FEATURES},
            **{name: values.set(~labelled, None) for name, values in answers.items()},
        }
    )
