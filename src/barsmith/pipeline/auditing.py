"""`barsmith features audit` as a Python call: the workspace's raw bars, read as a data run reads them, and every check over features."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from barsmith.bars.base_bars import base_name
from barsmith.bars.sessions import load_sessions
from barsmith.config import Settings
from barsmith.config_reading import load_settings
from barsmith.errors import DataError, UsageError
from barsmith.features.audit.findings import UNCHECKED, AuditReport, Findings, in_order
from barsmith.features.audit.fitting import Training
from barsmith.features.audit.history import History
from barsmith.features.audit.modules import audit_module
from barsmith.features.audit.own import Steps, audit_bars, audit_own
from barsmith.features.audit.worker import Market, Patience
from barsmith.features.definitions import shipped
from barsmith.features.events import event_features
from barsmith.features.registry import Feature, catalogue
from barsmith.instruments import Instrument, instrument
from barsmith.pipeline.audited_run import audit_run
from barsmith.pipeline.stages.calendar import calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.events import events
from barsmith.pipeline.stages.ingest import ingest
from barsmith.pipeline.stages.regime import training_time
from barsmith.pipeline.stages.sessions import sessions
from barsmith.pipeline.workspace import raw_file, resolve_symbol, users_file


def audit(
    workspace: Path | str = ".",
    *,
    symbol: str | None = None,
    settings: Settings | None = None,
    modules: Sequence[Path | str] = (),
    tell: Steps = lambda what, share: None,
    patience: Patience | None = None,
) -> AuditReport:
    """Whether any feature knows more at a bar than could be known there. It needs data/raw alone.

    settings: where not the workspace's own. modules: files of a user's; where there are any, their features are audited, else the shipped catalogue, scheduled events and
    the files that the settings name. Cleaning, sessions and the ladder are audited in any case.
    tell: told what is being done and, of the longer steps, the share that is done.
    Raises UsageError `cli/symbol`, `bars/not-found`, `features/module`, DataError `bars/...`.
    """
    began, workspace = time.monotonic(), Path(workspace)
    loaded = settings or load_settings(workspace).settings
    settings = loaded.for_symbol(resolve_symbol(workspace, symbol or loaded.symbol))
    files = [Path(each) for each in modules] or [workspace / each for each in settings.features.modules]
    for file in files:
        refuse_missing(file)
    contract = instrument(str(settings.symbol), settings)
    history = history_of(workspace, settings, contract)
    training = training_of(history, settings, contract)
    findings, count = Findings(), 0
    audit_bars(history, findings, tell)
    if not modules:
        own = own_features(workspace, settings, history.base)
        dated = [name for name, one in own.items() if one.group == "events"]
        count += audit_own({name: one.expr for name, one in own.items()}, history, training, findings, tell, dated=dated)
    for file in files:
        market = market_of(settings, contract, patience)
        audited_module = audit_module(file, market, history, training, workspace, findings, tell)
        count += len(set(audited_module.all_names))
        tell(f"{file.name}: in a data run", None)
        columns = {name: column for name, column in audited_module.columns.items() if name not in findings.accused()}
        audit_run(
            file,
            workspace,
            settings if training else without_gaps(settings),
            columns,
            history,
            market.patience.feature * len(columns),
            findings,
        )
    audited = " and ".join([*([] if modules else ["the shipped catalogue"]), *(file.name for file in files)])
    unchecked = findings.accused(*UNCHECKED) | set(findings.silent)
    is_any_checked = count > len(unchecked.difference(file.name for file in files))
    return AuditReport(
        features=count,
        checked_bars=len(history) if is_any_checked else 0,
        unchecked=tuple(sorted(unchecked)),
        leaks=in_order(findings.leaks.values()),
        rounding=findings.rounding,
        settling=findings.settling,
        audited=f"{audited}, on {settings.symbol}",
        did=tuple(findings.did),
        seconds=round(time.monotonic() - began, 1),
    )


def refuse_missing(file: Path) -> None:
    """A path that no Python file is at is a mistake in the command, not a leak."""
    try:
        is_there = file.is_file() and file.suffix == ".py"
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise UsageError(
            "features/module",
            expected="a Python file (.py) with @feature functions",
            came="none",
            do="check the path",
            where=ascii(str(file))[:200],
        )


def history_of(workspace: Path, settings: Settings, contract: Instrument) -> History:
    """The raw file as the ingest stage reads it, and what the clean stage makes of it."""
    raw = ingest(raw_file(workspace, str(settings.symbol)), contract, settings.ingest, settings.sessions)
    table = load_sessions(contract.calendar, settings.sessions.hours)
    history = History.of(raw.bars, table, base=base_name(settings, contract), rolls=settings.roll_minutes(str(settings.symbol)))
    if len(history) < 2:
        raise DataError(
            "bars/out-of-session",
            expected=f"minutes inside the {settings.sessions.hours} sessions of {contract.calendar}",
            came=f"{len(raw.bars)} rows that make {len(history)} bars of {settings.base_kind}",
            do="check the symbol, ingest.timezone and sessions.hours",
        )
    return history


def training_of(history: History, settings: Settings, contract: Instrument) -> Training | None:
    """The training slice of the split calendar, as the regime stage gets it; None where there are too few bars for one."""
    clean = CleanMinutes(history.minutes, {}, [])
    bars = sessions(clean, contract, settings.sessions, history.base)
    try:
        drawn = calendar(bars, settings.splits).drawn()
    except DataError:
        return None
    return Training((training_time(bars.bars, drawn.train),), settings.random_seed)


def without_gaps(settings: Settings) -> Settings:
    """For a history too short for the calendar's gaps between splits: nothing can be learned from it, so they change no feature."""
    return settings.model_copy(
        update={"splits": settings.splits.model_copy(update={"purge_bars": max(settings.label_horizons), "embargo_bars": 0})}
    )


def own_features(workspace: Path, settings: Settings, base: str) -> dict[str, Feature]:
    """The shipped catalogue over these base bars with the settings' periods, all of it, and the scheduled events."""
    families = {definition.family for definition in shipped()}
    params = {family: chosen for family, chosen in settings.features.params.items() if family in families}
    scheduled = events(users_file(workspace, settings.events).value, settings.ingest)
    return catalogue((), params, settings.timeframes, base) | event_features(scheduled)


def market_of(settings: Settings, contract: Instrument, patience: Patience | None) -> Market:
    families = {definition.family for definition in shipped()}
    params: Mapping[str, Mapping[str, Sequence[Any]]] = {
        family: chosen for family, chosen in settings.features.params.items() if family not in families
    }
    return Market(
        calendar=contract.calendar,
        hours=settings.sessions.hours,
        base=base_name(settings, contract),
        rolls=settings.roll_minutes(str(settings.symbol)),
        timeframes=settings.timeframes,
        params=params,
        patience=patience or Patience(),
    )
