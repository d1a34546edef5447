"""`barsmith validate`: whether what a data run left, or what somebody else made, can be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.options import Symbols, Workspace
from barsmith.cli.printing import Report
from barsmith.cli.run import findings_of
from barsmith.cli.settings import settings_of
from barsmith.cli.symbols import asked
from barsmith.errors import DataError, UsageError


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
    records = [checked(workspace, symbol=symbol) for symbol in chosen or [None]]
    says: list[str] = []
    for record in records:
        says.append(f"{record['symbol']} run {record['run_id']}: {record['files']} files are what their manifest says")
        says += findings_of(record)
    whole = all(record["is_ready"] for record in records)
    return Report(records[0] if len(records) == 1 else {"runs": records}, says, 0 if whole else DataError.exit_code)


def foreign(path: Path, settings: Any) -> Report:
    """The checks of tables that no run of this workspace made."""
    from barsmith.validation.foreign_checks import check_foreign

    record = check_foreign(path, settings)
    rows = ", ".join(f"{name} {rows:,}" for name, rows in record["rows"].items())
    horizons = ", ".join(map(str, record["horizons"]))
    says = [f"{record['path']}: {record['features']} features, horizons {horizons}; rows: {rows}"]
    says += [f"not checked: {what}" for what in record["not_checked"]]
    return Report(record, [*says, *findings_of(record)], 0 if record["is_ready"] else DataError.exit_code)
