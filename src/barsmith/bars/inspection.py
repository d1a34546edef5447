"""What a file of bars is, found out without being told: form, clock, market, dirt and rolls, and the settings that ingest it.

Everything found stands with its evidence and how sure it is. What the file cannot show becomes a question and no setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.bars.inspection_clock import stamps_of, tell_clock, tell_opening, tell_sessions
from barsmith.bars.inspection_market import Source, tell_market, tell_prices, tell_symbol, tick_of
from barsmith.bars.inspection_notes import LIKELY, SURE, UNKNOWN, Evidence, Notes, Question
from barsmith.bars.inspection_time import CALENDARS
from barsmith.bars.minutes import FIELDS, as_minutes, moment
from barsmith.bars.quality import Quality
from barsmith.bars.raw_file import read_file
from barsmith.bars.reading import RawBars, Rules, checked, read_columns
from barsmith.bars.sessions import Sessions
from barsmith.bars.unmarked_rolls import FEWEST, Suspect, counted, suspected_rolls
from barsmith.instruments import SHIPPED, Instrument


@dataclass(frozen=True)
class Inspection:
    """What `inspect` says of a file.

    settings: the part of config/pipeline.yaml that ingests it, dotted key -> value. certainty: of each of its keys. raw: the bars as
    these settings read them, None where the zone is not known. suspects: see `unmarked_rolls`.
    """

    source: str
    quality: Quality
    findings: list[Evidence]
    questions: list[Question]
    settings: dict[str, Any]
    certainty: dict[str, str]
    raw: RawBars | None
    suspects: list[Suspect] = field(default_factory=list)


def inspect_file(path: Path | str, *, symbol: str | None = None, known: Mapping[str, Instrument] = SHIPPED) -> Inspection:
    """Look at a file of raw bars.

    symbol: whose bars they are, where the user says it. known: the contracts by symbol.
    Raises what `read_raw` raises for a file that no settings can read: DataError `bars/...`, UsageError `bars/not-found` and others.
    """
    source, notes = Source.of(*read_columns(read_file(path))), Notes()
    tell_form(source, notes)
    symbol = tell_symbol(source, notes, symbol, known)
    stamps = stamps_of(source, notes)
    values = tell_prices(source, notes)
    tick = tick_of([values[name] for name in FIELDS[:4]])
    closes = values["close"][np.isfinite(values["close"])]
    contract = tell_market(notes, symbol, tick, float(np.median(closes)) if len(closes) else 0.0, known)
    source, clock = tell_clock(source, notes, stamps, values["volume"], contract)
    sessions = tell_sessions(notes, clock, contract)
    raw, suspects = None, []
    if not notes.is_open("ingest.timezone"):
        raw = tell_bars(source, notes, symbol, contract, sessions)
        suspects = tell_rolls(notes, raw, contract, sessions)
        tell_opening(notes, raw, sessions)
    quality = raw.quality if raw else source.quality
    return Inspection(source.name, quality, notes.findings, notes.questions, notes.settings, notes.certainty, raw, suspects)


def tell_form(source: Source, notes: Notes) -> None:
    q = source.quality
    header = "" if q.header is None else f", {'a header' if q.header else 'no header'}, separated by {q.separator!r}"
    notes.says("format", q.format, SURE, f"its first bytes; {q.size_bytes:,} bytes{header}")
    told = ", ".join(f"{name} from {column!r}" if column != name else name for name, column in q.columns.items())
    left = f"; not read: {', '.join(map(repr, q.ignored[:12]))}" if q.ignored else ""
    notes.says("columns", told, SURE, f"their names{left}" if q.header is not False else "their order, since there is no header")
    if source.vendor:
        notes.says("vendor", source.vendor.name, LIKELY, source.vendor.evidence)


def tell_bars(source: Source, notes: Notes, symbol: str | None, contract: Instrument | None, sessions: Sessions | None) -> RawBars:
    """The bars by the settings found, bad ones put aside."""
    limits: dict[str, Any] = {"price_limits": contract.price_limits, "tick_size": contract.tick} if contract else {}
    how = {key.removeprefix("ingest."): value for key, value in notes.settings.items() if key.startswith("ingest.")}
    rules = Rules(symbol or "", **how, **limits, on_bad_rows="quarantine", sessions=sessions, roll_sessions=sessions)
    raw = checked(source.frame, source.quality, rules)
    q = raw.quality
    if q.duplicates * 20 > q.rows_read:
        hint = " Databento writes a column `symbol` where the download asks for symbols." if "instrument_id" in q.ignored else ""
        notes.asks("columns", f"{q.duplicates:,} bars share their minute with another: several contracts that no column names?{hint}")
    if q.quarantined:
        notes.sets("ingest.on_bad_rows", "quarantine", SURE)
        notes.asks("ingest.on_bad_rows", f"{q.quarantined:,} bars cannot be and are put aside (see the dirt): is that what you want?")
    notes.says("bars", f"{q.rows_kept:,} bars from {q.first} to {q.last}", SURE, f"of {q.rows_read:,} rows")
    return raw


def tell_rolls(notes: Notes, raw: RawBars, contract: Instrument | None, sessions: Sessions | None) -> list[Suspect]:
    """Contracts and their changes: named, or suspected."""
    q = raw.quality
    if q.contracts:
        left = (
            f"; left out: {q.spreads:,} bars of calendar spreads, {q.other_contracts:,} of contracts behind" if q.rolls or q.spreads else ""
        )
        notes.says("contracts", ", ".join(q.contracts[:12]), SURE, f"the names in the file{left}")
        return []
    if contract is None or sessions is None or sessions.calendar not in CALENDARS:
        notes.says("rolls", "", UNKNOWN, "the file names no contracts, and the expiries of this market are not known")
        return []
    time = as_minutes(raw.frame["datetime"])
    number = sessions.numbers(time)
    traded = len(np.unique(number[number >= 0]))
    if traded < FEWEST:
        notes.says("rolls", "", UNKNOWN, f"{traded} sessions are too few to say which jump is unusual")
        return []
    bars = np.column_stack([raw.frame[name].to_numpy() for name in FIELDS])
    suspects = suspected_rolls(time, bars, sessions, contract.symbol)
    tell_suspects(notes, suspects)
    return suspects


def tell_suspects(notes: Notes, suspects: list[Suspect]) -> None:
    days = "in the days when a contract is left"
    if not suspects:
        note = f"no jump {days} is larger than the market's own: one contract, an adjusted series, or gaps too small to see"
        notes.says("rolls", "none seen", LIKELY, note)
        return
    times = {
        is_hidden: [f"{moment(one.time):%Y-%m-%dT%H:%MZ}" for one in suspects if (one.certainty == "hidden") is is_hidden]
        for is_hidden in (True, False)
    }
    hidden, seen = (", ".join(times[is_hidden]) for is_hidden in (True, False))
    evidence = f"{'jumps' if seen else 'no such jump'} at session opens {days}"
    evidence += f"; {len(times[True])} may be hidden in holes of the file" if hidden else ""
    notes.says("rolls", counted([one.certainty for one in suspects]), LIKELY if seen else UNKNOWN, evidence)
    if seen:
        notes.asks("rolls", f"Does the contract change at {seen}? Then set rolls; unset, the jump counts as the market's own.")
    if hidden:
        notes.asks("rolls", f"Does another contract begin after the hole, at {hidden}? Its jump cannot be told from the market's.")
