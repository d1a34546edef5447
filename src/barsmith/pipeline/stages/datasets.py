"""What a model will be handed, counted before anybody trains on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.roles import Role
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames


@dataclass(frozen=True)
class DataSets:
    """manifest: the columns' roles, and for each horizon the rows of train and validation and those left out; the test split is not counted."""

    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        longest = max(self.manifest["horizons"], key=int)
        return int(sum(self.manifest["horizons"][longest]["rows"].values()))


@stage
def datasets(scaling: ScaledFrames, mtf: FeatureTable, instrument: Instrument, label_horizons: tuple[int, ...]) -> DataSets:
    """A container for each horizon, opened far enough to count its rows and refuse what no model may see."""
    roles: dict[str, Role] = scaling.roles  # type: ignore[assignment]
    horizons = {}
    for horizon in label_horizons:
        container = TimeSeriesDataContainer.from_frames(
            scaling.train, scaling.val, None, symbol=instrument.symbol, horizon=horizon, feature_names=mtf.names, roles=roles
        )
        horizons[str(horizon)] = {
            "rows": {"train": len(container.train), "val": len(container.val)},
            "left_out": {name: dict(counts) for name, counts in container.left_out.items()},
        }
    return DataSets({"symbol": instrument.symbol, "features": len(mtf.names), "roles": scaling.roles, "horizons": horizons})
