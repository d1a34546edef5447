"""What happened next after every base bar."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.base_bars import base_rung
from barsmith.bars.sessions import load_sessions
from barsmith.config import LabelSettings, SessionSettings
from barsmith.instruments import Instrument
from barsmith.labels.barriers import Labels, triple_barrier, wilder_atr
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes

_ARRAYS = [field.name for field in fields(Labels) if field.name not in ("k_up", "k_down", "max_bars")]


@dataclass(frozen=True)
class RawLabels:
    """table: each array of `Labels` as a column `{name}_h{H}`, a row for every base bar. barriers, counts: by horizon (as text)."""

    table: pl.DataFrame
    barriers: dict[str, dict[str, Any]]
    counts: dict[str, dict[str, int]]

    def labels(self) -> dict[int, Labels]:
        """The labels of each horizon."""
        found = {}
        for h, barriers in self.barriers.items():
            arrays: dict[str, Any] = {name: self.table[f"{name}_h{h}"].to_numpy() for name in _ARRAYS}
            found[int(h)] = Labels(**arrays, **barriers)
        return found


@stage
def labeling(
    clean: CleanMinutes,
    instrument: Instrument,
    barriers: tuple[float, float],
    hours: SessionSettings,
    base: str,
    label_horizons: tuple[int, ...],
    settings: LabelSettings,
) -> RawLabels:
    """Triple barriers in the contract's own prices, every horizon in one walk. No label across a roll or past the data.

    barriers: the upper and the lower one's distance in ATR.
    """
    bars = base_rung(clean.minutes, load_sessions(instrument.calendar, hours.hours), base, adjusted=False)
    found = triple_barrier(
        clean.minutes,
        bars,
        wilder_atr(bars),
        horizons=label_horizons,
        k_up=barriers[0],
        k_down=barriers[1],
        max_bars=settings.max_bars,
    )
    table = pl.DataFrame({f"{name}_h{h}": np.ascontiguousarray(getattr(one, name)) for h, one in found.items() for name in _ARRAYS})
    used = {str(h): {"k_up": one.k_up, "k_down": one.k_down, "max_bars": one.max_bars} for h, one in found.items()}
    return RawLabels(table, used, {str(h): one.counts() for h, one in found.items()})
