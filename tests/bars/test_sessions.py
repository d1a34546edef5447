"""The session table: hours, holidays, clock changes and what happens past its end."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars import sessions as module
from barsmith.bars.minutes import as_minutes, minute_of, moment
from barsmith.bars.sessions import EPOCH, Sessions, load_sessions
from barsmith.errors import DataError, UsageError

GROUPS = ("equity_index", "metals", "energy")
CHICAGO = ZoneInfo("America/Chicago")


def utc(*when: int) -> int:
    return minute_of(datetime(*when, tzinfo=UTC))  # type: ignore[arg-type]


def chicago(minute: int) -> str:
    return f"{moment(minute).astimezone(CHICAGO):%Y-%m-%d %H:%M}"


def by_close_date(sessions: Sessions) -> dict[date, tuple[int, int]]:
    pairs = zip(sessions.opens.tolist(), sessions.closes.tolist(), strict=True)
    return {moment(close).astimezone(CHICAGO).date(): (opened, close) for opened, close in pairs}


def test_a_summer_session_opens_at_22_utc_and_a_winter_one_at_23() -> None:
    sessions = load_sessions("equity_index")
    days = by_close_date(sessions)
    assert days[date(2025, 11, 3)][0] == utc(2025, 11, 2, 23)
    assert days[date(2025, 10, 27)][0] == utc(2025, 10, 26, 22)
    assert days[date(2026, 3, 9)][0] == utc(2026, 3, 8, 22)
    metals = by_close_date(load_sessions("metals"))
    assert metals[date(2025, 3, 10)][0] == utc(2025, 3, 9, 22)
    assert metals[date(2025, 3, 3)][0] == utc(2025, 3, 2, 23)


def clock_faults(sessions: Sessions) -> list[str]:
    """Sessions that do not begin at 17:00 in Chicago."""
    return [chicago(opened) for opened in sessions.opens.tolist() if not chicago(opened).endswith("17:00")]


def test_every_session_begins_at_17_in_chicago_and_a_fixed_offset_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(clock_faults(load_sessions(group)) == [] for group in GROUPS)
    monkeypatch.setattr(module, "CHICAGO", ZoneInfo("Etc/GMT+6"))  # planted: a calendar that moves with daylight saving
    shifted = module._sessions.__wrapped__("equity_index", "ETH", "")
    assert "2025-07-01 18:00" in clock_faults(shifted)
    assert "2025-01-14 17:00" not in clock_faults(shifted)


def test_sessions_are_in_order_and_do_not_touch() -> None:
    for group in GROUPS:
        for hours in ("ETH", "RTH"):
            sessions = load_sessions(group, hours)
            assert (sessions.opens < sessions.closes).all()
            assert (sessions.opens[1:] > sessions.closes[:-1]).all()
            assert (np.diff(sessions.trade_date) >= 0).all()


def test_a_regular_session_is_23_hours_and_was_15_minutes_longer_until_september_2015() -> None:
    days = by_close_date(load_sessions("equity_index"))
    assert days[date(2025, 6, 10)][1] - days[date(2025, 6, 10)][0] == 1380
    assert chicago(days[date(2015, 9, 18)][1]).endswith("16:15")
    assert chicago(days[date(2015, 9, 21)][1]).endswith("16:00")


SHORT = [  # group, the day it closes, Chicago time: from the real bars of PROVENANCE.md and CME's notices
    ("equity_index", date(2025, 6, 19), "12:00"),
    ("equity_index", date(2025, 7, 3), "12:15"),
    ("equity_index", date(2025, 7, 4), "12:00"),
    ("equity_index", date(2025, 12, 24), "12:15"),
    ("equity_index", date(2026, 1, 19), "12:00"),
    ("equity_index", date(2026, 4, 3), "08:15"),
    ("equity_index", date(2025, 1, 9), "08:30"),
    ("equity_index", date(2018, 12, 5), "08:30"),
    ("metals", date(2024, 12, 24), "12:45"),
    ("metals", date(2025, 1, 9), "16:00"),
    ("metals", date(2025, 7, 3), "16:00"),
    ("metals", date(2025, 7, 4), "12:00"),
    ("metals", date(2025, 9, 1), "13:30"),
    ("metals", date(2025, 11, 27), "13:30"),
    ("metals", date(2025, 11, 28), "13:45"),
    ("energy", date(2026, 11, 27), "13:45"),
]


@pytest.mark.parametrize(("group", "day", "close"), SHORT)
def test_known_short_days_end_when_they_did(group: str, day: date, close: str) -> None:
    assert chicago(by_close_date(load_sessions(group))[day][1]).endswith(close)


def test_closed_days_have_no_session() -> None:
    equity, metals = by_close_date(load_sessions("equity_index")), by_close_date(load_sessions("metals"))
    for day in (date(2025, 12, 25), date(2026, 1, 1), date(2024, 3, 29), date(2025, 4, 18), date(2021, 12, 24)):
        assert day not in equity
        assert day not in metals
    assert date(2026, 4, 3) not in metals
    assert date(2021, 12, 31) in equity


def test_a_halt_holiday_belongs_to_the_next_trade_date() -> None:
    sessions = load_sessions("equity_index")
    monday = sessions.number(utc(2026, 1, 19, 12))
    tuesday = sessions.number(utc(2026, 1, 20, 12))
    assert tuesday == monday + 1
    assert EPOCH + timedelta(int(sessions.trade_date[monday])) == date(2026, 1, 20)
    assert sessions.trade_date[monday] == sessions.trade_date[tuesday]
    half_day = sessions.number(utc(2025, 12, 24, 12))
    assert EPOCH + timedelta(int(sessions.trade_date[half_day])) == date(2025, 12, 24)


def test_a_minute_in_the_break_or_on_the_weekend_is_in_no_session() -> None:
    sessions = load_sessions("equity_index")
    inside = sessions.number(utc(2025, 6, 11, 20, 59))
    assert inside >= 0
    assert sessions.number(utc(2025, 6, 11, 21, 0)) == -1
    assert sessions.number(utc(2025, 6, 11, 21, 59)) == -1
    assert sessions.number(utc(2025, 6, 11, 22, 0)) == inside + 1
    assert sessions.number(utc(2025, 6, 14, 12, 0)) == -1


def test_regular_trading_hours_have_no_session_on_a_halt_holiday() -> None:
    sessions = load_sessions("equity_index", "RTH")
    assert chicago(int(sessions.opens[sessions.number(utc(2026, 1, 20, 15))])).endswith("01-20 08:30")
    assert chicago(int(sessions.closes[sessions.number(utc(2026, 1, 20, 15))])).endswith("15:00")
    assert sessions.number(utc(2026, 1, 19, 15)) == -1
    assert chicago(int(sessions.closes[sessions.number(utc(2025, 7, 3, 15))])).endswith("12:15")
    assert chicago(int(sessions.closes[sessions.number(utc(2021, 6, 25, 15))])).endswith("15:15")
    assert sessions.number(utc(2026, 4, 3, 13, 10)) == -1


def test_without_a_filter_a_session_is_a_utc_day() -> None:
    sessions = load_sessions("metals", "all")
    n = sessions.number(utc(2025, 6, 14, 12))
    assert sessions.span(n) == (utc(2025, 6, 14), utc(2025, 6, 15), utc(2025, 6, 14) // 1440)
    assert load_sessions("always").number(utc(2025, 6, 14, 12)) == n


def test_four_hour_bars_begin_at_the_open_and_the_last_is_cut_at_the_close() -> None:
    sessions = load_sessions("equity_index")
    n, evening, noon = sessions.number(utc(2025, 6, 10, 12)), utc(2025, 6, 9, 22, 5), utc(2025, 6, 10, 20, 30)
    assert sessions.bar_start(n, evening, 240) == utc(2025, 6, 9, 22)
    assert sessions.bar_end(n, evening, 240) == utc(2025, 6, 10, 2)
    assert sessions.bar_start(n, noon, 240) == utc(2025, 6, 10, 18)
    assert sessions.bar_end(n, noon, 240) == utc(2025, 6, 10, 21)
    assert sessions.bar_end(n, noon, 1440) == utc(2025, 6, 10, 21)


@settings(deadline=None)
@given(st.lists(st.integers(utc(2019, 1, 1), utc(2027, 1, 1)), max_size=50), st.sampled_from([1, 5, 25, 45, 240, 1440]))
def test_arrays_and_ints_give_the_same(times: list[int], step: int) -> None:
    sessions = load_sessions("metals")
    numbers = sessions.numbers(np.array(times, np.int64))
    assert numbers.tolist() == [sessions.number(t) for t in times]
    inside = [(n, t) for n, t in zip(numbers.tolist(), times, strict=True) if n >= 0]
    n, t = np.array([i[0] for i in inside], np.int64), np.array([i[1] for i in inside], np.int64)
    assert sessions.bar_start(n, t, step).tolist() == [sessions.bar_start(a, b, step) for a, b in inside]
    assert sessions.bar_end(n, t, step).tolist() == [sessions.bar_end(a, b, step) for a, b in inside]


def test_past_the_table_is_an_error_that_says_how_to_extend_it(tmp_path: Path) -> None:
    sessions = load_sessions("equity_index")
    for call in (lambda t: sessions.number(t), lambda t: sessions.numbers(np.array([t]))):
        for when in (utc(2031, 2, 3, 12), utc(2014, 6, 2, 12)):
            with pytest.raises(DataError) as caught:
                call(when)
            assert caught.value.code == "sessions/past-table"
            assert "exceptions" in caught.value.do
    own = tmp_path / "own.csv"
    own.write_text("date,group,kind,time,source\n2031-01-01,equity_index,closed,,me\n2025-06-10,equity_index,early,12:00,me\n")
    longer = load_sessions("equity_index", exceptions=own)
    assert longer.number(utc(2031, 2, 3, 12)) > 0
    assert longer.number(utc(2031, 1, 1, 12)) == -1
    assert longer.number(utc(2025, 6, 10, 18)) == -1
    assert sessions.number(utc(2025, 6, 10, 18)) >= 0


@pytest.mark.parametrize(
    "row", ["2031-13-01,metals,closed,,", "2031-01-01,metal,closed,,", "2031-01-01,metals,halt,,", "2031-01-01,metals,gone,,", "2031-01-01"]
)
def test_a_bad_row_of_a_users_table_is_named(tmp_path: Path, row: str) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"date,group,kind,time,source\n{row}\n")
    with pytest.raises(DataError, match="line 2") as caught:
        load_sessions("metals", exceptions=own)
    assert caught.value.code == "sessions/table"


def test_an_unknown_calendar_or_hours_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="equity_index") as caught:
        load_sessions("equity")
    assert caught.value.code == "sessions/calendar"
    with pytest.raises(UsageError) as caught:
        load_sessions("metals", "rth")
    assert caught.value.code == "sessions/hours"
    with pytest.raises(UsageError) as caught:
        load_sessions("metals", exceptions="no/such.csv")
    assert caught.value.code == "sessions/no-file"


def test_every_row_of_the_table_is_dated_sorted_and_has_a_source() -> None:
    rows = list(csv.DictReader((Path(module.__file__).parent / "calendars" / "exceptions.csv").read_text().splitlines()))
    keys = [(row["date"], row["group"]) for row in rows]
    assert keys == sorted(set(keys))
    assert all(row["source"] and row["kind"] in ("closed", "early", "halt") for row in rows)
    assert all(date.fromisoformat(row["date"]).weekday() < 5 for row in rows)
    for group in GROUPS:
        per_year = [sum(row["group"] == group and row["date"].startswith(str(year)) for row in rows) for year in range(2015, 2031)]
        assert min(per_year) >= 9, (group, per_year)
        assert max(per_year) <= 14, (group, per_year)


LIBRARY = {"equity_index": "CME Globex Equity", "metals": "CMEGlobex_GC", "energy": "CMEGlobex_CL"}
UNTIL_2015 = "16:15"  # the library has 16:00 for the whole of 2015
EVE = {date(y, 12, 24): ("16:00", "12:45") for y in (2015, 2018, 2019, 2020, 2024, 2025, 2029, 2030)}


def days(text: str) -> list[date]:
    return [date.fromisoformat(day) for day in text.split()]


LABOR = dict.fromkeys(days("2022-09-05 2023-09-04 2024-09-02 2025-09-01 2027-09-06 2028-09-04 2029-09-03 2030-09-02"), ("12:00", "13:30"))
BLACK = dict.fromkeys(days("2024-11-29 2025-11-28 2027-11-26 2028-11-24 2029-11-23 2030-11-29"), ("12:45", "13:45"))
FRIDAY = dict.fromkeys(days("2025-07-04 2027-06-18"), ("13:30", "12:00"))
GOOD = dict.fromkeys(days("2024-03-29 2025-04-18 2027-03-26 2028-04-14 2029-03-30 2030-04-19"), ("08:15", None))
MOURNING = dict.fromkeys(days("2018-12-05 2025-01-09"), ("16:00", "08:30"))
WRONG_THERE = {  # (the library's close, ours and why: the source column of the table)
    "equity_index": GOOD | MOURNING,
    "metals": EVE | LABOR | BLACK | FRIDAY,
    "energy": EVE | LABOR | BLACK | FRIDAY,
}


@pytest.mark.parametrize("group", GROUPS)
def test_the_table_differs_from_pandas_market_calendars_only_where_that_is_known_wrong(group: str) -> None:
    import pandas_market_calendars

    schedule = pandas_market_calendars.get_calendar(LIBRARY[group]).schedule("2015-01-01", "2030-12-31", tz="America/Chicago")
    theirs = {day.date(): f"{close:%H:%M}" for day, close in schedule["market_close"].items()}
    ours = {day: chicago(close)[-5:] for day, (_, close) in by_close_date(load_sessions(group)).items()}
    different = {day: (theirs.get(day), ours.get(day)) for day in theirs.keys() | ours.keys() if theirs.get(day) != ours.get(day)}
    before = {day: pair for day, pair in different.items() if day < date(2015, 9, 21)}
    assert set(before.values()) == {("16:00", UNTIL_2015)}
    assert {day: pair for day, pair in different.items() if day not in before} == WRONG_THERE[group]
    opens = {day: chicago(opened) for day, (opened, _) in by_close_date(load_sessions(group)).items()}
    assert all(f"{row.market_open:%Y-%m-%d %H:%M}" == opens[day.date()] for day, row in schedule.iterrows() if day.date() in opens)


@pytest.mark.real
@pytest.mark.parametrize(
    ("symbol", "group", "outside", "count"), [("MES", "equity_index", 92, 221), ("MGC", "metals", 0, 257)], ids=["MES", "MGC"]
)
def test_real_bars_fall_into_the_sessions_and_fill_them_to_the_close(
    real_data: Path, symbol: str, group: str, outside: int, count: int
) -> None:
    sessions, time = load_sessions(group), as_minutes(pl.read_parquet(real_data / f"{symbol}_1m.parquet")["datetime"])
    number = sessions.numbers(time)
    assert (number < 0).sum() == outside
    assert len(np.unique(number[number >= 0])) == count
    inside = number >= 0
    last = np.flatnonzero(np.diff(number[inside], append=-1))
    ends = time[inside][last] + 1
    closes = sessions.closes[number[inside][last]]
    cut = {
        "MES": ["2025-08-06 17:51", "2025-11-24 13:41", "2026-03-11 11:35", "2026-06-08 21:12"],
        "MGC": ["2025-01-30 15:57", "2025-03-28 15:58"],
    }
    assert [chicago(int(end)) for end in ends[ends != closes]] == cut[symbol]  # ends of contracts and of the file
