"""The tables of a small, honest data run, for planting faults in."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import uncorrelated
from barsmith.validation.checks import settled_matrix

FEATURES = ("momentum", "spread", "momentum_again", "flat", "clock")
HORIZON = 20


def table(start: int, n: int, seed: int) -> pl.DataFrame:
    """n five-minute rows from minute `start`, each label open for 10 minutes; the first two rows unsettled, the last two unlabelled."""
    rng = np.random.default_rng(seed)
    time = start + 5 * np.arange(n)
    momentum = rng.normal(size=n)
    has_label = pl.Series(np.arange(n) < n - 2)
    answers = {
        f"label_h{HORIZON}": pl.Series(rng.choice([-1, 0, 1], n, p=[0.4, 0.2, 0.4]), dtype=pl.Int8),
        f"label_end_h{HORIZON}": as_datetime(time + 5 + rng.integers(1, 11, n)),
        f"return_h{HORIZON}": pl.Series(rng.normal(0, 0.001, n)),
        f"sample_weight_h{HORIZON}": pl.Series(rng.uniform(0.5, 1.5, n)),
    }
    return pl.DataFrame(
        {
            "datetime": as_datetime(time),
            "decision": as_datetime(time + 5),
            "session_id": time // 1440,
            "minutes_since_open": (time + 5) % 1440,
            "last_direction": pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8),
            "is_settled": np.arange(n) >= 2,
            "momentum": momentum,
            "spread": rng.standard_t(4, n),
            "momentum_again": -3 * momentum,
            "flat": np.full(n, 2.5),
            "clock": np.sin(time / 100.0),
            **{name: values.set(~has_label, None) for name, values in answers.items()},
        }
    )


def scaled(frame: pl.DataFrame, scaler: RobustScaler) -> pl.DataFrame:
    X = scaler.apply(frame.select(scaler.names).to_numpy())
    return frame.with_columns(pl.Series(name, X[:, j]) for j, name in enumerate(scaler.names))


def honest_run() -> dict[str, Any]:
    """The arguments of `examine`."""
    train, val, test = table(0, 2000, 1), table(20_000, 600, 2), table(30_000, 600, 3)
    scaler = RobustScaler.fit(settled_matrix(train, FEATURES), FEATURES)
    scaled_train = scaled(train, scaler)
    return {
        "train": scaled_train,
        "val": scaled(val, scaler),
        "features": FEATURES,
        "kept": uncorrelated(settled_matrix(scaled_train, FEATURES), FEATURES).kept,
        "horizons": (HORIZON,),
        "scaler": scaler,
        "unscaled_train": train,
        "test_times": test.select("datetime", "decision", f"label_end_h{HORIZON}"),
    }
