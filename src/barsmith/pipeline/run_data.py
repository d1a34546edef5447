"""What a finished data run left, verified file by file, as training and bundling need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl

from barsmith.artifacts import read_parquet, read_sealed, record_of
from barsmith.bars.minutes import as_minutes
from barsmith.bars.sessions import load_sessions
from barsmith.config import Settings, canonical
from barsmith.datasets.container import TimeSeriesDataContainer
from barsmith.datasets.cutting import dataset_settings
from barsmith.datasets.families import FAMILIES, Reads, columns_read
from barsmith.datasets.parts import Part
from barsmith.datasets.roles import check_features
from barsmith.datasets.rungs import RungBars
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import DataError, UsageError
from barsmith.features.events import Events
from barsmith.features.sets import fitting
from barsmith.instruments import instrument
from barsmith.labels.making import in_words
from barsmith.labels.outcomes import Barriers
from barsmith.models.fitting import reads_with
from barsmith.models.params import ModelParams, RowParams, RungParams, WindowParams
from barsmith.models.registry import ModelInfo
from barsmith.pipeline.mixed_runs import mixed
from barsmith.pipeline.run_folder import RunFolder
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.regime import RegimeColumns
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.pipeline.stages.validation import Validated
from barsmith.pipeline.store import Entry, Store, no_data

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class RunData:
    """The data of one symbol as the latest finished run left it. fingerprint: of everything that a model can be trained on."""

    workspace: Path
    symbol: str
    run_id: str
    settings: Settings
    store: Store
    entries: Mapping[str, Entry]

    @property
    def fingerprint(self) -> str:
        return self.entries["validation"].key

    def field(self, stage: str, makes: type, field: str, columns: Sequence[str] | None = None) -> Any:
        return self.store.read_field(stage, makes, field, self.entries[stage], columns)

    def value(self, stage: str, makes: type[Made]) -> Made:
        """Everything that a stage made."""
        found: Made = self.store.read(stage, makes, self.entries[stage])
        return found

    def barriers(self, horizon: int) -> Barriers:
        """With which the horizon's labels were made, tuned or given."""
        return Barriers(**self.field("final_labels", FinalLabels, "barriers")[str(horizon)])

    def labels_in_words(self, horizon: int) -> str:
        """How the horizon's labels were made, for a reader."""
        barriers, contract = self.barriers(horizon), instrument(self.symbol, self.settings)
        return in_words(self.settings.labels, barriers.k_up, barriers.k_down, contract.barrier_unit)

    def container(
        self, horizon: int, *, reads: Reads = "tabular", features: Sequence[str] | None = None, **windows: Any
    ) -> TimeSeriesDataContainer:
        """Train and validation for one horizon; the test file is not read until it is opened.

        features: by default those of the family that validation kept. windows: settings of `datasets` that differ from the run's.
        Raises DataError `datasets/rows`, UsageError `config/...` and what the container raises.
        """
        if features is None:
            kept = self.field("validation", Validated, "feature_set")["kept"]
            features = columns_read(reads, kept, self.field("mtf", FeatureTable, "catalogue"))
        roles = self.field("scaling", ScaledFrames, "roles")
        check_features(features, roles)
        columns = [name for name, role in roles.items() if role != "feature" or name in set(features)]
        known = [name for name in columns if roles[name] in ("meta", "feature") and name != "is_event"]  # which comes with the labels
        train, val = (self.field("scaling", ScaledFrames, name, columns) for name in ("train", "val"))
        between = self.field("scaling", ScaledFrames, "between", known)
        check_whole(len(train) + len(val) + len(between), self.field("splits", SplitRows, "split")["test"][0])
        rows = TimeSeriesDataContainer.from_frames(
            train,
            val,
            lambda: self.field("scaling", ScaledFrames, "test", columns),
            symbol=self.symbol,
            horizon=horizon,
            feature_names=features,
            roles=roles,
            between=between,
            read_rungs=self.rungs,
        )
        return rows.seen_as(reads, dataset_settings(**self.settings.datasets.model_dump() | windows))

    def container_for(self, info: ModelInfo, params: ModelParams, horizon: int) -> TimeSeriesDataContainer:
        """The data set as a model with these parameters reads it: its columns, its windows.

        Raises UsageError `models/reads` for a model of predictions, `config/unknown-name` for a column that validation did not keep, and
        what `container` raises.
        """
        kind = reads_with(info, params)
        if kind not in FAMILIES:
            do = "choose another model"
            raise UsageError("models/reads", expected="a model that reads bars", came=f"{info.name}, which reads {kind}", do=do)
        features: list[str] | None = None
        windows: dict[str, Any] = {}
        if isinstance(params, RowParams) and kind != "multires":
            features = self.columns(str(params.strategy), params.features)
        if isinstance(params, WindowParams):
            windows = {"sequence_length": params.seq_len, "multires_length": params.seq_len}
        if isinstance(params, RungParams):
            windows["multires_timeframes"] = params.timeframes
        return self.container(horizon, reads=kind, features=features, **windows)

    def columns(self, strategy: str, chosen: Sequence[str] | None) -> list[str]:
        """The columns, of those that validation kept, that a strategy and names or patterns leave."""
        kept = self.field("validation", Validated, "feature_set")["kept"]
        known = columns_read("tabular" if strategy == "indicators" else "sequence", kept, self.field("mtf", FeatureTable, "catalogue"))
        if chosen is None:
            return known
        wanted = {name for pattern in chosen for name in fitting(pattern, known, "training.features")}
        return [name for name in known if name in wanted]

    def rungs(self, timeframes: tuple[str, ...], until: int) -> RungBars:
        """The bars of other timeframes that end by a moment, as features read them. until: minutes since 1970 UTC."""
        sessions = load_sessions(instrument(self.symbol, self.settings).calendar, self.settings.sessions.hours)
        return RungBars.of_minutes(self.field("clean", CleanMinutes, "minutes"), sessions, until, timeframes)

    def scaler_of(self, names: Sequence[str]) -> RobustScaler:
        """The scaler of these features, in this order."""
        whole = RobustScaler.from_json(canonical(self.field("scaling", ScaledFrames, "scaler")))
        return whole.of(names)

    def features_of(self, names: Sequence[str]) -> dict[str, Any]:
        """The bundle's record of these features: {features: [...], learned: by key, events: minutes by kind, feature_code: [...]}."""
        known = {entry["name"]: entry for entry in self.field("mtf", FeatureTable, "catalogue")}
        keys = ("name", "fingerprint", "warmup_bars", "timeframe")
        modules = [{"path": path, "sha256": record_of(self.workspace / path).sha256} for path in self.settings.features.modules]
        features = [{key: known[name][key] for key in keys} for name in names]
        learned, events = self.field("regime", RegimeColumns, "learned"), self.field("events", Events, "times")
        return {"features": features, "learned": learned, "events": events, "feature_code": modules}

    @property
    def minutes_file(self) -> dict[str, Any]:
        """The clean minutes: path in the workspace, sha256, size."""
        path = self.store.path("clean", "minutes", "", "parquet")
        return {"path": path, **self.entries["clean"].files[path]}

    @property
    def contracts(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.field("clean", CleanMinutes, "minutes").names
        return names

    def truth(self, part: Part, horizon: int) -> tuple[np.ndarray, int] | None:
        """(N, 3) shares of drawn futures for a part's rows and how many were drawn, where the raw file is a simulated market and its truth
        speaks of these labels."""
        path = self.workspace / "data" / "raw" / f"{self.symbol}_truth.parquet"
        if not path.is_file():
            return None
        frame, about = read_parquet(path, symbol=self.symbol)
        told = about["about"]
        contract = instrument(self.symbol, self.settings)
        raw = self.workspace / "data" / "raw" / f"{self.symbol}_1m.parquet"
        is_of_these = raw.is_file() and record_of(raw).sha256 == told["bars_sha256"] and horizon in told["horizons"]
        asked = self.settings.labels
        kind = (self.settings.base_kind, asked.method, asked.session, asked.primary_signal, contract.barrier_unit)
        is_of_these &= kind == (told["base_timeframe"], "triple_barrier", "hold", None, "atr")
        is_of_these = is_of_these and self.barriers(horizon) == Barriers(told["k_up"], told["k_down"], horizon)
        columns = [f"prob_{name}_h{horizon}" for name in ("short", "neutral", "long")]
        if not is_of_these or not set(columns) <= set(frame.columns):
            return None
        time = as_minutes(frame["datetime"])
        rows = np.searchsorted(time, part.datetime)
        if len(time) == 0 or (time[np.minimum(rows, len(time) - 1)] != part.datetime).any():
            return None
        found = frame.select(columns).cast(pl.Float64).to_numpy()[rows]
        return (found, int(told["paths"])) if np.isfinite(found).all() else None


def check_whole(rows: int, first_test_row: int) -> None:
    """The tables before the test split hold every base bar before it and none of it. Raises DataError `datasets/rows`."""
    if rows != first_test_row:
        raise DataError(
            "datasets/rows",
            expected=f"{first_test_row} base bars in train, val and between them: all before the test split",
            came=f"{rows}",
            do="run the scaling stage again",
        )


def load_run_data(workspace: Path, symbol: str) -> RunData:
    """The data of the latest finished run of `symbol`.

    Raises DataError `data/not-run` where there is none, where one did not finish, and where a stage was since made alone.
    """
    store = Store(workspace, symbol)
    entries = store.entries()
    keys = {name: entry.key for name, entry in entries.items()}
    finished = []
    for path in sorted((workspace / "runs").glob("*/manifest.json"), reverse=True):
        manifest = read_sealed(path)
        if manifest.get("symbol") != symbol:
            continue
        if manifest.get("keys") == keys:
            settings, _ = RunFolder.find(workspace, path.parent.name).config()
            return RunData(workspace, symbol, path.parent.name, settings, store, entries)
        finished.append(manifest)
    raise mixed(workspace, symbol, keys, finished) if finished and entries else no_data(symbol, "a finished data run")
