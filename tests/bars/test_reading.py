"""Bars of files and frames as they come out of the door, and the record of how they were read."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hand_bars import HEADER, START, cells, csv_text, minute_bars, with_cell, written

from barsmith.bars.reading import RawBars, Rules, read_bars, read_raw, validate_frame
from barsmith.errors import BarsmithError, DataError, StorageError, UsageError

BARS = minute_bars()
QUARANTINE = Rules("MES", on_bad_rows="quarantine", history=False)


def accounted(raw: RawBars) -> bool:
    q = raw.quality
    return q.rows_read == q.rows_kept + q.duplicates + q.quarantined + q.unfinished and q.rows_kept == raw.frame.height


def codes(raw: RawBars) -> set[str]:
    return {warning.code for warning in raw.quality.warnings}


def test_a_csv_and_a_parquet_file_of_the_same_bars_read_alike(tmp_path: Path) -> None:
    text = written(tmp_path / "a.csv", csv_text(cells(BARS)))
    BARS.write_parquet(tmp_path / "a.parquet")
    assert read_bars(text).equals(BARS)
    assert read_bars(tmp_path / "a.parquet").equals(BARS)
    assert read_bars(text).schema == {"datetime": pl.Datetime("us", "UTC"), **dict.fromkeys(HEADER[1:], pl.Float64)}


def test_a_frame_that_was_read_is_valid_as_it_is() -> None:
    raw = validate_frame(BARS, Rules("MES", history=False))
    assert raw.frame.equals(BARS)
    assert raw.quality.warnings == []
    assert raw.rejects.columns == ["row", *HEADER, "reason"]
    assert raw.rejects.is_empty()


def test_a_frame_of_one_bar_can_be_predicted_on_but_not_learnt_from() -> None:
    assert validate_frame(BARS.head(1), Rules("MES", history=False)).frame.height == 1
    with pytest.raises(DataError) as error:
        validate_frame(BARS.head(1), Rules("MES"))
    assert error.value.code == "bars/too-few-rows"


def test_something_else_than_a_polars_frame_is_refused_with_its_type() -> None:
    with pytest.raises(DataError, match=r"polars.DataFrame, came builtins.dict"):
        validate_frame({"open": [1.0]}, Rules("MES", history=False))  # type: ignore[arg-type]


def test_close_stamps_are_shifted_by_one_minute(tmp_path: Path) -> None:
    late = BARS.with_columns(pl.col("datetime") + timedelta(minutes=1))
    path = written(tmp_path / "late.csv", csv_text(cells(late)))
    assert read_bars(path, timestamps="close").equals(BARS)


def test_the_record_says_how_the_file_was_read(tmp_path: Path) -> None:
    rows = [[*row, "x"] for row in cells(BARS, "%Y%m%d %H%M%S")]
    text = csv_text(rows, ";", ("Time", "O", "H", "L", "Last", "Vol", "note"), "\r\n")
    record = read_raw(written(tmp_path / "a.txt", text), Rules("MES", timezone="UTC")).quality.as_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["columns"] == {"datetime": "Time", "open": "O", "high": "H", "low": "L", "close": "Last", "volume": "Vol"}
    assert record["ignored"] == ["note"]
    assert (record["format"], record["separator"], record["decimal"], record["line_ends"]) == ("csv", ";", ".", "crlf")
    assert (record["first"], record["last"]) == ("2025-06-12T14:00Z", "2025-06-12T14:39Z")
    assert (record["rows_read"], record["rows_kept"], record["size_bytes"]) == (40, 40, len(text))
    assert record["warnings"] == [{"code": "bars/extra-column", "count": 1, "first": ["'note'"], "note": "not read"}]


def test_of_bars_with_one_stamp_the_last_is_kept_and_the_rest_counted() -> None:
    again = BARS[[3, 3]].with_columns(volume=pl.Series([10.0, 99.0]))
    raw = validate_frame(pl.concat([BARS, again]), Rules("MES", history=False))
    assert raw.frame["volume"].to_list() == [10.0 + i if i != 3 else 99.0 for i in range(40)]
    assert raw.quality.duplicates == 2
    assert raw.quality.warned("bars/duplicate") == 2
    assert accounted(raw)


def test_unsorted_bars_are_sorted_and_counted() -> None:
    raw = validate_frame(BARS.reverse(), Rules("MES", history=False))
    assert raw.frame.equals(BARS)
    assert raw.quality.warned("bars/unsorted") == 39
    swapped = validate_frame(BARS[[0, 2, 1, *range(3, 40)]], Rules("MES", history=False))
    assert swapped.frame.equals(BARS)
    assert swapped.quality.warnings[0].first == ("bar 3 (2025-06-12 14:01 UTC)",)


def test_the_error_names_the_bar_its_time_and_its_prices(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", with_cell(6, "high", "6001"))
    with pytest.raises(DataError) as error:
        read_bars(path)
    assert error.value.code == "bars/high-below-body"
    assert error.value.came == "bar 7 (2025-06-12 14:06 UTC) with high 6001.0 below close 6001.75"
    assert "--repair" in error.value.do
    assert error.value.where == str(path)


def test_the_error_names_twenty_bars_and_counts_the_rest() -> None:
    bad = BARS.with_columns(close=pl.when(pl.int_range(pl.len()) < 25).then(float("nan")).otherwise("close"))
    with pytest.raises(DataError) as error:
        validate_frame(bad, Rules("MES", history=False))
    assert "bar 1 (" in error.value.came
    assert "(25 such bars, next 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, ...)" in error.value.came


def test_bad_bars_are_put_aside_with_their_reasons_where_asked() -> None:
    bad = BARS.with_columns(
        high=pl.when(pl.int_range(pl.len()) == 5).then(1.0).otherwise("high"),
        volume=pl.when(pl.int_range(pl.len()) == 9).then(-1.0).otherwise("volume"),
    )
    raw = validate_frame(bad, QUARANTINE)
    assert raw.rejects.select("row", "reason").rows() == [(6, "bars/high-below-low"), (10, "bars/negative-volume")]
    assert raw.frame.height == 38
    assert raw.quality.warned("bars/high-below-low") == 1
    assert accounted(raw)


def test_a_bad_duplicate_does_not_replace_a_good_bar() -> None:
    bad = BARS[[3]].with_columns(low=pl.lit(0.0))
    raw = validate_frame(pl.concat([BARS, bad]), QUARANTINE)
    assert raw.frame.equals(BARS)
    assert (raw.quality.quarantined, raw.quality.duplicates) == (1, 0)


def test_repair_widens_the_range_to_the_body_and_invents_no_price() -> None:
    narrow = BARS.with_columns(
        high=pl.when(pl.int_range(pl.len()) == 5).then(6001.0).otherwise("high"),
        low=pl.when(pl.int_range(pl.len()) == 9).then(6002.4).otherwise("low"),
    )
    raw = validate_frame(narrow, Rules("MES", repair=True, history=False))
    assert raw.frame["high"][5] == BARS["close"][5] == 6001.5
    assert raw.frame["low"][9] == BARS["open"][9] == 6002.25
    assert raw.quality.repaired == raw.quality.warned("bars/repaired") == 2


def test_repair_leaves_a_high_below_the_low_refused() -> None:
    with pytest.raises(DataError) as error:
        validate_frame(BARS.with_columns(high="low", low="high"), Rules("MES", repair=True, history=False))
    assert error.value.code == "bars/high-below-low"


def test_the_bar_that_is_still_forming_is_left_out_and_later_ones_are_refused() -> None:
    now = START + timedelta(minutes=39, seconds=30)
    raw = validate_frame(BARS, Rules("MES", now=now, history=False))
    assert raw.frame.equals(BARS.head(39))
    assert (raw.quality.unfinished, raw.quality.warned("bars/partial-last")) == (1, 1)
    assert accounted(raw)
    with pytest.raises(DataError) as error:
        validate_frame(BARS, Rules("MES", now=now - timedelta(minutes=2), history=False))
    assert error.value.code == "bars/future"
    assert validate_frame(BARS, Rules("MES", now=now + timedelta(seconds=30), history=False)).frame.height == 40


def test_price_limits_are_the_instruments() -> None:
    with pytest.raises(DataError) as error:
        validate_frame(BARS, Rules("MES", price_limits=(1.0, 6005.0), history=False))
    assert error.value.code == "bars/out-of-range"


def test_a_roll_ratio_is_carried_and_must_be_above_zero() -> None:
    ratio = [None] * 39 + [1.01]
    raw = validate_frame(BARS.with_columns(roll_ratio=pl.Series(ratio)), Rules("MES", history=False))
    assert raw.frame["roll_ratio"].to_list() == ratio
    with pytest.raises(DataError) as error:
        validate_frame(BARS.with_columns(roll_ratio=pl.Series([None] * 39 + [0.0])), Rules("MES", history=False))
    assert error.value.code == "bars/roll-ratio"


@pytest.mark.parametrize("name", ["-rf.csv", "new\nline.csv", "emoji 🐻.csv", "a..b.csv", "bytes\udcff.csv"])
def test_any_file_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, csv_text(cells(BARS)))
    assert read_bars(path).equals(BARS)
    path.write_text("datetime,open\n")
    with pytest.raises(DataError) as error:
        read_bars(path)
    assert error.value.where.isprintable()
    str(error.value).encode()


@pytest.mark.parametrize("name", ["none.csv", "x" * 300, "nul\0.csv", "file/below.csv"])
def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path, name: str) -> None:
    written(tmp_path / "file", "x")
    with pytest.raises(UsageError) as error:
        read_bars(tmp_path / name)
    assert (error.value.code, error.value.exit_code) == ("bars/not-found", 2)


def test_a_link_out_of_the_root_is_refused_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    written(tmp_path / "away.csv", csv_text(cells(BARS)))
    link = tmp_path / "raw" / "MES_1m.csv"
    link.symlink_to(tmp_path / "away.csv")
    with pytest.raises(DataError) as error:
        read_raw(link, Rules("MES"), root=tmp_path / "raw")
    assert error.value.code == "bars/outside-root"
    assert read_raw(link, Rules("MES"), root=tmp_path / "raw", allow_outside=True).frame.equals(BARS)
    assert read_raw(link, Rules("MES"), root=tmp_path).frame.equals(BARS)


def grows(path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something append to the file whenever it is read, so often."""
    read, left = os.read, [times]

    def read_and_grow(handle: int, size: int) -> bytes:
        part = read(handle, size)
        if left[0] and not part:
            left[0] -= 1
            with path.open("a") as file:
                file.write("2025-06-12T14:40:00Z,6010,6010.5,6009.5,6010.25,50\n")
        return part

    monkeypatch.setattr(os, "read", read_and_grow)


def test_a_file_that_changes_while_it_is_read_is_read_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.csv", csv_text(cells(BARS)))
    grows(path, 1, monkeypatch)
    assert read_bars(path).height == 41
    grows(path, 2, monkeypatch)
    with pytest.raises(DataError) as error:
        read_bars(path)
    assert error.value.code == "bars/changed-during-read"


def test_a_disk_that_fails_is_a_storage_error_and_a_locked_file_a_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.csv", csv_text(cells(BARS)))
    for number, kind, code in ((5, StorageError, "storage/read"), (13, DataError, "bars/unreadable")):

        def fail(handle: int, size: int, number: int = number) -> bytes:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "read", fail)
        with pytest.raises(kind) as error:
            read_bars(path)
        assert isinstance(error.value, BarsmithError)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("keywords", "code"),
    [
        ({"timestamps": "middle"}, "config/timestamps"),
        ({"on_bad_rows": "ignore"}, "config/on-bad-rows"),
        ({"timezone": "Chicago"}, "config/timezone"),
        ({"timezone": "America"}, "config/timezone"),
        ({"timezone": "../etc"}, "config/timezone"),
        ({"epoch_unit": "minutes"}, "config/epoch-unit"),
    ],
)
def test_a_wrong_keyword_is_a_usage_error(keywords: dict[str, str], code: str) -> None:
    with pytest.raises(UsageError) as error:
        validate_frame(BARS, Rules(**{"symbol": "MES", **keywords}, history=False))  # type: ignore[arg-type]
    assert error.value.code == code


def test_an_error_can_be_told_as_json() -> None:
    with pytest.raises(DataError) as error:
        validate_frame(BARS.clear(), Rules("MES", history=False))
    assert set(error.value.as_dict()) == {"code", "expected", "came", "do", "where"}
    assert error.value.code == "bars/no-rows"


@pytest.mark.real
@pytest.mark.parametrize(("name", "first"), [("MES_raw_sample.csv", 0), ("MES_raw_sample_header.csv", 54_204)])
def test_the_raw_samples_are_the_rows_of_the_parquet_file(real_data: Path, name: str, first: int) -> None:
    bars = read_bars(real_data / "MES_1m.parquet")
    sample = read_bars(real_data / name, timezone="UTC", timestamps="close")
    assert sample.equals(bars[first : first + 5000])


@pytest.mark.real
@pytest.mark.parametrize(("symbol", "rows", "volume"), [("MES", 298_061, 257_463_437), ("MGC", 351_285, 69_308_858)])
def test_the_real_files_are_read_whole(real_data: Path, symbol: str, rows: int, volume: int) -> None:
    raw = read_raw(real_data / f"{symbol}_1m.parquet", Rules(symbol))
    assert (raw.quality.rows_read, raw.quality.rows_kept) == (rows, rows)
    assert raw.frame["volume"].sum() == volume
    assert codes(raw) == {"bars/no-checksum", "bars/gap"}
    assert raw.frame["datetime"].is_sorted()


@pytest.mark.real
def test_the_file_of_another_symbol_is_refused(real_data: Path) -> None:
    with pytest.raises(DataError) as error:
        read_raw(real_data / "MGC_1m.parquet", Rules("MES"))
    assert error.value.code == "bars/symbol"
    assert datetime.now(UTC) > datetime(2026, 6, 9, tzinfo=UTC), "the clock is behind the real bars"
