"""A small data set as a data run leaves it, whose validation can be exchanged: what a training makes of it then shows."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import as_datetime
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.cutting import dataset_settings
from barsmith.datasets.rungs import RungBars
from barsmith.testing.model_trial import FEATURES, SHAPES, told_by

HORIZON, BAR, SESSION = 2, 5, 78  # base bars, minutes, base bars
N_TRAIN, N_BETWEEN, N_VAL = 240, 12, 60
FIRST = 29_000_000 // BAR * BAR  # minutes since 1970, in February 2025
#: Minutes of a bar of each rung.
RUNGS = {"1m": 1, "5m": 5, "15m": 15}


def small_market(reads: str, *, is_turned: bool) -> TimeSeriesDataContainer:
    """240 training rows and 60 of validation; the test split refuses to be read.

    is_turned: all that comes after the last training decision is another: features, weights and prices are drawn anew, and the first
    feature tells the opposite class. What comes before is the same. Prices of several timeframes tell nothing of the labels.
    """
    ends = np.cumsum([N_TRAIN, N_BETWEEN, N_VAL])
    bars = drawn_bars(int(ends[-1]), is_turned)
    train, between, val = bars[: ends[0]], bars[ends[0] : ends[1]], bars[ends[1] :]
    rows = TimeSeriesDataContainer.from_frames(
        train,
        val,
        refuse_test,
        symbol="MES",
        horizon=HORIZON,
        feature_names=FEATURES,
        roles=dict.fromkeys(FEATURES, "feature"),
        between=between,
        read_rungs=partial(drawn_rungs, is_turned=is_turned),
    )
    if reads not in ("sequence", "multires"):
        return rows
    length = SHAPES[reads][-2]
    windows: dict[str, Any] = {"sequence_length": length, "multires_length": length, "multires_timeframes": tuple(RUNGS)}
    return rows.seen_as(reads, dataset_settings(**windows))  # type: ignore[arg-type]


def refuse_test() -> pl.DataFrame:
    raise AssertionError("the training has opened the test split")


def drawn_bars(n: int, is_turned: bool) -> pl.DataFrame:
    """Base bars in a row with features, labels and weights; those after the last training row are drawn apart."""
    number = np.arange(n)
    columns = {name: two_drawn(n, N_TRAIN, seed, is_turned) for seed, name in enumerate((*FEATURES, "noise", "weight"))}
    decision = FIRST + BAR * (number + 1)
    sense = np.where(is_turned & (number >= N_TRAIN), -1, 1)
    y = told_by(sense * columns[FEATURES[0]] + 0.3 * columns["noise"])
    return pl.DataFrame(
        {
            "datetime": as_datetime(decision - BAR),
            "decision": as_datetime(decision),
            "session_id": number // SESSION,
            "minutes_since_open": number % SESSION * BAR,
            "last_direction": np.sign(columns["second"]).astype(np.int8),
            "is_settled": np.ones(n, np.bool_),
            f"label_h{HORIZON}": y,
            f"label_end_h{HORIZON}": as_datetime(decision + HORIZON * BAR),
            f"return_h{HORIZON}": 0.001 * y,
            f"sample_weight_h{HORIZON}": np.exp(0.3 * columns["weight"]),
            **{name: columns[name] for name in FEATURES},
        }
    )


def drawn_rungs(timeframes: tuple[str, ...], until: int, *, is_turned: bool) -> RungBars:
    """A price that walks at random, as bars of each timeframe that end by `until`."""
    begin, known = FIRST - 40 * max(RUNGS.values()), FIRST + BAR * N_TRAIN
    minutes = FIRST + BAR * (N_TRAIN + N_BETWEEN + N_VAL) - begin
    price = 5000.0 * np.exp(0.0003 * np.cumsum(two_drawn(minutes + 1, known - begin + 1, 99, is_turned)))
    rungs = {}
    for name in timeframes:
        edges = np.arange(0, minutes + 1, RUNGS[name])
        within = np.array([price[a : b + 1] for a, b in pairwise(edges)])
        prices = np.column_stack([within[:, 0], within.max(axis=1), within.min(axis=1), within[:, -1]])
        end = begin + edges[1:]
        rungs[name] = (prices[end <= until], end[end <= until])
    return RungBars.of(rungs)


def two_drawn(n: int, known: int, seed: int, is_turned: bool) -> np.ndarray:
    """(n,) normal numbers, of which the first `known` do not depend on `is_turned`."""
    first, rest = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1 + is_turned])
    return np.concatenate([first.normal(size=known), rest.normal(size=n - known)])
