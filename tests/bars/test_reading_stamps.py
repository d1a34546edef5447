"""Stamps of any vendor as UTC minutes; what has two readings is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from barsmith.bars.minutes import minute_of, moment
from barsmith.bars.reading import Rules, read_raw
from barsmith.bars.stamp_text import AmbiguousDatesError, clock, days
from barsmith.bars.timestamps import read_stamps
from barsmith.errors import DataError


def utc(*values: object, timezone: str | None = None, epoch_unit: str | None = None) -> list[datetime]:
    frame = pl.DataFrame({"datetime": pl.Series(values)})
    stamps = read_stamps(frame, timezone=timezone, epoch_unit=epoch_unit, where="here")
    return [moment(minute) for minute in stamps.time.tolist()]


def refused(*values: object, timezone: str | None = None, epoch_unit: str | None = None) -> DataError:
    with pytest.raises(DataError) as error:
        utc(*values, timezone=timezone, epoch_unit=epoch_unit)
    return error.value


JUNE = datetime(2025, 6, 12, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-12T04:01:00Z",
        "2025-06-12T04:01Z",
        "2025-06-12T04:01:00.000000000Z",
        "2025-06-12 04:01:00+00:00",
        "2025-06-12T06:01:00+02:00",
        "2025-06-11T23:01:00-0500",
        "2025-06-11 23:01:00.000 -05",
        "2025-06-12 04:01 UTC",
        "20250612T040100Z",
        " 2025-06-12T04:01:00z ",
    ],
)
def test_stamps_with_a_zone_are_read(text: str) -> None:
    assert utc(text) == [JUNE]


@pytest.mark.parametrize(
    "text",
    [
        "2025-06-12 04:01:00",
        "2025-06-12 04:01",
        "2025-06-12T04:01",
        "2025/6/12 4:01",
        "2025.06.12 04:01:00.0",
        "20250612 040100",
        "20250612 0401",
        "20250612040100",
        "202506120401",
        "2025-06-12 04:01:00 AM",
        "2025-06-12 4:01 am",
    ],
)
def test_naive_stamps_are_read_in_the_zone_that_is_given_and_refused_without(text: str) -> None:
    assert utc(text, timezone="UTC") == [JUNE]
    assert utc(text, timezone="America/Chicago") == [JUNE + timedelta(hours=5)]
    assert refused(text).code == "bars/no-timezone"


def test_noon_and_midnight_of_the_twelve_hour_clock() -> None:
    assert clock("12:00 AM") == (0, None)
    assert clock("12:30 PM") == (45_000 * 1_000_000, None)
    assert clock("13:00 PM") is None


def test_mixed_offsets_each_count_and_are_recorded() -> None:
    texts = ["2025-11-02T00:59:00-05:00", "2025-11-02T01:00:00-05:00", "2025-11-02T01:00:00-06:00"]
    stamps = read_stamps(pl.DataFrame({"datetime": texts}), timezone=None, epoch_unit=None, where="here")
    assert stamps.time.tolist() == [stamps.time[0] + minutes for minutes in (0, 1, 61)]
    assert stamps.zone == "offsets -06:00, -05:00"


def test_stamps_with_and_without_an_offset_in_one_file_are_refused() -> None:
    error = refused("2025-06-12T04:01:00Z", "2025-06-12T04:02:00", timezone="UTC")
    assert error.code == "bars/bad-timestamp"
    assert "bar 2 stamped '2025-06-12T04:02:00' without an offset" in error.came


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024-02-30 12:00",
        "2024-01-01 24:00",
        "2016-12-31 23:59:60",
        "2024-13-01 12:00",
        "2024-01-01",
        "20240101",
        "12:00",
        "2024-01-01 12",
        "2024-01-01 12:60",
        "01/02/24 12:00",
        "2024-01-01 12:00 CST",
        "2024-01-01T12:00:00+25:00",
        "2024-01-01T12:00:00+00:61",
        "1979-12-31 23:59",
        "2101-01-01 00:00",
        "٢٠٢٤-01-01 12:00",
        "2024-01-01 12:00\x00",
        "2024-01/01 12:00",
    ],
)
def test_what_is_no_stamp_is_refused_with_its_bar(text: str) -> None:
    error = refused("2024-01-01 12:00", text, timezone="UTC")
    assert error.code == "bars/bad-timestamp"
    assert error.came.startswith("bar 2 ")


def test_a_stamp_that_is_missing_is_refused_and_so_is_a_column_without_any() -> None:
    assert refused("2024-01-01 12:00", None, timezone="UTC").came == "bar 2 without one"
    assert refused("2024-01-01 12:00", " ", timezone="UTC").code == "bars/bad-timestamp"
    assert refused("", None, timezone="UTC").code == "bars/no-timestamp"
    assert refused(None, None).code == "bars/no-timestamp"


def test_day_and_month_are_told_by_a_number_over_twelve() -> None:
    assert utc("06/12/2025 04:01", "06/13/2025 04:01", timezone="UTC")[0] == JUNE
    assert utc("12/06/2025 04:01", "13/06/2025 04:01", timezone="UTC")[0] == JUNE
    assert utc("12.06.2025 04:01", "13.06.2025 04:01", timezone="UTC")[0] == JUNE
    assert utc("06/06/2025 04:01", timezone="UTC")[0] == JUNE - timedelta(days=6)


def test_dates_that_do_not_tell_day_from_month_are_refused() -> None:
    error = refused("06/11/2025 04:01", "06/12/2025 04:01", timezone="UTC")
    assert (error.code, "none or two tell" in error.came) == ("bars/bad-timestamp", True)
    with pytest.raises(AmbiguousDatesError):
        days(["06/13/2025", "13/06/2025"])


def test_stamps_off_the_minute_are_refused() -> None:
    for late in ("2025-06-12T04:02:30Z", "2025-06-12T04:02:00.000001Z", "2025-06-12T04:02:00.000000001Z"):
        error = refused("2025-06-12T04:01:00Z", late)
        assert (error.code, "bar 2" in error.came) == ("bars/off-grid", True)
    assert refused(JUNE, JUNE + timedelta(seconds=1)).code == "bars/off-grid"
    assert refused(1_749_700_860, 1_749_700_861, epoch_unit="s").code == "bars/off-grid"
    assert refused(1_749_700_860.0, 1_749_700_860.5, epoch_unit="s").code == "bars/off-grid"


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_epochs_are_read_in_the_unit_that_is_declared_and_refused_without(unit: str, factor: int) -> None:
    count = int(JUNE.timestamp()) * factor
    assert utc(count, epoch_unit=unit) == [JUNE]
    assert utc(str(count), epoch_unit=unit) == [JUNE]
    error = refused(count)
    assert error.code == "bars/epoch-unit"
    assert f'epoch_unit="{unit}"' in error.do
    for other in {"s", "ms", "us", "ns"} - {unit}:
        assert refused(count, epoch_unit=other).code == "bars/epoch-unit"


def test_excel_serials_and_absurd_numbers_are_refused() -> None:
    assert refused(45293.5).code == "bars/epoch-unit"
    assert refused("45293.5").code == "bars/epoch-unit"
    assert refused(45293.5, epoch_unit="s").code == "bars/epoch-unit"
    assert refused(2**62, epoch_unit="s").code == "bars/epoch-unit"
    assert refused(float("inf"), epoch_unit="s").code == "bars/epoch-unit"
    assert refused("1749700860", "soon", epoch_unit="s").code == "bars/bad-timestamp"


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetime_columns_of_any_unit_and_zone_are_read(unit: str) -> None:
    column = pl.Series([JUNE.replace(tzinfo=None)], dtype=pl.Datetime(unit))  # type: ignore[arg-type]
    assert utc(*column.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")) == [JUNE]
    for zone, expected in (("UTC", JUNE), ("America/Chicago", JUNE + timedelta(hours=5))):
        frame = pl.DataFrame({"datetime": column})
        stamps = read_stamps(frame, timezone=zone, epoch_unit=None, where="here")
        assert moment(int(stamps.time[0])) == expected


def test_dates_alone_and_truths_are_no_stamps() -> None:
    assert refused(date(2025, 6, 12), timezone="UTC").code == "bars/bad-timestamp"
    assert refused(True, timezone="UTC").code == "bars/bad-timestamp"


@pytest.mark.parametrize(
    ("dates", "times"),
    [
        (["2025-06-12"], ["04:01"]),
        (["06/12/2025", "06/13/2025"], ["04:01:00", "04:01:00"]),
        ([20250612], [401]),
        ([20250612, 20250612], [40100, 93000]),
        ([date(2025, 6, 12)], [time(4, 1)]),
        ([datetime(2025, 6, 12)], ["4:01 AM"]),
    ],
)
def test_a_date_and_a_time_column_make_one_stamp(dates: list[object], times: list[object]) -> None:
    stamps = read_stamps(pl.DataFrame({"date": dates, "time": times}), timezone="UTC", epoch_unit=None, where="here")
    assert moment(int(stamps.time[0])) == JUNE


def test_a_minute_that_the_clock_skipped_is_refused_with_its_bar() -> None:
    error = refused("2024-03-10 01:59", "2024-03-10 02:30", "2024-03-10 03:00", timezone="America/Chicago")
    assert error.code == "bars/nonexistent-time"
    assert "bar 2 at 2024-03-10 02:30" in error.came


NIGHT = [datetime(2024, 11, 3, 5, 30, tzinfo=UTC) + timedelta(minutes=m) for m in range(150)]  # 00:30 CDT .. 01:59 CST
WALL = [moment_.astimezone(ZoneInfo("America/Chicago")).strftime("%Y-%m-%d %H:%M") for moment_ in NIGHT]


def test_an_hour_that_the_clock_shows_twice_is_told_by_the_order_of_the_bars() -> None:
    assert WALL[89] == "2024-11-03 01:59"
    assert WALL[90] == "2024-11-03 01:00"
    assert utc(*WALL, timezone="America/Chicago") == NIGHT
    assert utc(*reversed(WALL), timezone="America/Chicago") == NIGHT[::-1]


def test_an_hour_shown_twice_is_refused_where_the_order_does_not_tell() -> None:
    once = WALL[:90]
    error = refused(*once, timezone="America/Chicago")
    assert error.code == "bars/ambiguous-time"
    assert "bar 31 at 2024-11-03 01:00" in error.came
    shuffled = [*WALL[:40], *WALL[80:100], *WALL[40:80], *WALL[100:]]
    assert refused(*shuffled, timezone="America/Chicago").code == "bars/ambiguous-time"


def test_two_autumns_in_one_file_are_told_apart() -> None:
    both = [*NIGHT, *(moment_ - timedelta(days=364) + timedelta(days=728) for moment_ in NIGHT)]
    wall = [moment_.astimezone(ZoneInfo("America/Chicago")).strftime("%Y-%m-%d %H:%M") for moment_ in both]
    assert wall.count("2025-11-02 01:30") == 2
    assert utc(*wall, timezone="America/Chicago") == both


def test_a_stamp_may_name_its_zone_as_interactive_brokers_does() -> None:
    texts = ["20250612 04:00:00 US/Central", "20250612 04:01:00 US/Central"]
    stamps = read_stamps(pl.DataFrame({"datetime": texts}), timezone=None, epoch_unit=None, where="file")
    assert stamps.zone == "US/Central"
    assert stamps.time.tolist() == [minute_of(datetime(2025, 6, 12, 9, minute, tzinfo=UTC)) for minute in (0, 1)]


@pytest.mark.parametrize("texts", [["20250612 04:00:00 US/Nowhere"] * 2, ["20250612 04:00:00 US/Central", "20250612 04:01:00 US/Eastern"]])
def test_a_zone_that_is_none_or_another_one_is_refused(texts: list[str]) -> None:
    with pytest.raises(DataError) as error:
        read_stamps(pl.DataFrame({"datetime": texts}), timezone=None, epoch_unit=None, where="file")
    assert error.value.code == "bars/bad-timestamp"


def test_a_zone_that_the_stamps_do_not_need_is_told(tmp_path: Path) -> None:
    (file := tmp_path / "bars.csv").write_text(
        "datetime,open,high,low,close,volume\n2026-01-07T04:23:00Z,2,2,2,2,5\n2026-01-07T04:24:00Z,2,3,2,3,5\n"
    )
    told = {zone: read_raw(file, Rules("MES", zone)).quality.warned("bars/timezone-unused") for zone in (None, "UTC", "America/Chicago")}
    assert told == {None: 0, "UTC": 0, "America/Chicago": 2}
