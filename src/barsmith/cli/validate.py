"""`barsmith validate`: whether what a data run left, or what somebody else made, can be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.options import Symbols, Workspace
from barsmith.cli.printing import Report, say
from barsmith.cli.run import findings_of
from barsmith.cli.settings import settings_of
from barsmith.cli.symbols import asked
from barsmith.errors import BarsmithError, DataError, UsageError


def validate(
    symbols: Symbols = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path", metavar="PATH", help="Tables of your own: a folder with train and val .parquet, or one file.", show_default=False
        ),
    ] = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Check the latest data run of a contract again, from its files: hashes, leaks, constants, drift. Exit code 3 where it must not be trained on."""
    from barsmith.pipeline.api import validate as checked

    settings = settings_of(workspace, None, None)
    if path is not None:
        if symbols is not None:
            raise UsageError("cli/usage", expected="--symbols or --path", came="both", do="leave one out")
        return foreign(path, settings)
    chosen: list[str | None] = [*asked(symbols, settings)]
    if len(chosen) < 2:
        record = checked(workspace, symbol=chosen[0] if chosen else None)
        return Report(record, list(told(record)), 0 if record["is_ready"] else DataError.exit_code)
    records: list[Any] = []
    says: list[str] = []
    codes = [0]
    for symbol in chosen:
        try:
            record = checked(workspace, symbol=symbol)
        except BarsmithError as error:  # each symbol is alone: the others are looked at
            say(f"barsmith: {symbol}: {error} [{error.code}]")
            records.append({"symbol": symbol, "error": error.as_dict()})
            codes.append(error.exit_code)
            continue
        records.append(record)
        says += told(record)
        codes.append(0 if record["is_ready"] else DataError.exit_code)
    return Report({"runs": records}, says, max(codes))


def told(record: dict[str, Any]) -> Iterator[str]:
    yield f"{record['symbol']} run {record['run_id']}: {record['files']} files are what their manifest says"
    yield from (f"not checked: {what}" for what in record["not_checked"])
    yield from findings_of(record)


def foreign(path: Path, settings: Any) -> Report:
    """The checks of tables that no run of this workspace made."""
    from barsmith.validation.foreign_checks import check_foreign

    record = check_foreign(path, settings)
    rows = ", ".join(f"{name} {rows:,}" for name, rows in record["rows"].items())
    horizons = ", ".join(map(str, record["horizons"]))
    says = [f"{record['path']}: {record['features']} features, horizons {horizons}; rows: {rows}"]
    says += [f"not checked: {what}" for what in record["not_checked"]]
    return Report(record, [*says, *findings_of(record)], 0 if record["is_ready"] else DataError.exit_code)
