"""A file of raw bars for a bundle: read as the bundle's own history was, and of the bundle's own contract."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barsmith.cli.printing import say
from barsmith.errors import DataError, IntegrityError

if TYPE_CHECKING:
    from barsmith.bars.reading import RawBars
    from barsmith.serving.bundle import Bundle


def load_bundle(folder: Path, workspace: Path, modules: list[Path] | None) -> Bundle:
    """The bundle, its notes told."""
    from barsmith.serving.bundle import Bundle

    bundle = Bundle.load(folder, workspace=workspace, modules=modules or ())
    for note in bundle.notes:
        say(f"note: {note}")
    return bundle


def bars_for(bundle: Bundle, path: Path, *, timezone: str | None, timestamps: str | None, on_bad_rows: str | None, repair: bool) -> RawBars:
    """What is left out is read as the bundle's own bars were.

    Raises IntegrityError `bundle/mismatch` for another contract's bars; DataError `data/schema` for a table of something else, `bars/...`.
    """
    from barsmith.bars.reading import read_raw
    from barsmith.bars.sessions import load_sessions

    own = bundle.settings.ingest
    refuse_other_name(bundle.symbol, path)
    rules = replace(
        bundle.reading_rules,
        sessions=load_sessions(bundle.sessions.calendar),
        timezone=timezone or own.timezone,
        timestamps=timestamps or own.timestamps,
        epoch_unit=own.epoch_unit,
        fixed_point=own.fixed_point,
        on_bad_rows=on_bad_rows or own.on_bad_rows,
        repair=repair or own.repair,
    )
    try:
        raw = read_raw(path, rules)
    except DataError as error:
        if error.code == "bars/symbol":
            raise mismatch(bundle.symbol, error.came, str(path)) from error
        if error.code in ("bars/missing-column", "bars/no-timestamp") and "open, high, low, close" in error.came:
            raise DataError("data/schema", expected=error.expected, came=error.came, do=error.do, where=error.where) from error
        raise
    for warning in raw.quality.as_dict()["warnings"]:
        say(f"note: {warning['code']}: {warning['count']} ({warning['note']})")
    return raw


def refuse_other_name(symbol: str, path: Path) -> None:
    """`MGC_1m.parquet` says whose bars it holds, even where no column does."""
    from barsmith.instruments import SHIPPED

    named = re.match(r"([A-Z][A-Z0-9]*)_1m\.", path.name)
    if named and named[1] != symbol and named[1] in SHIPPED:
        raise mismatch(symbol, f"bars of {named[1]}, as the file's name says", str(path))


def mismatch(symbol: str, came: str, where: str) -> IntegrityError:
    return IntegrityError(
        "bundle/mismatch",
        expected=f"bars of {symbol}, the bundle's contract",
        came=came,
        do="choose the bundle of that contract",
        where=ascii(where),
    )


def warnings_of(raw: RawBars) -> list[dict[str, Any]]:
    """What was odd in the file, for JSON."""
    found: list[dict[str, Any]] = raw.quality.as_dict()["warnings"]
    return found
