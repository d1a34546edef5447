"""What a file of bars is, found out without being told: form, clock, market, dirt and rolls, and the settings that ingest it.

Everything found stands with its evidence and how sure it is. What the file cannot show becomes a question and no setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.contracts import several
from barsmith.bars.inspection_market import (
    FIXED_POINT,
    Names,
    Tick,
    Vendor,
    candidates,
    names_in,
    root_in_name,
    tick_of,
    vendor_of,
)
from barsmith.bars.inspection_time import CALENDARS, Clock, clock_of, opening_jump
from barsmith.bars.minutes import FIELDS, as_minutes, moment
from barsmith.bars.number_columns import decimal_sign, numbers
from barsmith.bars.quality import Quality
from barsmith.bars.raw_file import read_file
from barsmith.bars.reading import RawBars, Rules, checked, read_columns
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.bars.timestamps import UNITS, read_stamps
from barsmith.bars.unmarked_rolls import FEWEST, Suspect, suspected_rolls
from barsmith.errors import DataError
from barsmith.instruments import SHIPPED, Instrument

SURE, LIKELY, UNKNOWN = "sure", "likely", "not known"
SHIFTED = 4
"""Stretches that begin an hour off, from which a zone is not the one of the stamps."""
MINUTE_JUMP = 1.5
"""The volume of the regular open's minute over that of the minute before, from which it says something."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found. certainty: sure, likely or not known."""

    what: str
    found: str
    certainty: str
    evidence: str


@dataclass(frozen=True)
class Question:
    """What the file cannot show. setting: the key of the YAML that answers it."""

    setting: str
    asks: str


@dataclass(frozen=True)
class Inspection:
    """What `inspect` says of a file.

    settings: the part of config/pipeline.yaml that ingests it, as plain values. certainty: of each of its keys. raw: the bars as
    these settings read them, None where a setting is not known. suspects: see `unmarked_rolls`.
    """

    source: str
    quality: Quality
    findings: list[Finding]
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
    file = read_file(path)
    frame, quality = read_columns(file)
    return _Inspector(frame, quality, symbol, known).inspected()


class _Inspector:
    """The steps of one inspection; each adds findings, questions and settings."""

    def __init__(self, frame: pl.DataFrame, quality: Quality, symbol: str | None, known: Mapping[str, Instrument]) -> None:
        self.frame, self.quality, self.given, self.known = frame, quality, symbol, known
        self.findings: list[Finding] = []
        self.questions: list[Question] = []
        self.settings: dict[str, Any] = {}
        self.certainty: dict[str, str] = {}
        stamps = next((frame[name] for name in ("datetime", "date") if name in frame.columns), None)
        self.vendor: Vendor | None = vendor_of(quality, stamps)
        self.names: Names = names_in(frame)

    def inspected(self) -> Inspection:
        self.form()
        symbol = self.whose()
        wall, is_utc = self.stamps()
        values = self.prices()
        tick = tick_of([column for name, column in values.items() if name != "volume"])
        contract = self.market(symbol, tick, float(np.nanmedian(values["close"])))
        clock = self.clock(wall, values["volume"], contract, is_utc=is_utc)
        sessions = self.sessions(clock, contract)
        raw = self.read(contract, sessions)
        suspects = self.rolls(raw, contract, sessions) if raw is not None else []
        if raw is not None:
            self.opening(raw, sessions)
        return Inspection(
            self.quality.source,
            raw.quality if raw else self.quality,
            self.findings,
            self.questions,
            self.settings,
            self.certainty,
            raw,
            suspects,
        )

    def says(self, what: str, found: str, certainty: str, evidence: str) -> None:
        self.findings.append(Finding(what, found, certainty, evidence))

    def sets(self, key: str, value: Any, certainty: str) -> None:
        self.settings[key], self.certainty[key] = value, certainty

    def form(self) -> None:
        q = self.quality
        header = "" if q.header is None else f", {'a header' if q.header else 'no header'}, separated by {q.separator!r}"
        self.says("format", q.format, SURE, f"its first bytes; {q.size_bytes:,} bytes{header}")
        told = ", ".join(f"{name} from {source!r}" if source != name else name for name, source in q.columns.items())
        left = f"; not read: {', '.join(map(repr, q.ignored[:12]))}" if q.ignored else ""
        self.says("columns", told, SURE, f"their names{left}" if q.header is not False else "their order, since there is no header")
        if self.vendor:
            self.says("vendor", self.vendor.name, LIKELY, self.vendor.evidence)

    def whose(self) -> str | None:
        """The symbol, where the user, the file's columns or its name tell it."""
        roots, contracts = list(self.names.roots), self.names.contracts
        if self.given:
            self.says("symbol", self.given, SURE, "you said so")
            self.sets("symbol", self.given, SURE)
            return self.given
        if len(roots) > 1:
            raise DataError(
                "bars/symbol",
                expected="bars of one market",
                came=f"those of {', '.join(roots[:8])}",
                do="split the file, one market each",
                where=self.quality.source,
            )
        if roots:
            self.says("symbol", roots[0], SURE, f"the names in the file: {', '.join((*contracts, *roots)[:4])}")
            self.sets("symbol", roots[0], SURE)
            return roots[0]
        named = root_in_name(self.quality.source, self.known)
        if named:
            self.says("symbol", named, LIKELY, "the file's name")
            self.sets("symbol", named, LIKELY)
        return named

    def stamps(self) -> tuple[np.ndarray, bool]:
        """Minutes of the stamps as they stand, and whether they are UTC."""
        where = self.quality.source
        try:
            stamps = read_stamps(self.frame, timezone=None, epoch_unit=None, where=where)
        except DataError as error:
            if error.code == "bars/epoch-unit":
                return self.epochs(error), True
            if error.code != "bars/no-timezone":
                raise
            return read_stamps(self.frame, timezone="UTC", epoch_unit=None, where=where).time, False
        evidence = "the stamps name it" if "/" in stamps.zone else "the stamps say it"
        self.says("timezone", stamps.zone, SURE, evidence)
        return stamps.time, True

    def epochs(self, error: DataError) -> np.ndarray:
        """Stamps that are numbers: only one unit puts them into this age a minute apart."""
        for unit in UNITS:
            try:
                stamps = read_stamps(self.frame, timezone=None, epoch_unit=unit, where=self.quality.source)
            except DataError:
                continue
            self.says("timezone", "UTC", SURE, f"the stamps count {unit} since 1970: no other unit gives days of our age")
            self.sets("ingest.epoch_unit", unit, SURE)
            return stamps.time
        raise error

    def prices(self) -> dict[str, np.ndarray]:
        """open high low close volume as float64, whole-number prices of fixed point made prices."""
        decimal = self.quality.decimal or decimal_sign(self.frame, FIELDS, self.quality.source)
        values = {name: numbers(self.frame[name], decimal, self.quality.source) for name in FIELDS}
        outright = self.outright()
        prices = np.concatenate([values[name][outright] for name in FIELDS[:4]])
        prices = prices[np.isfinite(prices)]
        if len(prices) and np.median(np.abs(prices)) >= FIXED_POINT and bool((prices == np.floor(prices)).all()):
            is_usual = self.vendor is not None and self.vendor.name == "Databento"
            self.says(
                "prices",
                "fixed point, 9 decimals",
                SURE if is_usual else LIKELY,
                f"whole numbers such as {prices[0]:.0f}, as Databento writes them",
            )
            self.sets("ingest.fixed_point", 9, SURE if is_usual else LIKELY)
            values |= {name: values[name] / 1e9 for name in FIELDS[:4]}
        return {name: column[outright] for name, column in values.items()}

    def outright(self) -> np.ndarray:
        """(n,) bool: bars that are not of a calendar spread."""
        column = next((name for name in ("contract", "symbol") if name in self.frame.columns), None)
        if column is None or not self.names.spreads:
            return np.ones(self.frame.height, bool)
        mask = ~self.frame[column].cast(pl.String, strict=False).is_in(list(self.names.spreads)).fill_null(False).to_numpy()
        if not mask.any():
            raise several("calendar spreads alone", self.quality.source, "export the contracts themselves")
        return mask

    def market(self, symbol: str | None, tick: Tick, price: float) -> Instrument | None:
        """The contract, and whether its step is the one that the prices have."""
        contract = self.known.get(symbol) if symbol else None
        found = f"{tick.size:g}" if tick.size else "none"
        share = f"{tick.of - tick.off:,} of {tick.of:,} prices are multiples of it"
        if tick.size is None:
            self.says("tick", found, LIKELY, "prices lie on no grid: they may have been adjusted or averaged, or are too few")
            if contract is not None:
                self.asks(
                    "symbol", f"Are these bars of {contract.symbol}, unadjusted? Their prices lie on no multiples of {contract.tick:g}."
                )
        elif contract is None:
            self.says("tick", found, SURE if tick.of > 1000 else LIKELY, share)
        else:
            agrees = abs(tick.size / contract.tick - round(tick.size / contract.tick)) < 1e-6
            said = f"{share}; {contract.symbol} trades in {contract.tick:g}" + ("" if agrees else ", which these are not")
            self.says("tick", found, SURE if agrees and tick.of > 1000 else LIKELY, said)
            if not agrees:
                self.asks(
                    "symbol", f"Are these bars of {contract.symbol}, unadjusted? Their prices move by {found}, not by {contract.tick:g}."
                )
        if symbol is None:
            likely = candidates(tick, price, self.known)
            hint = f" Their step and level fit {', '.join(likely)}." if likely else ""
            self.says("symbol", "", UNKNOWN, f"neither a column nor the file's name says it{'; ' + hint.strip() if hint else ''}")
            self.asks("symbol", f"Whose bars are these?{hint} Name the file SYMBOL_1m, as data/raw/MES_1m.csv, or pass --symbol.")
        elif contract is None:
            step = f"tick: {tick.size:g}, " if tick.size else ""
            self.asks(
                "instruments",
                f"barsmith does not know {symbol}: instruments: {{{symbol}: {{{step}usd_per_point: ?, fee_per_side_usd: ?, calendar: ?}}}}",
            )
        return contract

    def asks(self, setting: str, text: str) -> None:
        self.questions.append(Question(setting, text))

    def clock(self, wall: np.ndarray, volume: np.ndarray, contract: Instrument | None, *, is_utc: bool) -> Clock:
        """Zone and convention from the market's breaks, else the vendor's habit, else a question."""
        traded = wall[self.outright()]
        traded = traded[volume > 0] if (volume > 0).sum() * 2 > len(volume) else traded  # fillers stand in the breaks as well
        calendars = CALENDARS if contract is None or contract.calendar not in CALENDARS else (contract.calendar,)
        is_open_always = contract is not None and contract.calendar not in CALENDARS
        clock = Clock(None, None, {}, ()) if is_open_always else clock_of(np.unique(traded), is_utc=is_utc, calendars=calendars)
        known = clock.best if clock.is_known else None
        habit = self.vendor
        if not is_utc:
            self.zone(clock, habit)
        if known:
            other = clock.by_convention.get("open" if known.timestamps == "close" else "close")
            against = f"; read as {other.timestamps}s {other.begins[0]} begin and {other.ends[0]} end so" if other else ""
            certainty = SURE if clock.is_sure or (habit and habit.timestamps == known.timestamps) else LIKELY
            self.says("timestamps", known.timestamps, certainty, f"{known.told()}{against}")
            self.sets("ingest.timestamps", known.timestamps, certainty)
            if habit and habit.timestamps and habit.timestamps != known.timestamps:
                self.asks(
                    "ingest.timestamps",
                    f"{habit.name} usually stamps the {habit.timestamps} of a bar, this file's breaks say {known.timestamps}: was it changed?",
                )
        elif habit and habit.timestamps:
            self.says("timestamps", habit.timestamps, LIKELY, f"{habit.name}'s habit; the file shows too few breaks of the market to tell")
            self.sets("ingest.timestamps", habit.timestamps, LIKELY)
            self.asks(
                "ingest.timestamps",
                f"Do stamps mark the {habit.timestamps} of their minute, as {habit.name}'s do? A wrong answer shifts every bar by a minute.",
            )
        else:
            self.says("timestamps", "", UNKNOWN, "the file shows too few breaks of the market to tell")
            self.asks(
                "ingest.timestamps",
                "Do stamps mark the open or the close of their minute? open is written here: a wrong answer shifts every bar by a minute.",
            )
            self.sets("ingest.timestamps", "open", UNKNOWN)
        return clock

    def zone(self, clock: Clock, habit: Vendor | None) -> None:
        """The zone of naive stamps."""
        best = clock.best
        if not clock.is_known or best is None:
            if habit and habit.timezone:
                self.says("timezone", habit.timezone, LIKELY, f"{habit.name}'s habit; the file shows too few breaks of the market to tell")
                self.sets("ingest.timezone", habit.timezone, LIKELY)
                self.asks("ingest.timezone", f"Were the stamps written in {habit.timezone}, as {habit.name} does?")
                return
            self.says("timezone", "", UNKNOWN, "naive stamps, and too few breaks of the market to tell")
            self.asks("ingest.timezone", "In which zone were the stamps written? UTC, America/Chicago, ...")
            return
        if best.shifted >= SHIFTED:
            self.says("timezone", f"nearly {best.zones[0]}", UNKNOWN, f"{best.told()}, but {best.shifted} an hour off")
            self.asks(
                "ingest.timezone",
                f"The clock of these stamps changes on other days than that of {best.zones[0]}, as MetaTrader servers' does, and no zone has it: "
                "export the stamps in UTC.",
            )
            return
        zone = habit.timezone if habit and habit.timezone in best.zones else best.zones[0]
        rivals = [each for each in (best.zones[0], *clock.rivals) if each != zone]
        is_usual = bool(habit and habit.timezone == zone)
        certainty = SURE if is_usual or (clock.is_sure and not clock.rivals) else LIKELY
        second = clock.second
        against = f"; the next best, {second.zones[0]} and {second.timestamps}s, {second.begins[0]} and {second.ends[0]}" if second else ""
        self.says("timezone", zone, certainty, f"{best.told()}{against}")
        self.sets("ingest.timezone", zone, certainty)
        if clock.rivals and not is_usual:
            self.asks(
                "ingest.timezone",
                f"Was it {zone}, or {' or '.join(rivals[:3])}? In this file their clocks agree, so it reads the same; in another half of the year they part.",
            )

    def sessions(self, clock: Clock, contract: Instrument | None) -> Sessions | None:
        best = clock.best if clock.is_known else None
        if best is None:
            if contract is not None:
                self.says(
                    "sessions",
                    f"ETH of {contract.calendar.replace('_', ' ')}",
                    LIKELY,
                    f"those of {contract.symbol}; the file shows no breaks",
                )
                return load_sessions(contract.calendar)
            self.says("sessions", "", UNKNOWN, "the file shows no breaks of a market that is known")
            return None
        calendar = contract.calendar if contract and contract.calendar in CALENDARS else best.calendar
        self.says("sessions", f"{best.hours} of {calendar.replace('_', ' ')}", SURE if contract and clock.is_sure else LIKELY, best.told())
        if best.hours == "RTH":
            self.sets("sessions.hours", "RTH", LIKELY)
        return load_sessions(calendar)

    def read(self, contract: Instrument | None, sessions: Sessions | None) -> RawBars | None:
        """The bars by the settings found, bad ones put aside; None where the zone is not known."""
        if any(question.setting == "ingest.timezone" for question in self.questions) and "ingest.timezone" not in self.settings:
            return None
        limits = {"price_limits": contract.price_limits, "tick_size": contract.tick} if contract else {}
        rules = Rules(
            self.settings.get("symbol", ""),
            timezone=self.settings.get("ingest.timezone"),
            timestamps=self.settings.get("ingest.timestamps", "open"),
            epoch_unit=self.settings.get("ingest.epoch_unit"),
            fixed_point=self.settings.get("ingest.fixed_point"),
            on_bad_rows="quarantine",
            sessions=sessions,
            roll_sessions=sessions,
            now=datetime.now(UTC),
            history=True,
            **limits,  # type: ignore[arg-type]
        )
        raw = checked(self.frame, self.quality, rules)
        if raw.quality.duplicates * 20 > raw.quality.rows_read:
            hint = (
                " Databento writes a column `symbol` where the download asks for symbols."
                if "instrument_id" in self.quality.ignored
                else ""
            )
            self.asks(
                "columns", f"{raw.quality.duplicates:,} bars share their minute with another: several contracts that no column names?{hint}"
            )
        if raw.quality.quarantined:
            self.sets("ingest.on_bad_rows", "quarantine", SURE)
            self.asks(
                "ingest.on_bad_rows", f"{raw.quality.quarantined:,} bars cannot be and are put aside (see the dirt): is that what you want?"
            )
        span = f"{raw.quality.rows_kept:,} bars from {raw.quality.first} to {raw.quality.last}"
        self.says("bars", span, SURE, f"of {raw.quality.rows_read:,} rows")
        return raw

    def opening(self, raw: RawBars, sessions: Sessions | None) -> None:
        """The jump of the volume at the regular open, beside what the breaks say."""
        if sessions is None or sessions.calendar not in CALENDARS:
            return
        jump = opening_jump(as_minutes(raw.frame["datetime"]), raw.frame["volume"].to_numpy(), sessions.calendar)
        if jump is None or jump[1] < MINUTE_JUMP or abs(jump[0]) > 1:
            return
        minutes, ratio = jump
        where = {0: "in its minute", 1: "a minute late", -1: "a minute early"}[minutes]
        evidence = f"median volume {ratio:.1f} times that of the minute before, the largest jump within four minutes"
        self.says("regular open", f"the volume jumps {where}", SURE if minutes == 0 else UNKNOWN, evidence)
        if minutes and self.certainty.get("ingest.timestamps") != SURE:
            self.asks(
                "ingest.timestamps", f"The volume of the regular open jumps {where}: do the stamps mark the other end of their minute?"
            )

    def rolls(self, raw: RawBars, contract: Instrument | None, sessions: Sessions | None) -> list[Suspect]:
        """Contracts and their changes: named, or suspected."""
        q = raw.quality
        if q.contracts:
            left = (
                f"; left out: {q.spreads:,} bars of calendar spreads, {q.other_contracts:,} of contracts behind"
                if q.rolls or q.spreads
                else ""
            )
            self.says("contracts", ", ".join(q.contracts[:12]), SURE, f"the names in the file{left}")
            return []
        if contract is None or sessions is None or sessions.calendar not in CALENDARS:
            self.says("rolls", "", UNKNOWN, "the file names no contracts, and the expiries of this market are not known")
            return []
        bars = np.column_stack([raw.frame[name].to_numpy() for name in FIELDS])
        time = as_minutes(raw.frame["datetime"])
        traded = len(np.unique(sessions.numbers(time)))
        if traded < FEWEST:
            self.says("rolls", "", UNKNOWN, f"{traded} sessions are too few to say which jump is unusual")
            return []
        suspects = suspected_rolls(time, bars, sessions, contract.symbol)
        if not suspects:
            note = "no jump in the days when a contract is left is larger than the market's own: one contract, an adjusted series, or gaps too small to see"
            self.says("rolls", "none seen", LIKELY, note)
            return []
        seen, hidden = (
            [f"{moment(one.time):%Y-%m-%dT%H:%MZ}" for one in suspects if (one.certainty == "hidden") == is_hidden]
            for is_hidden in (False, True)
        )
        evidence = "jumps at session opens in the days when a contract is left" if seen else "no such jump"
        evidence += f"; {len(hidden)} may be hidden in holes of the file in such days" if hidden else ""
        self.says("rolls", f"{len(seen)} suspected", LIKELY if seen else UNKNOWN, evidence)
        if seen:
            self.asks(
                "rolls", f"Does the contract change at {', '.join(seen)}? Then set rolls; unset, the jump counts as the market's own."
            )
        if hidden:
            self.asks(
                "rolls", f"Does another contract begin after the hole, at {', '.join(hidden)}? Its jump cannot be told from the market's."
            )
        return suspects
