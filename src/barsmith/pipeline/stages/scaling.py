"""Features on one scale, learned on train and nowhere else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.config import ScalingSettings
from barsmith.datasets.kinds import columns_of_kind
from barsmith.datasets.roles import roles_of
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import DataError
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.splits.calendar import NAMES


@dataclass(frozen=True)
class ScaledFrames:
    """train, val, test: the splits' rows with meta columns, scaled features, labels and weights. scaler: as JSON. roles: of the columns.

    between: the base bars before the test split that are in no split (purged, embargoed), with meta columns and scaled features only:
    windows of later rows reach back into them.
    """

    train: pl.DataFrame
    val: pl.DataFrame
    test: pl.DataFrame
    between: pl.DataFrame
    scaler: dict[str, Any]
    roles: dict[str, str]

    @property
    def rows(self) -> int:
        return len(self.train) + len(self.val) + len(self.test)


@stage
def scaling(splits: SplitRows, mtf: FeatureTable, final_labels: FinalLabels, settings: ScalingSettings) -> ScaledFrames:
    """Robust scaling, fitted on the settled train rows, applied to every row, clipped; chosen kinds of columns pass as they are."""
    fitted = fit(mtf, splits.of("train"), settings)
    labels = final_labels.table.drop("datetime")
    parts = {}
    for name in NAMES:
        rows = pl.Series(splits.of(name))
        parts[name] = scaled(mtf, rows, fitted).hstack(labels[rows])
    between = scaled(mtf, pl.Series(splits.between()), fitted)
    roles = roles_of(parts["train"].columns, mtf.names)
    return ScaledFrames(**parts, between=between, scaler=json.loads(fitted.to_json()), roles=dict(roles))


def scaled(table: FeatureTable, rows: pl.Series, scaler: RobustScaler) -> pl.DataFrame:
    """These rows with meta columns and scaled features."""
    part = table.features[rows]
    values = scaler.apply(part.select(table.names).to_numpy())
    columns = {column: np.ascontiguousarray(values[:, i]) for i, column in enumerate(table.names)}
    return part.drop(table.names).hstack(pl.DataFrame(columns))


def fit(table: FeatureTable, train: np.ndarray, settings: ScalingSettings) -> RobustScaler:
    """The scaler of these train rows, those left out that have not settled."""
    rows = table.features[pl.Series(train)].filter(pl.col("is_settled"))
    if not len(rows):
        slowest = max(table.first_settled, key=lambda name: table.first_settled[name])
        raise DataError(
            "bars/too-few-rows",
            expected=f"settled rows in the training slice: {slowest} settles at base bar {table.first_settled[slowest]}",
            came=f"a training slice that ends at base bar {int(train[-1])}",
            do=f"bring a longer file, or drop the slowest features (features.drop: [{slowest}])",
        )
    passed = columns_of_kind(settings.pass_through, table.catalogue)
    return RobustScaler.fit(rows.select(table.names).to_numpy(), table.names, settings.clip, passed)
