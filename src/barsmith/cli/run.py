"""`barsmith run` and `rerun`: raw minutes to data sets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.options import Config, OnBadRows, Overrides, Repair, Symbols, Timestamps, Timezone, Workspace
from barsmith.cli.printing import Report, Table, say
from barsmith.cli.settings import is_stdin, settings_of, settings_text
from barsmith.errors import BarsmithError, UsageError

if TYPE_CHECKING:
    from barsmith.config import Settings

SOME_FAILED = 1


def run(
    symbols: Symbols = None,
    timezone: Timezone = None,
    timestamps: Timestamps = None,
    on_bad_rows: OnBadRows = None,
    repair: Repair = False,
    allow_outside: Annotated[bool, typer.Option("--allow-outside", help="Follow a link out of data/raw.")] = False,
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
    piped: dict[str, Any] = {} if stdin is None else {"stdin": stdin}
    if len(chosen) < 2:
        symbol = chosen[0] if chosen else None
        return report_of(run_pipeline(workspace, symbol=symbol, config=config, overrides=said, **piped))
    records: list[Any] = []
    says: list[str | Table] = []
    failed = 0
    for symbol in chosen:
        try:
            one = report_of(run_pipeline(workspace, symbol=symbol, config=config, overrides=said, **piped))
        except BarsmithError as error:  # each symbol is alone: the others go on
            failed += 1
            say(f"barsmith: {symbol}: {error} [{error.code}]")
            records.append({"symbol": symbol, "error": error.as_dict()})
            continue
        records.append(one.data)
        says += one.says
    return Report(records, [*says, f"{len(chosen) - failed} of {len(chosen)} runs done"], SOME_FAILED if failed else 0)


def rerun(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A run of this workspace.")],
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Make this stage and later ones again.", show_default="what has changed")
    ] = None,
    workspace: Workspace = Path("."),
) -> Report:
    """A run once more with the settings it was made with."""
    from barsmith.pipeline.api import rerun as run_again

    return report_of(run_again(workspace, run_id, from_stage))


def asked(symbols: str | None, settings: Settings) -> list[str]:
    """The contracts asked for, none where it is left to the workspace. Raises UsageError `cli/symbol`."""
    from barsmith.instruments import instrument

    if symbols is None:
        return []
    names = symbols.split(",")
    for name in names:
        if not re.fullmatch(r"[A-Z][A-Z0-9]{0,11}", name) and name.upper() == name:
            raise symbol_error("symbols in capital letters and digits, separated by commas", ascii(symbols)[:80], "as MES, or MES,MGC")
        instrument(name, settings, code="cli/symbol")
    if len(set(names)) < len(names):
        raise symbol_error("each symbol once", ascii(symbols)[:80], "take the second one out")
    if len(names) > 1 and not settings.allow_batch_symbols:
        do = "run them one by one, or set allow_batch_symbols: true: each then runs alone, one after the other"
        raise symbol_error("one symbol a run", ascii(symbols)[:80], do)
    return names


def symbol_error(expected: str, came: str, do: str) -> UsageError:
    return UsageError("cli/symbol", expected=expected, came=came, do=do, where="--symbols")


def report_of(record: dict[str, Any]) -> Report:
    """A run's record for a reader; the stages were told while they ran."""
    splits = ", ".join(f"{name} {rows:,}" for name, rows in record["splits"].items())
    says: list[str | Table] = [f"{record['symbol']} run {record['run_id']}: {record['features']} features; base bars: {splits}"]
    return Report(record, [*says, *findings_of(record), f"report in {record['report']}"])


def findings_of(record: dict[str, Any]) -> list[str]:
    """What the checks found, and whether it can be trained on."""
    says = [f"{finding['severity']}: {finding['what']} [{finding['code']}]" for finding in record["findings"]]
    return [*says, "ready for training" if record["is_ready"] else "NOT ready for training: see the errors above"]
