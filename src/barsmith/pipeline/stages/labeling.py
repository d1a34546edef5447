"""What happened next after every base bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.base_bars import base_rung
from barsmith.bars.ladder import Rung
from barsmith.bars.sessions import load_sessions
from barsmith.config import OutcomeSettings, SessionSettings, Unit
from barsmith.instruments import Instrument
from barsmith.labels.making import asked_sides, make_labels
from barsmith.labels.outcomes import Barriers, Labels, default_barriers
from barsmith.labels.primary_signal import PrimarySignal
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes

_ARRAYS = [field.name for field in fields(Labels) if field.type == "np.ndarray"]


@dataclass(frozen=True)
class RawLabels:
    """table: each array of `Labels` as a column `{name}_h{H}`, a row for every base bar, and `is_event` where not every bar was asked.

    barriers, counts: by horizon (as text). is_meta: the labels are those of a primary signal's trades.
    """

    table: pl.DataFrame
    barriers: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, int]]
    is_meta: bool

    def labels(self) -> dict[int, Labels]:
        """The labels of each horizon."""
        found = {}
        for h, barriers in self.barriers.items():
            arrays: dict[str, Any] = {name: self.table[f"{name}_h{h}"].to_numpy() for name in _ARRAYS}
            found[int(h)] = Labels(**arrays, **barriers, is_meta=self.is_meta)
        return found

    @property
    def is_event(self) -> np.ndarray | None:
        """(m,) bool, the bars that were asked for a label; None where all were."""
        return self.table["is_event"].to_numpy() if "is_event" in self.table.columns else None

    def given(self) -> dict[int, Barriers]:
        """The barriers of each horizon."""
        return {int(h): Barriers(**one) for h, one in self.barriers.items()}


@stage
def labeling(
    clean: CleanMinutes,
    instrument: Instrument,
    barriers: tuple[float, float, Unit],
    primary_signal: PrimarySignal,
    hours: SessionSettings,
    base: str,
    label_horizons: tuple[int, ...],
    settings: OutcomeSettings,
) -> RawLabels:
    """The outcome after every bar that is asked for one, every horizon in one walk. No label across a roll or past the data.

    barriers: the upper and the lower one's distance, and their unit.
    """
    k_up, k_down, unit = barriers
    chosen = default_barriers(k_up, k_down, label_horizons, settings.max_bars)
    bars, found = labelled(clean, instrument, hours, base, settings, primary_signal, chosen, unit)
    table = pl.DataFrame({f"{name}_h{h}": np.ascontiguousarray(getattr(one, name)) for h, one in found.items() for name in _ARRAYS})
    side = asked_sides(clean.minutes, bars, settings, primary_signal)
    if side is not None:
        table = table.with_columns(is_event=pl.Series(side != 0))
    used = {str(h): asdict(one.barriers) for h, one in found.items()}
    return RawLabels(table, used, {str(h): one.counts() for h, one in found.items()}, settings.primary_signal is not None)


def labelled(
    clean: CleanMinutes,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
    settings: OutcomeSettings,
    primary_signal: PrimarySignal,
    barriers: Mapping[int, Barriers],
    unit: Unit,
) -> tuple[Rung, dict[int, Labels]]:
    """The base bars in the contract's own prices and their labels with these barriers, one entry for each horizon."""
    sessions = load_sessions(instrument.calendar, hours.hours)
    bars = base_rung(clean.minutes, sessions, base, adjusted=False)
    if settings.primary_signal is not None:
        primary_signal.check(bars)
    found = make_labels(clean.minutes, bars, sessions, settings, barriers, unit=unit, tick=instrument.tick, signal=primary_signal)
    return bars, found
