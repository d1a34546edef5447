"""`validate`: what the latest data run of a symbol left, checked again from the files themselves."""

from __future__ import annotations

from typing import Any

import polars as pl

from barsmith.artifacts import verify
from barsmith.config import canonical
from barsmith.datasets.scaling import RobustScaler
from barsmith.pipeline.run_data import RunData
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.pipeline.stages.validation import Validated
from barsmith.validation.checks import examine


def check_run(data: RunData) -> dict[str, Any]:
    """{run_id, symbol, files, is_ready, findings}: files is the number whose hash was compared; a changed one is IntegrityError.

    Of the test split only the times are looked at.
    """
    files = {name: record for entry in data.entries.values() for name, record in entry.files.items()}
    verify(data.workspace, files)
    names = data.field("mtf", FeatureTable, "names")
    rows = SplitRows(data.field("splits", SplitRows, "split")).of("train")
    horizons = data.settings.label_horizons
    times = ["datetime", "decision", *(f"label_end_h{h}" for h in horizons)]
    found = examine(
        data.field("scaling", ScaledFrames, "train"),
        data.field("scaling", ScaledFrames, "val"),
        features=names,
        kept=data.field("validation", Validated, "feature_set")["kept"],
        horizons=horizons,
        scaler=RobustScaler.from_json(canonical(data.field("scaling", ScaledFrames, "scaler"))),
        unscaled_train=data.field("mtf", FeatureTable, "features")[pl.Series(rows)],
        test_times=data.field("scaling", ScaledFrames, "test").select(times),
        max_correlation=data.settings.validation.max_correlation,
    )
    return {
        "run_id": data.run_id,
        "symbol": data.symbol,
        "files": len(files),
        "is_ready": not any(finding.severity == "error" for finding in found),
        "findings": [finding.as_dict() for finding in found],
    }
