"""`barsmith run` and `rerun`: raw minutes to data sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.options import Config, OnBadRows, Overrides, Repair, Symbols, Timestamps, Timezone, Workspace
from barsmith.cli.printing import Report, Table, say
from barsmith.cli.problems import error_of
from barsmith.cli.settings import is_stdin, settings_of, settings_text
from barsmith.cli.symbols import asked
from barsmith.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from barsmith.parallel import Done

SOME_FAILED = 1
MOST_WORKERS = 1024
ACTIONS = {"run": "made", "cached": "cached"}


Only = Annotated[
    str | None,
    typer.Option(
        "--only", metavar="STAGE", help="Make this stage again and no other; what it needs must be up to date.", show_default=False
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", metavar="", help="Say what would be made and why; write nothing.")]


def run(
    symbols: Symbols = None,
    timezone: Timezone = None,
    timestamps: Timestamps = None,
    on_bad_rows: OnBadRows = None,
    repair: Repair = False,
    allow_outside: Annotated[bool, typer.Option("--allow-outside", metavar="", help="Follow a link out of data/raw.")] = False,
    only: Only = None,
    dry_run: DryRun = False,
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="loky|ray|dask", help="Several symbols at once, in processes.", show_default="one after the other"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="Symbols at once (loky, if nothing else is said).", show_default="one a core"),
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Raw minutes to features, labels and splits: every stage, cached where nothing has changed."""
    from barsmith.pipeline import api

    words = {"timezone": timezone, "timestamps": timestamps, "on_bad_rows": on_bad_rows}
    said = [f"ingest.{key}={value}" for key, value in words.items() if value is not None]
    said += [f"ingest.{key}=true" for key, wanted in (("repair", repair), ("allow_outside", allow_outside)) if wanted]
    said += overrides or []
    stdin = settings_text() if is_stdin(config) else None
    chosen = asked(symbols, settings_of(workspace, config, said, stdin))
    options: dict[str, Any] = {"config": config, "overrides": said, "stdin": stdin, "only": only}
    if dry_run:
        named: list[str | None] = [*chosen]
        return planned([api.dry_run(workspace, symbol=symbol, **options) for symbol in named or [None]])
    check_parallel(backend, workers)
    if len(chosen) < 2:
        return report_of(api.run(workspace, symbol=chosen[0] if chosen else None, **options))
    at_once: Any = backend or ("loky" if workers is not None else None)
    ended = api.run_symbols(workspace, chosen, backend=at_once, workers=workers, told=tell_ended, **options)
    return together(chosen, ended, workspace)


def check_parallel(backend: str | None, workers: int | None) -> None:
    from barsmith.parallel import BACKENDS

    if backend is not None and backend not in BACKENDS:
        raise UsageError(
            "cli/usage", expected="--backend " + ", ".join(BACKENDS), came=ascii(backend)[:60], do=did_you_mean(backend, BACKENDS)
        )
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UsageError("cli/usage", expected=f"--workers of 1 to {MOST_WORKERS}", came=str(workers), do="correct it")


def tell_ended(symbol: str, done: Done) -> None:
    say(f"{symbol}: {'done' if done.problem is None else 'failed'}")


def together(symbols: list[str], ended: list[Done], workspace: Path) -> Report:
    """The runs of several symbols, in the order asked: each is alone, and one that failed does not hide the others."""
    records: list[Any] = []
    says: list[str | Table] = []
    for symbol, done in zip(symbols, ended, strict=True):
        if done.problem is None:
            one = report_of(done.value)
            records.append(one.data)
            says += one.says
            continue
        error = error_of(done.problem, sys.argv, workspace)
        say(f"barsmith: {symbol}: {error} [{error.code}]")
        records.append({"symbol": symbol, "error": error.as_dict()})
    failed = sum(done.problem is not None for done in ended)
    return Report({"runs": records}, [*says, f"{len(symbols) - failed} of {len(symbols)} runs done"], SOME_FAILED if failed else 0)


def rerun(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="A run of this workspace.", show_default="the latest")] = None,
    from_stage: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Make this stage and later ones again.", show_default="what has changed")
    ] = None,
    only: Only = None,
    dry_run: DryRun = False,
    workspace: Workspace = Path("."),
) -> Report:
    """A run once more with the settings it was made with."""
    from barsmith.pipeline import api
    from barsmith.pipeline.run_folder import RunFolder

    chosen = run_id or RunFolder.latest(workspace)
    if dry_run:
        return planned([api.dry_run(workspace, run_id=chosen, from_stage=from_stage, only=only)])
    return report_of(api.rerun(workspace, chosen, from_stage, only=only))


def planned(records: list[dict[str, Any]]) -> Report:
    """What would be made and why."""
    says: list[str | Table] = []
    for record in records:
        made = sum(stage["action"] == "run" for stage in record["stages"])
        says.append(f"{record['symbol']}: {made} of {len(record['stages'])} stages would be made, the others are up to date")
        says.append(
            Table([{"stage": one["name"], "would be": ACTIONS[one["action"]], "why": "; ".join(one["why"])} for one in record["stages"]])
        )
    return Report(records[0] if len(records) == 1 else {"runs": records}, says)


def report_of(record: dict[str, Any]) -> Report:
    """A run's record for a reader; the stages were told while they ran."""
    from barsmith.bars.unmarked_rolls import counted

    if "only" in record:
        stage = record["stages"][0]
        return Report(
            record, [f"{record['symbol']} run {record['run_id']}: {stage['name']} made again in {stage['seconds']:.1f} s; nothing after it"]
        )
    splits = ", ".join(f"{name} {rows:,}" for name, rows in record["splits"].items())
    bars = record["bars"]
    read = (
        f"{bars['rows']:,} minutes read; {bars['out_of_session']:,} outside the sessions left out; inside them {bars['missing_minutes']:,} missing, "
        f"{bars['empty_sessions']:,} sessions without a minute; {bars['rolls']:,} rolls"
    )
    if bars.get("suspected_rolls"):
        read += f" and {counted([one['certainty'] for one in bars['suspected_rolls']])}, which the file does not mark: see the report"
    if bars.get("rolls_outside"):
        read += f"; of `rolls` these are not between the file's minutes and change nothing: {', '.join(bars['rolls_outside'])}"
    says: list[str | Table] = [f"{record['symbol']} run {record['run_id']}: {record['features']} features; base bars: {splits}", read]
    return Report(record, [*says, *record["tuning"], *findings_of(record), f"report in {record['report']}"])


def findings_of(record: dict[str, Any]) -> list[str]:
    """What the checks found, and whether it can be trained on."""
    says = [f"{finding['severity']}: {finding['what']} [{finding['code']}]" for finding in record["findings"]]
    return [*says, "ready for training" if record["is_ready"] else "NOT ready for training: see the errors above"]
