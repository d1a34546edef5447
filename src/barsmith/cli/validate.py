"""`barsmith validate`: whether what a data run left can be trained on."""

from __future__ import annotations

from pathlib import Path

from barsmith.cli.options import Symbols, Workspace
from barsmith.cli.printing import Report
from barsmith.cli.run import findings_of
from barsmith.cli.settings import settings_of
from barsmith.cli.symbols import asked
from barsmith.errors import DataError


def validate(symbols: Symbols = None, workspace: Workspace = Path(".")) -> Report:
    """Check the latest data run of a contract again, from its files: hashes, leaks, constants, drift."""
    from barsmith.pipeline.api import validate as checked

    chosen: list[str | None] = [*asked(symbols, settings_of(workspace, None, None))]
    records = [checked(workspace, symbol=symbol) for symbol in chosen or [None]]
    says: list[str] = []
    for record in records:
        says.append(f"{record['symbol']} run {record['run_id']}: {record['files']} files are what their manifest says")
        says += findings_of(record)
    whole = all(record["is_ready"] for record in records)
    return Report(records[0] if len(records) == 1 else {"runs": records}, says, 0 if whole else DataError.exit_code)
