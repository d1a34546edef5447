"""The data set of one symbol and horizon: what models are fitted on and judged by, with the test split closed until asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from barsmith.config import DatasetSettings
from barsmith.datasets import own_tables
from barsmith.datasets.cutting import Cut, RungReader, Source, check_length, cut_of, dataset_settings, seen
from barsmith.datasets.families import Reads
from barsmith.datasets.matrix import FeatureMatrix
from barsmith.datasets.parts import Part, check_apart, check_columns, part_of
from barsmith.datasets.roles import check_features
from barsmith.errors import UsageError, did_you_mean
from barsmith.features.past import Window

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class TimeSeriesDataContainer:
    """Train and validation of one symbol and horizon, and a test split that is not even read before `open_test`.

    feature_names: of the last axis of X. left_out: rows of each split without a place here, {"train": {"unsettled": n, "unlabelled": n},
    ...}: warm-up and missing futures, and "no_event" where labels were asked for at chosen bars only (the column `is_event`); of windows
    also the reasons of `window_faults` and "rungs_too_early". reads: tabular (X of rows), sequence (of windows), multires (of the rungs).
    """

    symbol: str
    horizon: int
    feature_names: tuple[str, ...]
    train: Part
    val: Part
    left_out: Mapping[str, Mapping[str, int]]
    _source: Source
    reads: Reads = "tabular"
    _cut: Cut | None = None
    _test: Part | None = None

    @classmethod
    def from_run(
        cls,
        workspace: Path | str,
        symbol: str,
        horizon: int,
        *,
        reads: Reads = "tabular",
        features: Sequence[str] | None = None,
        **windows: Any,
    ) -> TimeSeriesDataContainer:
        """The data set that the latest finished data run of `symbol` left in a workspace.

        features: names of columns; by default those of the family that validation kept. windows: settings of `datasets` that are to differ
        from the run's own, as sequence_length=30, within_session=True.
        Raises DataError `data/not-run`, and what `from_frames` and `seen_as` raise.
        """
        run_data = import_module(
            "barsmith.pipeline.run_data"
        )  # where runs lie is known two rooms further up: asked for here, not needed here
        found: TimeSeriesDataContainer = run_data.load_run_data(Path(workspace), symbol).container(
            horizon, reads=reads, features=features, **windows
        )
        return found

    @classmethod
    def from_parquet(
        cls,
        source: Path | str | Mapping[str, Path | str],
        symbol: str,
        horizon: int,
        *,
        features: Sequence[str] | None = None,
        reads: Reads = "tabular",
        rungs: Path | str | None = None,
        **windows: Any,
    ) -> TimeSeriesDataContainer:
        """A data set from a user's own tables: a folder with train.parquet, val.parquet and, if there are any, test.parquet and between.parquet
        (or the same with _scaled), or these files by name.

        Each has the columns of `from_frames`. features: by default those with that role in the files' metadata. rungs: a folder of
        {timeframe}.parquet, for `multires`. windows: settings of `datasets`. A feature_scaler.json in the folder is held against train.
        Raises what `from_frames` and `seen_as` raise, DataError `datasets/files`, `datasets/symbol`, `datasets/time`, `datasets/labels`,
        `datasets/answer` for a feature that repeats an answer, `scaling/not-train`; IntegrityError for a damaged file.
        """
        files = own_tables.found_files(source if isinstance(source, Mapping) else Path(source))
        frame, roles = own_tables.read_table(files["train"], symbol)
        names, roles = own_tables.feature_names_of(features, frame.columns, roles, str(files["train"]))
        check_features(names, roles)
        train = own_tables.checked_table(frame, horizon, names, str(files["train"]))
        own_tables.check_innocent(train, names, horizon, str(files["train"]))
        scaler = files["train"].parent / "feature_scaler.json"
        if scaler.is_file():
            own_tables.check_scaled_on_train(train, names, scaler)

        def read(name: str) -> pl.DataFrame:
            return own_tables.checked_table(own_tables.read_table(files[name], symbol)[0], horizon, names, str(files[name]))

        rows = cls.from_frames(
            train,
            read("val"),
            (lambda: read("test")) if "test" in files else None,
            symbol=symbol,
            horizon=horizon,
            feature_names=names,
            roles=roles,
            between=own_tables.read_between(files["between"], symbol, names) if "between" in files else None,
            read_rungs=own_tables.rung_reader(Path(rungs), symbol) if rungs is not None else None,
        )
        return rows.seen_as(reads, dataset_settings(**windows))

    @classmethod
    def from_frames(
        cls,
        train: pl.DataFrame,
        val: pl.DataFrame,
        read_test: Callable[[], pl.DataFrame] | None,
        *,
        symbol: str,
        horizon: int,
        feature_names: Sequence[str],
        roles: Mapping[str, str],
        between: pl.DataFrame | None = None,
        read_rungs: RungReader | None = None,
    ) -> TimeSeriesDataContainer:
        """Build from the scaled tables of the splits.

        A table has the features (Float64), the columns of `needed_columns`, and any others. read_test: returns the test table
        when it is opened; None where there is no test split. feature_names: the kept columns, in the model's order.
        between: the base bars before the test split that are in neither table (purged, embargoed), without labels: windows reach back into
        them. Without it a window begins in the table in which it ends. read_rungs: for `multires`.
        Raises DataError `datasets/role`, `datasets/columns`, `datasets/infinite`, `datasets/empty`, `datasets/order`, `datasets/overlap`.
        """
        check_features(feature_names, roles)
        tables = {f"{symbol} train": train, f"{symbol} val": val}
        for where, table in tables.items():
            check_columns(table, horizon, feature_names, where)
        whole = tables if between is None else {**tables, f"{symbol} between": between}
        matrix = FeatureMatrix.of(whole, feature_names, without_gaps=between is not None)
        found = [part_of(table, horizon, feature_names, where, matrix) for where, table in tables.items()]
        check_apart(found[0][0], found[1][0], "train", "val")
        left_out = {"train": found[0][1], "val": found[1][1]}
        source = Source(tuple(feature_names), matrix, between is not None, read_test, read_rungs)
        return cls(symbol, horizon, tuple(feature_names), found[0][0], found[1][0], left_out, source)

    def sequence(self, length: int = 60, *, within_session: bool = False) -> TimeSeriesDataContainer:
        """The same rows as windows: X is `Windows` (N, length, F), the last `length` base bars up to each decision.

        A window reaches back across session breaks, unless within_session, and into purge, embargo and earlier splits: never forward.
        Rows whose window is not there or not settled are left out and counted.
        """
        return self.seen_as("sequence", dataset_settings(sequence_length=length, within_session=within_session))

    def multires(self, length: int = 60, timeframes: Sequence[str] | None = None) -> TimeSeriesDataContainer:
        """The same rows with X as `RungWindows` (N, R, length, 4): of each rung the prices of its last finished bars at each decision."""
        chosen: dict[str, Any] = {} if timeframes is None else {"multires_timeframes": tuple(timeframes)}
        return self.seen_as("multires", dataset_settings(multires_length=length, **chosen))

    def seen_as(self, reads: Reads, settings: DatasetSettings) -> TimeSeriesDataContainer:
        """This data set as a family reads it.

        Raises UsageError `datasets/view` for one that is cut already, `datasets/no-rungs`; DataError `config/inconsistent` for windows longer
        than a split, `datasets/empty` where no window is left.
        """
        if reads not in get_args(Reads):
            do = did_you_mean(str(reads), get_args(Reads))
            raise UsageError("datasets/view", expected="tabular, sequence or multires", came=ascii(reads)[:80], do=do)
        if reads == self.reads == "tabular":
            return self
        if self.reads != "tabular":
            do = "begin with the data set of rows"
            raise UsageError("datasets/view", expected="a data set of rows to cut windows from", came=f"one of {self.reads}", do=do)
        cut = cut_of(reads, settings)
        check_length(cut, min(len(self.train), len(self.val)))
        opened = {} if self._test is None else {"test": self._test}
        parts, left_out = {}, dict(self.left_out)
        for name, part in {"train": self.train, "val": self.val, **opened}.items():
            parts[name], faults = seen(part, cut, self._source, f"{self.symbol} {name}")
            left_out[name] = {**self.left_out[name], **faults}
        names = cut.axis or self.feature_names
        return replace(
            self,
            feature_names=names,
            train=parts["train"],
            val=parts["val"],
            left_out=left_out,
            reads=reads,
            _cut=cut,
            _test=parts.get("test"),
        )

    @property
    def window(self) -> Window:
        """What a model of these parts is handed at each decision."""
        return Window() if self._cut is None else self._cut.window

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns that are read: none where prices of several timeframes are."""
        return () if self.reads == "multires" else self.feature_names

    @property
    def test_is_open(self) -> bool:
        return self._test is not None

    @property
    def test(self) -> Part:
        """Raises UsageError `datasets/test-closed` until `open_test`."""
        if self._test is None:
            raise UsageError(
                "datasets/test-closed",
                expected="a test split that was opened on purpose",
                came="a look at the closed one",
                do="choose on validation; at the very end, once, train --open-test (in Python: container.open_test())",
            )
        return self._test

    def open_test(self) -> TimeSeriesDataContainer:
        """A container whose test split is read and open, seen as this one is. Whoever calls this records it."""
        if self._test is not None:
            return self
        if self._source.read_test is None:
            raise UsageError("datasets/no-test", expected="a data set with a test split", came="one without", do="run the pipeline first")
        table, where = self._source.read_test(), f"{self.symbol} test"
        check_columns(table, self.horizon, self._source.names, where)
        source = self._source.followed_by(table, where)
        test, left_out = part_of(table, self.horizon, source.names, where, source.matrix)
        check_apart(self.train, test, "train", "test")
        check_apart(self.val, test, "val", "test")
        if self._cut is not None:
            test, faults = seen(test, self._cut, source, where)
            left_out |= faults
        return replace(self, _source=source, _test=test, left_out={**self.left_out, "test": left_out})
