"""Tables of somebody else's making, read as data sets: `train`, `val` and `test` files of a folder, or one file with a column `split`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith.artifacts import read_json, read_parquet, storage_errors
from barsmith.config import shown
from barsmith.datasets.own_tables import split_files
from barsmith.datasets.roles import reserved_role
from barsmith.errors import DataError, IntegrityError, UsageError

if TYPE_CHECKING:
    import polars as pl

SPLITS = ("train", "val", "test")
BESIDE = ("split", "open", "high", "low", "close", "volume", "contract", "trade_date", "session_progress", "roll_factor")
"""Columns that are no features although they are numbers."""


@dataclass(frozen=True)
class ForeignTables:
    """parts: by split in the order of time, `all` where there are no splits; of the test split times alone. kept: the features that a
    feature_set_manifest.json beside the files keeps, else None. absent: columns of the schema that are not there."""

    parts: dict[str, pl.DataFrame]
    features: tuple[str, ...]
    horizons: tuple[int, ...]
    kept: tuple[str, ...] | None
    absent: tuple[str, ...]
    files: int

    @property
    def learned(self) -> dict[str, pl.DataFrame]:
        """The splits that may be looked at."""
        return {name: part for name, part in self.parts.items() if name != "test"}


def read_foreign(path: Path) -> ForeignTables:
    """Raises UsageError `cli/path`; DataError `datasets/format`, `datasets/schema`, `datasets/files`, `datasets/time`, `datasets/empty`; IntegrityError for
    a damaged file."""
    if path.is_file():
        check_format(path)
        raw, files = split_by_column(read_parquet(path)[0], path), 1
    elif path.is_dir():
        there = {name: file for name, file in split_files(path).items() if name in SPLITS}
        for file in there.values():
            check_format(file)
        raw, files = {name: read_parquet(file)[0] for name, file in there.items()}, len(there)
    else:
        do = "check --path"
        raise UsageError("cli/path", expected="a Parquet file, or a folder of them", came="none", do=do, where=shown(str(path)))
    if not raw or (path.is_dir() and not {"train", "val"} <= set(raw)):
        raise wrong("train.parquet and val.parquet (or train_scaled.parquet ...)", ", ".join(raw) or "none of them", path)
    first = next(iter(raw.values()))
    horizons = tuple(sorted(int(found[1]) for name in first.columns if (found := re.fullmatch(r"label_h(\d+)", name))))
    if not horizons:
        raise wrong("a column label_h{H} for each horizon", f"columns {', '.join(first.columns[:8])} ...", path)
    features = tuple(name for name in first.columns if is_feature(first, name))
    if not features:
        raise wrong("columns of numbers beside the times and answers: the features", "none", path)
    needed = ["datetime", "decision", *(f"{name}_h{h}" for h in horizons for name in ("label", "label_end"))]
    optional = ["is_settled", *(f"{name}_h{h}" for h in horizons for name in ("return", "sample_weight"))]
    parts = {}
    for name, table in raw.items():
        check_columns(table, needed if name == "test" else [*needed, *features], f"{path} ({name})")
        parts[name] = times_only(table, horizons) if name == "test" else settled(table)
    absent = tuple(name for name in optional if name not in first.columns)
    return ForeignTables(parts, features, horizons, kept_of(path), absent, files)


def check_format(path: Path) -> None:
    """Raises DataError `datasets/format` for a file that does not begin as Parquet does: no damaged artifact, but something else."""
    with storage_errors(path, "read the file"), path.open("rb") as file:
        begins = file.read(4)
    if begins != b"PAR1":
        do = "write the table as Parquet: pl.read_csv(...).write_parquet(...)"
        raise DataError("datasets/format", expected="a Parquet file", came="another format", do=do, where=shown(str(path)))


def wrong(expected: str, came: str, path: Path | str) -> DataError:
    do = "see docs/running.md for the columns that are read"
    return DataError("datasets/schema", expected=expected, came=came, do=do, where=shown(str(path)))


def split_by_column(table: pl.DataFrame, path: Path) -> dict[str, pl.DataFrame]:
    import polars as pl

    if "split" not in table.columns:
        return {"all": table}
    found = set(table["split"].to_list())
    if not found <= set(SPLITS) or not {"train", "val"} <= found:
        raise wrong("train, val and perhaps test in the column split", ", ".join(sorted(map(str, found)))[:80], path)
    return {name: table.filter(pl.col("split") == name) for name in SPLITS if name in found}


def is_feature(table: pl.DataFrame, name: str) -> bool:
    return name not in BESIDE and reserved_role(name) is None and (table[name].dtype.is_numeric() or str(table[name].dtype) == "Boolean")


def check_columns(table: pl.DataFrame, needed: list[str], where: str) -> None:
    import polars as pl

    missing = [name for name in needed if name not in table.columns]
    if missing:
        raise wrong(f"{len(needed)} columns", f"a table without {', '.join(missing[:5])}", where)
    if not len(table):
        raise DataError("datasets/empty", expected="rows", came="none", do="bring a table with rows", where=shown(where))
    for name in needed:
        kind = table[name].dtype
        if (name in ("datetime", "decision") or name.startswith("label_end_h")) and getattr(kind, "time_zone", None) != "UTC":
            do = f"convert it: pl.col({name!r}).dt.convert_time_zone('UTC'), or say its zone first with replace_time_zone"
            raise DataError("datasets/time", expected=f"{name} as a time in UTC", came=f"{kind}", do=do, where=shown(where))
        if name.startswith("label_h") and not kind.is_integer():
            raise wrong(f"{name} as whole numbers -1, 0 and 1, null where the future is missing", f"{kind}", where)
    for name in (name for name in table.columns if name == "is_settled" or name.startswith(("return_h", "sample_weight_h"))):
        if not (table[name].dtype == pl.Boolean if name == "is_settled" else table[name].dtype.is_numeric()):
            raise wrong(f"{name} as {'true or false' if name == 'is_settled' else 'numbers'}", f"{table[name].dtype}", where)
    if table["datetime"].null_count() or table["decision"].null_count():
        raise DataError("datasets/time", expected="a time in every row", came="rows without one", do="drop them", where=shown(where))


def settled(table: pl.DataFrame) -> pl.DataFrame:
    """Without a column `is_settled` every row counts."""
    import polars as pl

    return table if "is_settled" in table.columns else table.with_columns(is_settled=pl.lit(True))


def times_only(table: pl.DataFrame, horizons: tuple[int, ...]) -> pl.DataFrame:
    return table.select("datetime", "decision", *(f"label_end_h{h}" for h in horizons))


def kept_of(path: Path) -> tuple[str, ...] | None:
    file = (path if path.is_dir() else path.parent) / "feature_set_manifest.json"
    if not file.is_file():
        return None
    content = read_json(file)
    kept = content.get("kept") if isinstance(content, dict) else None
    if not isinstance(kept, list) or not all(isinstance(name, str) for name in kept):
        do = "write the names of the kept features there, or remove the file"
        raise IntegrityError("integrity/json", expected='{"kept": [names]}', came="something else", do=do, where=shown(str(file)))
    return tuple(kept)
