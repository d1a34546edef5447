"""A user's own Parquet files in our schema: read, and refused where a table is not what it must be."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from barsmith.artifacts import read_json, read_parquet
from barsmith.bars.minutes import US_PER_MINUTE, as_minutes
from barsmith.config import TIMEFRAMES, shown
from barsmith.datasets.answers import answers_among
from barsmith.datasets.matrix import check_order
from barsmith.datasets.parts import check_columns
from barsmith.datasets.rungs import PRICES, RungBars
from barsmith.datasets.scaling import RobustScaler
from barsmith.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SPLITS = ("train", "val", "test", "between")
EXACT = 1e-6


def found_files(source: Path | Mapping[str, Path | str]) -> dict[str, Path]:
    """{split: file} of a folder with train.parquet or train_scaled.parquet and so on, or as they are given. Raises DataError `datasets/files`."""
    files = {name: Path(path) for name, path in source.items()} if isinstance(source, Mapping) else split_files(source)
    missing = [name for name in ("train", "val") if name not in files] + [name for name, path in files.items() if not path.is_file()]
    strange = sorted(set(files) - set(SPLITS))
    if missing or strange:
        raise DataError(
            "datasets/files",
            expected="Parquet files of train and val, and if there are any of test and between",
            came=f"none of {', '.join(missing)}" if missing else f"one of {', '.join(map(shown, strange))}",
            do="write train.parquet and val.parquet into the folder, or name them: {'train': ..., 'val': ...}",
            where="" if isinstance(source, Mapping) else shown(str(source)),
        )
    return files


def split_files(folder: Path) -> dict[str, Path]:
    """{split: file} of the splits that a folder has, as train.parquet or as train_scaled.parquet. Raises DataError `datasets/files` for both."""
    known = [(name, folder / f"{name}{ending}.parquet") for name in SPLITS for ending in ("", "_scaled")]
    there = [(name, path) for name, path in known if path.is_file()]
    for (name, _), (again, _) in itertools.pairwise(there):
        if name == again:
            came, do = f"both {name}.parquet and {name}_scaled.parquet", "take one of the two elsewhere, or name the files from Python"
            raise DataError("datasets/files", expected="one file for each split", came=came, do=do, where=shown(str(folder)))
    return dict(there)


def read_table(path: Path, symbol: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """A table and the roles in its metadata, if there are any. Raises IntegrityError `integrity/...`, DataError `datasets/symbol`."""
    import polars as pl

    frame, about = read_parquet(path)
    said = {about["symbol"]} if "symbol" in about else set()
    if "symbol" in frame.columns:
        said |= set(frame["symbol"].cast(pl.String).unique().to_list())
    if said - {symbol}:
        raise DataError(
            "datasets/symbol",
            expected=f"rows of {symbol} alone",
            came=f"rows of {', '.join(sorted(map(str, said)))}",
            do="give the file of this symbol, one symbol in a file",
            where=shown(str(path)),
        )
    return frame, about.get("roles", {})


def checked_table(frame: pl.DataFrame, horizon: int, features: Sequence[str], where: str) -> pl.DataFrame:
    """The table with its features as Float64. Raises DataError `datasets/columns`, `datasets/time`, `datasets/labels`."""
    check_columns(frame, horizon, features, where)
    check_times(frame, ("datetime", "decision", f"label_end_h{horizon}"), where)
    check_numbers(frame, [f"label_h{horizon}", f"return_h{horizon}", f"sample_weight_h{horizon}", *features], where)
    holes = [name for name in ("session_id", "minutes_since_open", "last_direction", "is_settled") if frame[name].null_count()]
    if holes:
        do = "fill them: an unsettled row is is_settled = false"
        raise DataError("datasets/columns", expected="a value in every row", came=f"rows without {holes[0]}", do=do, where=where)
    check_answers(frame, horizon, where)
    return with_floats(frame, features)


def read_between(path: Path, symbol: str, features: Sequence[str]) -> pl.DataFrame:
    """The bars between the splits, which need no label. Raises DataError `datasets/columns`, `datasets/time`."""
    frame, _ = read_table(path, symbol)
    missing = [name for name in ("datetime", "session_id", "is_settled", *features) if name not in frame.columns]
    if missing:
        expected = "datetime, session_id, is_settled and the features of the bars between the splits"
        do = "write them, or leave the file out"
        raise DataError("datasets/columns", expected=expected, came=f"none of {', '.join(missing[:5])}", do=do, where=shown(str(path)))
    check_times(frame, ["datetime"], shown(str(path)))
    check_numbers(frame, features, shown(str(path)))
    return with_floats(frame, features)


def check_numbers(frame: pl.DataFrame, names: Sequence[str], where: str) -> None:
    words = [name for name in names if not frame[name].dtype.is_numeric()]
    if words:
        came, do = f"{words[0]} of {frame[words[0]].dtype}", "write it as a number, or take it out of the features"
        raise DataError("datasets/columns", expected="columns of numbers", came=came, do=do, where=where)


def with_floats(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(pl.col(list(names)).cast(pl.Float64))


def check_times(frame: pl.DataFrame, names: Sequence[str], where: str) -> None:
    """UTC, whole minutes, and none missing but of labels."""
    for name in names:
        column, kind = frame[name], frame[name].dtype
        problem = ""
        if getattr(kind, "time_zone", None) != "UTC":
            problem = f"{name} of {kind}"
        elif (column.drop_nulls().dt.cast_time_unit("us").to_physical() % US_PER_MINUTE != 0).any():
            problem = f"{name} with seconds"
        elif column.null_count() and not name.startswith("label_end"):
            problem = f"{name} missing in {column.null_count()} rows"
        if problem:
            expected, do = "times in UTC, of whole minutes", "convert them: dt.convert_time_zone('UTC')"
            raise DataError("datasets/time", expected=expected, came=problem, do=do, where=where)


def check_answers(frame: pl.DataFrame, horizon: int, where: str) -> None:
    """Labels -1, 0, +1, known after the decision; finite returns; finite weights above 0; a row has all of them or no label."""
    import polars as pl

    label, end = pl.col(f"label_h{horizon}"), pl.col(f"label_end_h{horizon}")
    outcome, weight = pl.col(f"return_h{horizon}"), pl.col(f"sample_weight_h{horizon}")
    rest = end.is_null() | outcome.is_null() | weight.is_null()
    cases = {
        "labels other than -1, 0 and +1": ~label.cast(pl.Float64).is_in([-1.0, 0.0, 1.0]),
        "labels that are known before, or when, their decision is made": end <= pl.col("decision"),
        "bars that end before they begin": pl.col("decision") <= pl.col("datetime"),
        "returns that are not finite": ~outcome.is_finite(),
        "weights that are not finite or not above 0": ~(weight.is_finite() & (weight > 0)),
        "labels without their end, return or weight": rest,
    }
    counts = frame.select(((test) & label.is_not_null()).sum().alias(what) for what, test in cases.items()).row(0, named=True)
    wrong = next((what for what, count in counts.items() if count), None)
    if wrong:
        raise DataError(
            "datasets/labels",
            expected=f"labels of horizon {horizon} as the pipeline makes them: -1, 0, +1 or none, each with its end, return and weight",
            came=f"{counts[wrong]} {wrong}",
            do="correct these rows, or leave their label empty",
            where=where,
        )


def check_innocent(train: pl.DataFrame, features: Sequence[str], horizon: int, where: str) -> None:
    """Leak 13. Raises DataError `datasets/answer` for a feature that says what an answer of its own row says."""
    for one in (one for one in answers_among(train, features, [horizon]) if one.is_sure):
        raise DataError(
            "datasets/answer",
            expected="features that are known at the decision",
            came=f"{one.feature}, which says what {one.answer} says (likeness of ranks {one.likeness:.3f} of 1 over {one.rows} rows)",
            do=f"take {one.feature} out of the features",
            where=where,
        )


def check_scaled_on_train(train: pl.DataFrame, features: Sequence[str], scaler_file: Path) -> None:
    """Leak 16. A robust scaler that was fitted on train leaves there a median of 0 and quartiles 1 apart.

    Raises DataError `scaling/not-train` for the columns where that is not so, IntegrityError for a damaged file.
    """
    stored = read_json(scaler_file)
    scaler = RobustScaler.from_json(json.dumps(stored.get("value", stored)))
    rows = train.filter("is_settled")
    other = []
    for name in features:
        values = rows[name].to_numpy() if name in scaler.names and name not in scaler.passed else np.empty(0)
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        low, middle, high = np.percentile(values, (25, 50, 75))
        is_flat, reaches_clip = high == low, max(-low, high) >= scaler.clip
        if abs(middle) > EXACT or not (is_flat or reaches_clip or abs(high - low - 1.0) <= EXACT):
            other.append(name)
    if other:
        raise DataError(
            "scaling/not-train",
            expected="features scaled by the median and the quartiles of the settled rows of train",
            came=f"{len(other)} of {len(features)} that were not, first {', '.join(other[:3])}",
            do="fit the scaler on train alone and scale all tables with it",
            where=shown(str(scaler_file)),
        )


def rung_reader(folder: Path, symbol: str) -> Callable[[tuple[str, ...], int], RungBars]:
    """A reader of {timeframe}.parquet files: datetime, open, high, low, close; `decision`, the bar's end, where it may be a short one.

    Prices are adjusted forward for rolls, or there is a `roll_factor` by which to divide them.
    Raises DataError `datasets/files`, `datasets/columns`, `datasets/time`, `datasets/rolls`, `datasets/order`, `datasets/prices`.
    """

    def read(timeframes: tuple[str, ...], until: int) -> RungBars:
        return RungBars.of({timeframe: _rung(folder / f"{timeframe}.parquet", timeframe, symbol, until) for timeframe in timeframes})

    return read


def _rung(path: Path, timeframe: str, symbol: str, until: int) -> tuple[np.ndarray, np.ndarray]:
    where = shown(str(path))
    if not path.is_file():
        raise DataError(
            "datasets/files", expected=f"bars of {timeframe}", came="no such file", do="write it, or leave out the rung", where=where
        )
    frame, _ = read_table(path, symbol)
    missing = [name for name in ("datetime", *PRICES) if name not in frame.columns]
    if missing:
        do = "write datetime, open, high, low and close"
        raise DataError("datasets/columns", expected="bars", came=f"none of {', '.join(missing)}", do=do, where=where)
    check_times(frame, [name for name in ("datetime", "decision") if name in frame.columns], where)
    if "contract" in frame.columns and "roll_factor" not in frame.columns and frame["contract"].n_unique() > 1:
        do = "divide the prices by the roll ratios and drop `contract`, or add `roll_factor`; from_run does it by itself"
        raise DataError("datasets/rolls", expected="prices adjusted for rolls", came="several contracts", do=do, where=where)
    end = as_minutes(frame["decision"]) if "decision" in frame.columns else as_minutes(frame["datetime"]) + TIMEFRAMES[timeframe]
    check_order(end, where)
    check_numbers(frame, PRICES, where)
    prices = with_floats(frame.select(PRICES), PRICES).to_numpy()
    if "roll_factor" in frame.columns:
        prices = prices / frame["roll_factor"].to_numpy()[:, None]
    if not (np.isfinite(prices) & (prices > 0)).all():
        raise DataError("datasets/prices", expected="finite prices above 0", came="others", do="correct the bars", where=where)
    known = int(np.searchsorted(end, until, "right"))
    return prices[:known], end[:known]


def feature_names_of(
    given: Sequence[str] | None, columns: Sequence[str], roles: Mapping[str, str], where: str
) -> tuple[list[str], dict[str, str]]:
    """The features that the caller names, else those of the file's own roles in the order of its columns, and the roles. Raises DataError `datasets/role`."""
    if given is None and not any(role == "feature" for role in roles.values()):
        raise DataError(
            "datasets/role",
            expected="the names of the features, or roles in the file's metadata",
            came="neither",
            do="name them: from_parquet(..., features=['rsi_14', ...]); a column nobody calls a feature is none",
            where=where,
        )
    names = [name for name in columns if roles.get(name) == "feature"] if given is None else list(given)
    return names, dict.fromkeys(names, "feature") | dict(roles)
