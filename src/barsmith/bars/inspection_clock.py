"""What an inspection says of a file's clock: zone, end of the minute, sessions and the jump at the regular open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.inspection_claim import Lie, refuted
from barsmith.bars.inspection_market import Source, Vendor
from barsmith.bars.inspection_notes import LIKELY, SURE, UNKNOWN, Notes
from barsmith.bars.inspection_time import CALENDARS, Clock, Fit, clock_of, opening_jump
from barsmith.bars.minutes import as_minutes
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.bars.timestamps import UNITS, Stamps, read_stamps
from barsmith.errors import DataError
from barsmith.instruments import Instrument

if TYPE_CHECKING:
    from barsmith.bars.reading import RawBars

SHIFTED = 4
"""Stretches that begin an hour off, from which a zone is not the one of the stamps."""
MINUTE_JUMP = 1.5
"""The volume of the regular open's minute over that of the minute before, from which it says something."""
SHIFTS = "A wrong answer shifts every bar by a minute."


def stamps_of(source: Source, notes: Notes) -> Stamps:
    """Minutes of the stamps: UTC where they name a zone, else as they stand, with the zone ""."""
    try:
        stamps = read_stamps(source.frame, timezone=None, epoch_unit=None, where=source.name)
    except DataError as error:
        if error.code == "bars/epoch-unit":
            return _epochs(source, notes, error)
        if error.code != "bars/no-timezone":
            raise
        return Stamps(read_stamps(source.frame, timezone="UTC", epoch_unit=None, where=source.name).time, "")
    notes.says("timezone", stamps.zone, SURE, "the stamps name it" if "/" in stamps.zone else "the stamps say it")
    return stamps


def _epochs(source: Source, notes: Notes, error: DataError) -> Stamps:
    """Stamps that are numbers: only one unit puts them into this age a minute apart."""
    for unit in UNITS:
        try:
            stamps = read_stamps(source.frame, timezone=None, epoch_unit=unit, where=source.name)
        except DataError:
            continue
        notes.says("timezone", "UTC", SURE, f"the stamps count {unit} since 1970: no other unit gives days of our age")
        notes.sets("ingest.epoch_unit", unit, SURE)
        return Stamps(stamps.time, "UTC")
    raise error


def tell_clock(source: Source, notes: Notes, stamps: Stamps, volume: np.ndarray, contract: Instrument | None) -> tuple[Source, Clock]:
    """Zone and convention from the market's breaks, else the vendor's habit, else a question. volume: of bars of single contracts.

    Returns the file as well, without the zone that its stamps claim where the breaks refute it.
    """
    counts = source.outright()
    if (volume > 0).sum() * 2 > len(volume):
        counts[counts] = volume > 0  # fillers stand in the breaks as well
    never_closes = contract is not None and contract.calendar not in CALENDARS
    calendars = (contract.calendar,) if contract is not None else CALENDARS
    is_utc = bool(stamps.zone)
    clock = Clock(None, None, {}, ()) if never_closes else clock_of(np.unique(stamps.time[counts]), is_utc=is_utc, calendars=calendars)
    lie = None
    if is_utc and contract is not None and not never_closes and (doubt := refuted(source, notes, stamps, counts, clock, contract)):
        source, clock, lie = doubt
    best = clock.best if clock.is_known else None
    if best is not None and (lie or not is_utc):
        _tell_zone(notes, clock, best, source.vendor, lie)
    elif not is_utc:
        _ask_zone(notes, clock, source.vendor)
    if best is not None:
        _tell_end(notes, clock, best, source.vendor)
    else:
        _ask_end(notes, clock, source.vendor)
    return source, clock


def _tell_zone(notes: Notes, clock: Clock, best: Fit, vendor: Vendor | None, lie: Lie | None) -> None:
    """The zone that fits, unless its clock changes on other days, or another one has the same clock in this file."""
    if best.shifted >= SHIFTED:
        notes.says("timezone", f"nearly {best.zones[0]}", UNKNOWN, f"{lie.told() if lie else best.told()}, but {best.shifted} an hour off")
        other = f"The clock of these stamps changes on other days than that of {best.zones[0]}"
        notes.asks("ingest.timezone", f"{other}, as MetaTrader servers' does, and no zone has it: export the stamps in UTC.")
        return
    is_usual = vendor is not None and vendor.timezone in best.zones
    zone = str(vendor.timezone) if vendor is not None and is_usual else best.zones[0]
    second = clock.second
    next_best = f"{second.zones[0]}, stamps as {second.timestamps}s" if second else ""
    against = f"; the next best reading ({next_best}): {second.begins[0]} and {second.ends[0]}" if second else ""
    is_sure = clock.is_sure and not clock.rivals and (lie is None or lie.is_sure)
    certainty = SURE if is_usual or is_sure else LIKELY
    notes.says("timezone", zone, certainty, lie.told() if lie else f"{best.told()}{against}")
    notes.sets("ingest.timezone", zone, certainty)
    if lie:
        notes.asks("ingest.timezone", lie.asks(zone))
    if clock.rivals and not is_usual:
        agree = "In this file their clocks agree, so it reads the same; in another half of the year they part."
        notes.asks("ingest.timezone", f"Was it {zone}, or {' or '.join(clock.rivals[:3])}? {agree}")


def _ask_zone(notes: Notes, clock: Clock, vendor: Vendor | None) -> None:
    if vendor is not None and vendor.timezone:
        notes.says("timezone", vendor.timezone, LIKELY, f"{vendor.name}'s habit; {clock.trouble}")
        notes.sets("ingest.timezone", vendor.timezone, LIKELY)
        notes.asks("ingest.timezone", f"Were the stamps written in {vendor.timezone}, as {vendor.name} does?")
        return
    notes.says("timezone", "", UNKNOWN, f"the stamps name none, and {clock.trouble}")
    notes.asks("ingest.timezone", "In which zone were the stamps written? UTC, America/Chicago, ...")


def _tell_end(notes: Notes, clock: Clock, best: Fit, vendor: Vendor | None) -> None:
    """The end of the minute that fits, beside the other one."""
    habit = vendor.timestamps if vendor is not None else None
    other = clock.by_convention.get("open" if best.timestamps == "close" else "close")
    against = f"; read as {other.timestamps}s {other.begins[0]} begin and {other.ends[0]} end so" if other else ""
    certainty = SURE if clock.is_sure or habit == best.timestamps else LIKELY
    notes.says("timestamps", best.timestamps, certainty, f"{best.told()}{against}")
    notes.sets("ingest.timestamps", best.timestamps, certainty)
    if vendor is not None and habit and habit != best.timestamps:
        usual = f"{vendor.name} usually stamps the {habit} of a bar"
        notes.asks("ingest.timestamps", f"{usual}, this file's breaks say {best.timestamps}: was it changed?")


def _ask_end(notes: Notes, clock: Clock, vendor: Vendor | None) -> None:
    if vendor is not None and vendor.timestamps:
        notes.says("timestamps", vendor.timestamps, LIKELY, f"{vendor.name}'s habit; {clock.trouble}")
        notes.sets("ingest.timestamps", vendor.timestamps, LIKELY)
        notes.asks("ingest.timestamps", f"Do stamps mark the {vendor.timestamps} of their minute, as {vendor.name}'s do? {SHIFTS}")
        return
    notes.says("timestamps", "", UNKNOWN, clock.trouble)
    notes.asks("ingest.timestamps", f"Do stamps mark the open or the close of their minute? open is written here. {SHIFTS}")
    notes.sets("ingest.timestamps", "open", UNKNOWN)


def tell_sessions(notes: Notes, clock: Clock, contract: Instrument | None) -> Sessions | None:
    """The sessions by which the bars are read, None where no market is known."""
    best = clock.best if clock.is_known else None
    if best is not None:
        calendar = contract.calendar if contract is not None else best.calendar
        certainty = SURE if contract is not None and clock.is_sure else LIKELY
        evidence = "stretches of trading begin and end so" + (
            "" if contract is not None else "; without a symbol only holidays tell the calendars apart"
        )
        notes.says("sessions", f"{best.hours} of {calendar.replace('_', ' ')}", certainty, evidence)
        if best.hours == "RTH":
            notes.sets("sessions.hours", "RTH", LIKELY)
        return load_sessions(calendar)
    if contract is None:
        notes.says("sessions", "", UNKNOWN, "the file shows no breaks of a market that is known")
        return None
    name = contract.calendar.replace("_", " ")
    notes.says("sessions", f"ETH of {name}", LIKELY, f"those of {contract.symbol}; {clock.trouble}")
    return load_sessions(contract.calendar)


def tell_opening(notes: Notes, raw: RawBars, sessions: Sessions | None) -> None:
    """The jump of the volume at the regular open, beside what the breaks say."""
    if sessions is None or sessions.calendar not in CALENDARS:
        return
    jump = opening_jump(as_minutes(raw.frame["datetime"]), raw.frame["volume"].to_numpy(), sessions.calendar)
    if jump is None or jump[1] < MINUTE_JUMP or abs(jump[0]) > 1:
        return
    minutes, ratio = jump
    where = {0: "in its minute", 1: "a minute late", -1: "a minute early"}[minutes]
    evidence = f"median volume {ratio:.1f} times that of the minute before, the largest jump within four minutes"
    notes.says("regular open", f"the volume jumps {where}", SURE if minutes == 0 else UNKNOWN, evidence)
    if minutes and notes.certainty.get("ingest.timestamps") != SURE:
        text = f"The volume of the regular open jumps {where}: do the stamps mark the other end of their minute?"
        notes.asks("ingest.timestamps", text)
