"""One continuous series from contract after contract: forward adjustment by the ratio known at each roll.

The factor of a minute is the product of the ratios of the rolls up to it, so a later roll never changes an earlier minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.minutes import FIELDS, Minutes, as_minutes, moment
from barsmith.errors import DataError

RATIOS = (0.1, 10.0)
"""A roll_ratio outside is a mistake of the feed."""


def continue_minutes(frame: pl.DataFrame, *, rolls: Sequence[int] = (), after: Minutes | None = None) -> Minutes:
    """`after`, then the rows of `frame` that are later, with their contracts numbered and their factors.

    frame: in-session rows in order: datetime (UTC), open high low close volume; `contract` (name) and `roll_ratio` where known.
    rolls: UTC minutes at which a new contract begins, for series that do not name contracts.
    A roll is a row whose contract's name changes, that is the first at or after a roll time, or that carries a `roll_ratio`.
    Its ratio is `roll_ratio` (the new contract over the old at their last common minute), else its open over the close before.
    Raises DataError `bars/contract-order`, `bars/roll-ratio`, `bars/rolls-twice`.
    """
    before = after if after is not None else Minutes.empty()
    time = as_minutes(frame["datetime"])
    if len(before):
        fresh = int(np.searchsorted(time, before.time[-1], "right"))
        frame, time = frame[fresh:], time[fresh:]
    if not len(time):
        return before
    bars = np.empty((len(time), 5))
    for i, name in enumerate(FIELDS):
        bars[:, i] = frame[name].to_numpy()
    ratios = _given_ratios(frame, time)
    steps, names = _steps(frame, time, ratios, rolls, before)
    number = np.full(len(time), before.contract[-1] if len(before) else 0, np.int32)
    factor = np.full(len(time), before.factor[-1] if len(before) else 1.0)
    for i, by in sorted(steps.items()):
        number[i:] += np.int32(by)
        if i or len(before):  # nothing is known of the contract before the very first minute
            guess = bars[i, 0] / (bars[i - 1, 3] if i else before.bars[-1, 3])
            factor[i:] = factor[i] * ratios.get(i, guess)
    if not len(before):
        return Minutes(time, bars, number, factor, names)
    return Minutes(
        np.concatenate((before.time, time)),
        np.concatenate((before.bars, bars)),
        np.concatenate((before.contract, number)),
        np.concatenate((before.factor, factor)),
        names,
    )


def _given_ratios(frame: pl.DataFrame, time: np.ndarray) -> dict[int, float]:
    """Row -> roll_ratio, where one stands."""
    if "roll_ratio" not in frame.columns:
        return {}
    column = frame["roll_ratio"].cast(pl.Float64).fill_nan(None)
    ratios = {i: float(column[i]) for i in column.is_not_null().arg_true().to_list()}
    for i, ratio in ratios.items():
        if not RATIOS[0] <= ratio <= RATIOS[1]:
            raise DataError(
                "bars/roll-ratio",
                expected=f"a roll_ratio of {RATIOS[0]:g} to {RATIOS[1]:g}: the new contract's price over the old one's at their last common minute",
                came=f"{ratio}",
                do="correct it, or leave it empty on minutes that are no roll",
                where=_place(time[i]),
            )
    return ratios


def _steps(
    frame: pl.DataFrame, time: np.ndarray, ratios: dict[int, float], rolls: Sequence[int], before: Minutes
) -> tuple[dict[int, int], tuple[str, ...]]:
    """Row -> by how much the contract's number grows there, and the names of all numbers."""
    named = "contract" in frame.columns and frame["contract"].null_count() < len(frame)
    if named and len(rolls):
        raise DataError(
            "bars/rolls-twice",
            expected="contracts named in the bars, or roll times in the settings",
            came=f"a contract column and {len(rolls)} roll times",
            do="remove `rolls` from the settings",
        )
    return _steps_by_name(frame["contract"], time, ratios, before) if named else _steps_by_time(time, ratios, rolls, before)


def _steps_by_time(
    time: np.ndarray, ratios: dict[int, float], rolls: Sequence[int], before: Minutes
) -> tuple[dict[int, int], tuple[str, ...]]:
    new = [roll for roll in rolls if not len(before) or roll > before.time[-1]]
    steps = Counter(row for row in np.searchsorted(time, new).tolist() if row < len(time))
    for row in ratios:
        if row or len(before):
            steps[row] = max(steps[row], 1)
    return steps, (*before.names, *[""] * steps.total()) if before.names else ()


def _steps_by_name(
    contract: pl.Series, time: np.ndarray, ratios: dict[int, float], before: Minutes
) -> tuple[dict[int, int], tuple[str, ...]]:
    known = list(before.names) or [""] * int(before.contract[-1] + 1 if len(before) else 0)
    contract = contract.fill_null(strategy="forward")
    contract = contract.fill_null(known[-1] if known and known[-1] else contract.drop_nulls()[0])
    changed = (contract != contract.shift(1)).fill_null(False).arg_true().to_list()
    if known and (contract[0] != known[-1] if known[-1] else 0 in ratios):
        changed = [0, *changed]  # a contract that the history does not name goes on, unless a ratio says that it is a new one
    else:
        known[-1:] = [contract[0]]
    for i in changed:
        if contract[i] in known:
            raise DataError(
                "bars/contract-order",
                expected="one contract after the other",
                came=f"{contract[i]} again, after {known[-1]}",
                do="give one row a minute, of the front contract, and never roll back",
                where=_place(time[i]),
            )
        known.append(contract[i])
    for i in sorted(ratios.keys() - set(changed)):
        if i or len(before):
            raise DataError(
                "bars/roll-ratio",
                expected="a roll_ratio only on the first minute of a new contract",
                came=f"one within {contract[i]}",
                do="leave it empty there",
                where=_place(time[i]),
            )
    return dict.fromkeys(changed, 1), tuple(known)


def _place(minute: np.int64) -> str:
    return f"{moment(int(minute)):%Y-%m-%d %H:%M} UTC"


def roll_list(minutes: Minutes) -> list[dict[str, Any]]:
    """Each roll: time (UTC minute), ratio, from and to (names, or numbers where there are none), last_close (old), first_open (new).

    `known` is False where the ratio was guessed as the first open over the last close, so that it holds the market's move as well.
    """
    rolls: list[dict[str, Any]] = []
    if not len(minutes) or minutes.contract[0] == minutes.contract[-1]:
        return rolls
    for i in (np.flatnonzero(np.diff(minutes.contract)) + 1).tolist():
        old, new = (minutes.names[k] if minutes.names else str(k) for k in minutes.contract[i - 1 : i + 1].tolist())
        guess = float(minutes.factor[i - 1] * (minutes.bars[i, 0] / minutes.bars[i - 1, 3]))
        ratio = float(minutes.factor[i] / minutes.factor[i - 1])
        prices = {"last_close": float(minutes.bars[i - 1, 3]), "first_open": float(minutes.bars[i, 0])}
        known = guess != float(minutes.factor[i])
        rolls.append({"time": int(minutes.time[i]), "ratio": ratio, "from": old, "to": new, **prices, "known": known})
    return rolls
