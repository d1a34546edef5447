"""Is it fit to be learned from: columns that say something of their own, and the checks of the finished tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from barsmith.config import LabelSettings, ValidationSettings, canonical
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import uncorrelated
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.datasets import DataSets
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.validation.checks import Finding, examine, settled_matrix


@dataclass(frozen=True)
class Validated:
    """feature_set: kept (in order), constant, correlated {dropped: the kept one it repeats}. findings: errors first."""

    feature_set: dict[str, Any]
    findings: list[dict[str, Any]]

    @property
    def rows(self) -> int:
        """The number of features kept."""
        return len(self.feature_set["kept"])

    @property
    def is_ready(self) -> bool:
        return not any(finding["severity"] == "error" for finding in self.findings)


@stage
def validation(
    scaling: ScaledFrames,
    mtf: FeatureTable,
    splits: SplitRows,
    datasets: DataSets,
    settings: ValidationSettings,
    labels: LabelSettings,
) -> Validated:
    """Constants and near-copies dropped by what train says; then every check over train and validation."""
    chosen = uncorrelated(settled_matrix(scaling.train, mtf.names), mtf.names, settings.max_correlation)
    horizons = [int(horizon) for horizon in datasets.manifest["horizons"]]
    found = examined(scaling, mtf, splits, chosen.kept, horizons, settings, labels)
    feature_set = {"kept": list(chosen.kept), "constant": list(chosen.constant), "correlated": dict(chosen.correlated)}
    return Validated(feature_set, [finding.as_dict() for finding in found])


def examined(
    scaled: ScaledFrames,
    table: FeatureTable,
    splits: SplitRows,
    kept: Sequence[str],
    horizons: Sequence[int],
    settings: ValidationSettings,
    labels: LabelSettings,
) -> list[Finding]:
    """Every finding about the tables; of the test split only the times are looked at."""
    times = ["datetime", "decision", *(f"label_end_h{h}" for h in horizons)]
    return examine(
        scaled.train,
        scaled.val,
        features=table.names,
        kept=kept,
        horizons=horizons,
        scaler=RobustScaler.from_json(canonical(scaled.scaler)),
        unscaled_train=table.features[pl.Series(splits.of("train"))],
        test_times=scaled.test.select(times),
        max_correlation=settings.max_correlation,
        labels=labels,
    )
