"""Is it fit to be learned from: columns that say something of their own, and the checks of the finished tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from barsmith.config import ValidationSettings, canonical
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import uncorrelated
from barsmith.errors import DataError
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.datasets import DataSets
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.validation.checks import examine, settled_matrix


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
    label_horizons: tuple[int, ...],
    settings: ValidationSettings,
) -> Validated:
    """Constants and near-copies dropped by what train says; then every check over train and validation."""
    if datasets.manifest["features"] != len(mtf.names):
        raise DataError(
            "validation/features", expected=f"data sets of {len(mtf.names)} features", came="others", do="run the pipeline again"
        )
    chosen = uncorrelated(settled_matrix(scaling.train, mtf.names), mtf.names, settings.max_correlation)
    times = ["datetime", "decision", *(f"label_end_h{h}" for h in label_horizons)]
    found = examine(
        scaling.train,
        scaling.val,
        features=mtf.names,
        kept=chosen.kept,
        horizons=label_horizons,
        scaler=RobustScaler.from_json(canonical(scaling.scaler)),
        unscaled_train=mtf.features[pl.Series(splits.of("train"))],
        test_times=scaling.test.select(times),
        max_correlation=settings.max_correlation,
    )
    feature_set = {"kept": list(chosen.kept), "constant": list(chosen.constant), "correlated": dict(chosen.correlated)}
    return Validated(feature_set, [finding.as_dict() for finding in found])
