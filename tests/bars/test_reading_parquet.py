"""Parquet of any writer: checksums verified, types plain, damage found."""

from __future__ import annotations

import io
import random
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hand_bars import minute_bars, written

from barsmith.bars.parquet_reader import has_checksum
from barsmith.bars.reading import Rules, read_bars, read_raw
from barsmith.errors import BarsmithError, DataError

BARS = minute_bars()


def parquet(table: pa.Table | None = None, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(BARS.to_arrow() if table is None else table, sink, **options)
    return sink.getvalue()


def outcome(path: Path) -> str:
    try:
        return "same" if read_bars(path).equals(BARS) else "other"
    except BarsmithError as error:
        return error.code


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_flipped_byte_anywhere_is_found_where_pages_have_checksums(tmp_path: Path, version: str, compression: str) -> None:
    good = parquet(write_page_checksum=True, data_page_version=version, compression=compression)
    rng, path, seen = random.Random(7), tmp_path / "a.parquet", set()
    for at in rng.sample(range(len(good)), 250):
        bad = bytearray(good)
        bad[at] ^= 1 << rng.randrange(8)
        seen.add(outcome(written(path, bytes(bad))))
    assert "bars/checksum" in seen
    assert "other" not in seen


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    good = parquet()
    cuts = {outcome(written(tmp_path / "a.parquet", good[:at])) for at in range(1, len(good), 7)}
    assert cuts == {"bars/corrupt-file"}
    assert outcome(written(tmp_path / "a.parquet", b"")) == "bars/empty"
    assert outcome(written(tmp_path / "a.parquet", b"XXXX" + good[4:])) == "bars/corrupt-file"


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_pages_without_checksums_are_told(tmp_path: Path, version: str, dictionary: bool) -> None:
    for has in (True, False):
        data = parquet(write_page_checksum=has, data_page_version=version, use_dictionary=dictionary)
        raw = read_raw(written(tmp_path / "a.parquet", data), Rules("MES"))
        assert raw.quality.warned("bars/no-checksum") == (not has)
        assert has_checksum(data) == has
    assert not has_checksum(b"PAR1")


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.decimal128(12, 2), pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
def test_prices_of_other_types_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    table = BARS.to_arrow()
    for i, name in enumerate(table.column_names[1:5], start=1):
        values = [Decimal(str(v)) if pa.types.is_decimal(kind) else str(v) for v in BARS[name]]
        column = pa.array(values).cast(kind) if not pa.types.is_floating(kind) else pa.array(BARS[name].to_list(), kind)
        table = table.set_column(i, name, column)
    assert outcome(written(tmp_path / "a.parquet", parquet(table))) == "same"


@pytest.mark.parametrize(
    "kind", [pa.timestamp("s", "UTC"), pa.timestamp("ms", "America/Chicago"), pa.timestamp("ns", "+02:00"), pa.string()]
)
def test_stamps_of_other_types_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    stamps = BARS["datetime"].dt.strftime("%Y-%m-%dT%H:%M:%SZ") if kind == pa.string() else BARS["datetime"]
    table = BARS.to_arrow().set_column(0, "datetime", pa.array(stamps.to_list()).cast(kind))
    assert outcome(written(tmp_path / "a.parquet", parquet(table))) == "same"


def test_the_index_that_pandas_writes_is_found(tmp_path: Path) -> None:
    table = BARS.to_arrow().rename_columns(["__index_level_0__", *BARS.columns[1:]])
    assert outcome(written(tmp_path / "a.parquet", parquet(table))) == "same"


@pytest.mark.parametrize(("column", "code"), [("datetime", "bars/bad-timestamp"), ("open", "bars/not-a-number"), ("symbol", "bars/symbol")])
@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.binary(), pa.duration("s"), pa.struct([("x", pa.int64())])])
def test_columns_that_are_not_plain_are_refused(tmp_path: Path, column: str, code: str, kind: pa.DataType) -> None:
    table = BARS.with_columns(symbol=pl.lit("MES")).to_arrow()
    table = table.set_column(table.column_names.index(column), column, pa.nulls(40, kind))
    assert outcome(written(tmp_path / "a.parquet", parquet(table))) == code


def test_a_column_twice_and_a_file_without_rows_are_refused(tmp_path: Path) -> None:
    twice = BARS.to_arrow().append_column(" OPEN", pa.array(BARS["open"].to_list()))
    with pytest.raises(DataError, match="'open' as column 2 and ' OPEN' as column 7"):
        read_bars(written(tmp_path / "a.parquet", parquet(twice)))
    assert outcome(written(tmp_path / "a.parquet", parquet(BARS.clear().to_arrow()))) == "bars/no-rows"


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    broken = pa.array([b"\xff\xfe"] * 40).cast(pa.binary()).view(pa.string())
    table = BARS.to_arrow().append_column("symbol", broken)
    assert outcome(written(tmp_path / "a.parquet", parquet(table))) == "bars/corrupt-file"


def test_what_the_name_promises_must_be_inside(tmp_path: Path) -> None:
    assert outcome(written(tmp_path / "a.csv", parquet())) == "bars/wrong-format"
    assert outcome(written(tmp_path / "a.parquet", BARS.write_csv())) == "bars/wrong-format"
    assert outcome(written(tmp_path / "a.bin", parquet())) == "same"


@pytest.mark.parametrize(
    "magic", [b"\x1f\x8b\x08\0", b"PK\x03\x04", b"\xfd7zXZ\0", b"BZh9", b"\x28\xb5\x2f\xfd", b"ARROW1\0\0", b"PARE", b"{}"]
)
def test_archives_and_other_formats_are_named_and_refused(tmp_path: Path, magic: bytes) -> None:
    for name in ("a.csv", "a.parquet", "a.csv.gz", "a"):
        assert outcome(written(tmp_path / name, magic + bytes(40))) == "bars/wrong-format"
