"""What a model will be handed, counted before anybody trains on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from barsmith.bars.sessions import load_sessions
from barsmith.config import DatasetSettings, SessionSettings
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.families import FAMILIES, Reads, columns_read
from barsmith.datasets.kinds import kind_of
from barsmith.datasets.roles import Role, check_features
from barsmith.datasets.rungs import RungBars
from barsmith.errors import DataError
from barsmith.instruments import Instrument
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames


@dataclass(frozen=True)
class DataSets:
    """manifest: the columns' roles and how they were scaled, the columns of each family before validation drops any, and for each horizon
    the rows of train and validation and those left out, of rows (tabular) and of each family's windows; the test split is not counted."""

    manifest: dict[str, Any]

    @property
    def rows(self) -> int:
        longest = max(self.manifest["horizons"], key=int)
        return int(sum(self.manifest["horizons"][longest]["rows"].values()))


@stage
def datasets(
    scaling: ScaledFrames,
    mtf: FeatureTable,
    clean: CleanMinutes,
    instrument: Instrument,
    hours: SessionSettings,
    label_horizons: tuple[int, ...],
    settings: DatasetSettings,
) -> DataSets:
    """A container for each horizon and family, opened far enough to count its rows and refuse what no model may see."""
    roles: dict[str, Role] = scaling.roles  # type: ignore[assignment]
    check_features(mtf.names, roles)
    sessions = load_sessions(instrument.calendar, hours.hours)
    horizons = {}
    for horizon in label_horizons:
        rows = TimeSeriesDataContainer.from_frames(
            scaling.train,
            scaling.val,
            None,
            symbol=instrument.symbol,
            horizon=horizon,
            feature_names=mtf.names if horizon == label_horizons[0] else [],  # one look at the values is enough
            roles=roles,
            between=scaling.between,
            read_rungs=lambda timeframes, until: RungBars.of_minutes(clean.minutes, sessions, until, timeframes),
        )
        windows = {reads: family(rows, reads, settings) for reads in FAMILIES if reads != "tabular"}
        horizons[str(horizon)] = {**counted(rows), "windows": windows}
    columns = {reads: len(columns_read(reads, mtf.names, mtf.catalogue)) for reads in FAMILIES}
    manifest = {
        "symbol": instrument.symbol,
        "features": len(mtf.names),
        "columns": columns,
        "windows": settings.model_dump(mode="json"),
        "scaling": scaled_columns(scaling.scaler, mtf.catalogue),
        "roles": scaling.roles,
    }
    return DataSets({**manifest, "horizons": horizons})


def scaled_columns(scaler: Mapping[str, Any], catalogue: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which columns were scaled and which passed as they are, with their kinds."""
    units = {entry["name"]: entry["unit"] for entry in catalogue}
    passed = {one["name"]: kind_of(units[one["name"]]) for one in scaler["columns"] if one.get("passed")}
    scaled = [one["name"] for one in scaler["columns"] if one["name"] not in passed]
    return {"clip": scaler["clip"], "scaled": scaled, "passed_through": passed}


def family(rows: TimeSeriesDataContainer, reads: Reads, settings: DatasetSettings) -> dict[str, Any]:
    """The counts of a family's windows; where there are none, why: who trains on rows alone need not care."""
    try:
        return counted(rows.seen_as(reads, settings))
    except DataError as error:
        return {"why_not": str(error)}


def counted(container: TimeSeriesDataContainer) -> dict[str, Any]:
    return {
        "rows": {"train": len(container.train), "val": len(container.val)},
        "left_out": {name: dict(counts) for name, counts in container.left_out.items()},
    }
