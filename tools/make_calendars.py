"""Makes src/barsmith/bars/calendars/exceptions.csv: pandas_market_calendars first, corrected by what is known better.

    .venv/bin/python tools/make_calendars.py

A correction is a row of CORRECTIONS or a rule of `corrected`, each with its source; a row without one says the library's name.
"""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pandas_market_calendars as market_calendars

FIRST, LAST = date(2015, 1, 1), date(2030, 12, 31)
GROUPS = {"equity_index": "CME Globex Equity", "metals": "CMEGlobex_GC", "energy": "CMEGlobex_CL"}
TARGET = Path(__file__).parents[1] / "src" / "barsmith" / "bars" / "calendars" / "exceptions.csv"
LIBRARY = f"pandas_market_calendars {market_calendars.__version__}"

LABOR_DAY = "CME holiday schedules 2022 to 2026 print 13:30; MGC bars of 2025-09-01 end at 13:30"
NOON_FRIDAY = "CME service: a Friday holiday since 2025 is a 12:00 close of its own trade date; MGC bars of 2025-07-04 end at 12:00"
BLACK_FRIDAY = "CME service prints 13:45 since 2024; MGC bars of 2025-11-28 end at 13:45"
CHRISTMAS_EVE = "CME holiday schedules 2019, 2020, 2024 to 2026 print 12:45; MGC bars of 2024-12-24 end at 12:45"
GOOD_FRIDAY = "closed: the jobs report is not on this Good Friday (it is in April's first seven days only)"
MOURNING = "National Day of Mourning: CME closed U.S. equity index products at 08:30"


class Row(NamedTuple):
    """An exception to the regular hours: `kind` closed, early (own trade date) or halt (the next session's trade date)."""

    date: date
    group: str
    kind: str
    time: str
    source: str


def library_rows(group: str) -> dict[date, Row]:
    """What the library says is not a regular day."""
    schedule = market_calendars.get_calendar(GROUPS[group]).schedule(FIRST, LAST, tz="America/Chicago")
    closes = {day.date(): close.strftime("%H:%M") for day, close in schedule["market_close"].items()}
    trade_dates = set(market_calendars.get_calendar("CME_TradeDate").schedule(FIRST, LAST).index.date)
    rows = {}
    for ordinal in range(FIRST.toordinal(), LAST.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if day.weekday() > 4 or closes.get(day) == "16:00":
            continue
        kind = "closed" if day not in closes else "early" if day in trade_dates else "halt"
        rows[day] = Row(day, group, kind, closes.get(day, ""), f"{LIBRARY} {GROUPS[group]}")
    return rows


def corrected(group: str) -> dict[date, Row]:
    """The library's rows after every correction."""
    rows = library_rows(group)
    if group == "equity_index":
        for day in (date(2018, 12, 5), date(2025, 1, 9)):
            rows[day] = Row(day, group, "early", "08:30", MOURNING)
        for day, row in rows.items():
            if row.time == "08:15":
                jobs_report = day.month == 4 and day.day <= 7
                rows[day] = row._replace(kind="early") if jobs_report else Row(day, group, "closed", "", GOOD_FRIDAY)
    else:
        for year in range(FIRST.year, LAST.year + 1):
            eve = date(year, 12, 24)
            if eve.weekday() < 5 and (eve not in rows or rows[eve].kind != "closed"):
                rows[eve] = Row(eve, group, "early", "12:45", CHRISTMAS_EVE)
        for day, row in rows.items():
            if row.kind == "halt" and day.month == 9 and day.year >= 2022 and row.time != "13:30":
                rows[day] = row._replace(time="13:30", source=LABOR_DAY)
            if row.kind == "early" and day.month == 11 and day.year >= 2024 and row.time != "13:45":
                rows[day] = row._replace(time="13:45", source=BLACK_FRIDAY)
    for day, row in rows.items():
        if row.kind == "halt" and day.weekday() == 4 and day.year >= 2025:
            rows[day] = row._replace(kind="early", time="12:00", source=NOON_FRIDAY)
    return rows


def table() -> list[Row]:
    """Every exception of every group, by date."""
    return sorted(row for group in GROUPS for row in corrected(group).values())


def main() -> None:
    with TARGET.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(table())
    print(f"{len(table())} rows -> {TARGET}")  # noqa: T201


if __name__ == "__main__":
    main()
