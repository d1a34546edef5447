"""`barsmith run` and `rerun`: raw minutes to data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.options import Config, OnBadRows, Overrides, Repair, Symbols, Timestamps, Timezone, Workspace
from barsmith.cli.printing import Report, Table, say
from barsmith.cli.settings import is_stdin, settings_of, settings_text
from barsmith.cli.symbols import asked
from barsmith.errors import BarsmithError

SOME_FAILED = 1


def run(
    symbols: Symbols = None,
    timezone: Timezone = None,
    timestamps: Timestamps = None,
    on_bad_rows: OnBadRows = None,
    repair: Repair = False,
    allow_outside: Annotated[bool, typer.Option("--allow-outside", metavar="", help="Follow a link out of data/raw.")] = False,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Raw minutes to features, labels and splits: every stage, cached where nothing has changed."""
    from barsmith.pipeline.api import run as run_pipeline

    words = {"timezone": timezone, "timestamps": timestamps, "on_bad_rows": on_bad_rows}
    said = [f"ingest.{key}={value}" for key, value in words.items() if value is not None]
    said += [f"ingest.{key}=true" for key, wanted in (("repair", repair), ("allow_outside", allow_outside)) if wanted]
    said += overrides or []
    stdin = settings_text() if is_stdin(config) else None
    chosen = asked(symbols, settings_of(workspace, config, said, stdin))
    if len(chosen) < 2:
        symbol = chosen[0] if chosen else None
        return report_of(run_pipeline(workspace, symbol=symbol, config=config, overrides=said, stdin=stdin))
    records: list[Any] = []
    says: list[str | Table] = []
    failed = 0
    for symbol in chosen:
        try:
            one = report_of(run_pipeline(workspace, symbol=symbol, config=config, overrides=said, stdin=stdin))
        except BarsmithError as error:  # each symbol is alone: the others go on
            failed += 1
            say(f"barsmith: {symbol}: {error} [{error.code}]")
            records.append({"symbol": symbol, "error": error.as_dict()})
            continue
        records.append(one.data)
        says += one.says
    return Report({"runs": records}, [*says, f"{len(chosen) - failed} of {len(chosen)} runs done"], SOME_FAILED if failed else 0)


def rerun(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="A run of this workspace.", show_default="the latest")] = None,
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Make this stage and later ones again.", show_default="what has changed")
    ] = None,
    workspace: Workspace = Path("."),
) -> Report:
    """A run once more with the settings it was made with."""
    from barsmith.pipeline.api import rerun as run_again
    from barsmith.pipeline.run_folder import RunFolder

    return report_of(run_again(workspace, run_id or RunFolder.latest(workspace), from_stage))


def report_of(record: dict[str, Any]) -> Report:
    """A run's record for a reader; the stages were told while they ran."""
    splits = ", ".join(f"{name} {rows:,}" for name, rows in record["splits"].items())
    bars = record["bars"]
    read = (
        f"{bars['rows']:,} minutes read; {bars['out_of_session']:,} outside the sessions left out; inside them {bars['missing_minutes']:,} missing, "
        f"{bars['empty_sessions']:,} sessions without a minute; {bars['rolls']:,} rolls"
    )
    if bars["suspected_rolls"]:
        read += f" and {len(bars['suspected_rolls'])} suspected, which the file does not mark: see the report"
    says: list[str | Table] = [f"{record['symbol']} run {record['run_id']}: {record['features']} features; base bars: {splits}", read]
    return Report(record, [*says, *record["tuning"], *findings_of(record), f"report in {record['report']}"])


def findings_of(record: dict[str, Any]) -> list[str]:
    """What the checks found, and whether it can be trained on."""
    says = [f"{finding['severity']}: {finding['what']} [{finding['code']}]" for finding in record["findings"]]
    return [*says, "ready for training" if record["is_ready"] else "NOT ready for training: see the errors above"]
