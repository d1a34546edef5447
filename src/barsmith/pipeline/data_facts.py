"""What the report of a data run speaks of, gathered from the stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from barsmith.config import LabelSettings, Unit
from barsmith.pipeline.tuning_report import Tuning

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Facts:
    """The values of the stages that the report speaks of; see the stages for their contents."""

    symbol: str
    base: str
    quality: Mapping[str, Any]
    cleaned: Mapping[str, Any]
    rolls: list[dict[str, Any]]
    bars: pl.DataFrame
    labels: pl.DataFrame
    asked: LabelSettings
    unit: Unit
    barriers: Mapping[str, Mapping[str, Any]]
    split: Mapping[str, Any]
    features: list[str]
    catalogue: list[dict[str, Any]]
    first_settled: Mapping[str, int]
    feature_set: Mapping[str, Any]
    findings: list[dict[str, Any]]
    data_sets: Mapping[str, Any]
    tuning: Tuning
    importance: list[dict[str, Any]]
    clusters: list[list[str]]
    alike: pl.DataFrame
    drift: list[dict[str, Any]]
    train: pl.DataFrame

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["severity"] == "error"]

    @property
    def open_rows(self) -> int:
        """Base bars before the test split: of what follows no label is shown, because it stays closed."""
        return int(self.split["test"][0])

    @property
    def longest(self) -> str:
        """The longest horizon, as text."""
        return max(self.barriers, key=int)


@dataclass(frozen=True)
class Section:
    """says: what a reader must know to read the table."""

    heading: str
    says: str
    rows: list[dict[str, Any]]
