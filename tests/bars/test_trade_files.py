"""Files of trades: stamps with fractions of seconds in every form, and what is refused or put aside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.bars.trade_files import read_moments, read_trades
from barsmith.errors import DataError, UsageError

FIRST = datetime(2025, 6, 12, 9, 30, 1, 250_000, tzinfo=UTC)
HALF_PAST = datetime(2025, 6, 12, 9, 30, tzinfo=UTC)


def written(folder: Path, text: str) -> Path:
    path = folder / "trades.csv"
    path.write_text(text)
    return path


def test_a_csv_of_trades(tmp_path: Path) -> None:
    path = written(
        tmp_path, "ts_event,price,size,side,flags\n2025-06-12T09:30:01.25Z,6000.25,2,B,0\n2025-06-12T09:30:01.25Z,6000.5,1,N,0\n"
    )
    raw = read_trades(path, symbol="MES")
    assert raw.frame.rows() == [(FIRST, 6000.25, 2.0, 1), (FIRST, 6000.5, 1.0, None)]
    assert (raw.quality.rows_read, raw.quality.rows_kept, raw.quality.ignored) == (2, 2, ["flags"])
    assert raw.quality.warned("trades/extra-column") == 1


STAMPS = {
    "2025-06-12T09:30:01.25Z": {},
    "2025-06-12 09:30:01.250000999+00:00": {},
    "2025-06-12 04:30:01.25-05:00": {},
    "2025-06-12 04:30:01.25": {"timezone": "America/Chicago"},
    "06/30/2025 09:30:01.25": {"timezone": "UTC"},
    "20250612 093001.25": {"timezone": "UTC"},
    "06/30/2025 9:30:01.25 AM": {"timezone": "UTC"},
    "1749720601250": {"epoch_unit": "ms"},
    "1749720601.25": {"epoch_unit": "s"},
    "1749720601250000999": {"epoch_unit": "ns"},
}


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_stamp_with_a_fraction_of_a_second_in_every_form(tmp_path: Path, stamp: str) -> None:
    path = written(tmp_path, f"datetime,price,size\n{stamp},6000.25,2\n")
    day = FIRST.replace(day=30) if "06/30" in stamp else FIRST
    assert read_trades(path, symbol="MES", **STAMPS[stamp]).frame["datetime"].to_list() == [day]


def test_the_last_instant_of_a_minute_stays_in_it(tmp_path: Path) -> None:
    path = written(tmp_path, "datetime,price,size\n2025-06-12T09:30:59.999999999Z,6000.25,2\n")
    assert read_trades(path, symbol="MES").frame["datetime"].to_list() == [HALF_PAST + timedelta(seconds=59, microseconds=999_999)]


def test_date_and_time_apart(tmp_path: Path) -> None:
    moments = [FIRST.replace(microsecond=0), datetime(2025, 6, 12, 10, tzinfo=UTC)]
    text = "Date,Time,Price,Volume\n20250612,093001,6000.25,2\n20250612,100000,6000.5,1\n"
    assert read_trades(written(tmp_path, text), symbol="MES", timezone="UTC").frame["datetime"].to_list() == moments
    path = tmp_path / "trades.parquet"
    pq.write_table(pa.table({"date": [20250612] * 2, "time": [93001, 100000], "price": [1.0, 1.0], "size": [1, 1]}), path)
    assert read_trades(path, symbol="MES", timezone="UTC").frame["datetime"].to_list() == moments


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_parquet_file_of_trades(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "trades.parquet"
    table = pa.table({"datetime": pa.array([FIRST], pa.timestamp(unit, "UTC")), "price": [6000.25], "size": pa.array([2], pa.uint32())})
    pq.write_table(table, path, write_page_checksum=True)
    raw = read_trades(path, symbol="MES")
    assert raw.frame.rows() == [(FIRST, 6000.25, 2.0)]
    assert raw.quality.warnings == []


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=20))
def test_every_form_reads_the_same_moments(micros: list[int]) -> None:
    start = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 10**6
    column = pl.Series("datetime", [start + m for m in micros])
    moments = column.cast(pl.Datetime("us", "UTC"))
    forms = {
        "us": column,
        "text": moments.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        "datetime": moments,
        "ns": moments.dt.cast_time_unit("ns"),
        "compact": moments.dt.strftime("%Y%m%d %H%M%S%.6f"),
    }
    for name, form in forms.items():
        zone = "UTC" if name == "compact" else None
        unit = "us" if name == "us" else None
        found, _ = read_moments(pl.DataFrame({"datetime": form}), timezone=zone, epoch_unit=unit, where="frame")
        assert found.tolist() == column.to_list(), name


BAD = {
    "datetime,price\n2025-06-12T09:30:01Z,1\n": "trades/missing-column",
    "price,size\n1,2\n": "trades/no-timestamp",
    "datetime,price,size\n": "trades/no-rows",
    "datetime,price,size\n2025-06-12T09:30:01,60,1\n": "trades/no-timezone",
    "datetime,price,size\n2025-06-12T09:30:61Z,60,1\n": "trades/bad-timestamp",
    "datetime,price,size\n2025-06-12T09:30:01Z,60,1\n,60,1\n": "trades/bad-timestamp",
    "datetime,price,size\n2025-06-12T09:30:01Z,60,1\n2025-06-12T09:30,60,1\n": "trades/bad-timestamp",
    "datetime,price,size\n1749720601250,60,1\n": "trades/epoch-unit",
    "datetime,price,size\n2099-06-12T09:30:01Z,60,1\n": "trades/future",
    "datetime,price,size\n2025-06-12T09:30:01Z,0,1\n": "trades/bad-price",
    "datetime,price,size\n2025-06-12T09:30:01Z,nan,1\n": "trades/bad-price",
    "datetime,price,size\n2025-06-12T09:30:01Z,60,0\n": "trades/bad-size",
    "datetime,price,size\n2025-06-12T09:30:01Z,60,\n": "trades/bad-size",
    "datetime,price,size\n2025-06-12T09:30:01Z,sixty,1\n": "trades/not-a-number",
    "datetime,price,size,side\n2025-06-12T09:30:01Z,60,1,ask\n": "trades/side",
    "datetime,price,size,symbol\n2025-06-12T09:30:01Z,60,1,MGCQ5\n": "trades/symbol",
    "datetime,price,size,size\n2025-06-12T09:30:01Z,60,1,1\n": "trades/duplicate-column",
    "datetime,price,size,symbol\n2025-06-12T09:30:01Z,60,1,MESM5\n2025-06-12T09:30:02Z,61,1,MESU5\n": "trades/several-contracts",
    "2025-06-12T09:30:01Z,60,1\n": "trades/missing-column",
    "": "trades/empty",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_files_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as caught:
        read_trades(written(tmp_path, text), symbol="MES")
    assert caught.value.code == BAD[text]
    assert " bar" not in str(caught.value)


def test_the_refusal_names_the_trade_and_counts_the_others(tmp_path: Path) -> None:
    good, bad = "2025-06-12T09:30:01.25Z,60,1\n", "2025-06-12T09:30:02.5Z,-4,1\n"
    path = written(tmp_path, "datetime,price,size\n" + good + bad + good + bad)
    with pytest.raises(DataError) as caught:
        read_trades(path, symbol="MES")
    assert "trade 2 (2025-06-12 09:30:02.500000 UTC) with a price of -4.0 (2 such trades, next 4)" in str(caught.value)
    raw = read_trades(path, symbol="MES", on_bad_rows="quarantine")
    assert (raw.quality.rows_kept, raw.quality.quarantined) == (2, 2)
    assert raw.rejects.select("row", "price", "reason").rows() == [(2, -4.0, "trades/bad-price"), (4, -4.0, "trades/bad-price")]


def test_unsorted_trades_are_sorted_and_those_of_one_stamp_keep_their_order(tmp_path: Path) -> None:
    lines = ["2025-06-12T09:30:02Z,3,1", "2025-06-12T09:30:01.25Z,1,1", "2025-06-12T09:30:02Z,4,1", "2025-06-12T09:30:01.25Z,2,1"]
    raw = read_trades(written(tmp_path, "datetime,price,size\n" + "\n".join(lines) + "\n"), symbol="MES")
    assert raw.frame["price"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert raw.quality.warned("trades/unsorted") == 2


def test_contracts_are_kept_by_name(tmp_path: Path) -> None:
    lines = "2025-06-12T09:30:01Z,60,1,MESM5\n2025-06-13T09:30:02Z,61,1,MESU5\n"
    raw = read_trades(written(tmp_path, "datetime,price,size,symbol\n" + lines), symbol="MES")
    assert raw.frame["contract"].to_list() == ["MESM5", "MESU5"]


def test_a_file_that_is_not_there_and_a_rule_that_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_trades(tmp_path / "none.csv", symbol="MES")
    assert caught.value.code == "trades/not-found"
    with pytest.raises(UsageError, match="quarantine"):
        read_trades(tmp_path / "none.csv", symbol="MES", on_bad_rows="drop")
