"""Reading an artifact: found when changed by a bit, never another symbol's, and JSON that says one thing only."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsmith.artifacts import (
    FileRecord,
    canonical_json,
    parse_json,
    read_json,
    read_parquet,
    read_verified,
    verify,
    write_bytes,
    write_json,
    write_parquet,
)
from barsmith.errors import IntegrityError

FRAME = pl.DataFrame({"a": [1, 2, 3], "s": ["x", None, "zz"], "b": [0.5, None, math.nan]})


@pytest.mark.parametrize("write", [lambda p: write_json(p, {"a": [1, 2.5, "x"]}), lambda p: write_parquet(p, FRAME, symbol="MES")])
def test_any_flipped_bit_of_any_byte_is_found(write: Callable[[Path], FileRecord], tmp_path: Path) -> None:
    path = tmp_path / "file"
    record = write(path)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
        with pytest.raises(IntegrityError) as error:
            read_verified(path, record)
        assert (error.value.code, error.value.exit_code) == ("integrity/mismatch", 6)
    path.write_bytes(whole)
    assert read_verified(path, record.as_dict()) == whole


@pytest.mark.parametrize("size", [0, 1, 2, 4])
def test_a_shorter_or_longer_file_is_found_by_its_size(size: int, tmp_path: Path) -> None:
    record = write_bytes(tmp_path / "file", b"abc")
    (tmp_path / "file").write_bytes(b"abcd"[:size])
    with pytest.raises(IntegrityError, match=f"expected 3 bytes, as its manifest says, came {size} bytes"):
        read_verified(tmp_path / "file", record, keep=False)


def test_a_missing_file_a_folder_and_a_link_are_no_artifacts(tmp_path: Path) -> None:
    record = write_bytes(tmp_path / "file", b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder", "none"):
        with pytest.raises(IntegrityError) as error:
            verify(tmp_path, {"file": record.as_dict(), name: record.as_dict()})
        assert error.value.code == "integrity/missing"


def test_values_of_a_parquet_file_are_protected_even_without_a_record(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    write_parquet(path, FRAME, symbol="MES")
    whole, found = path.read_bytes(), 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            frame, _ = read_parquet(path)
        except IntegrityError:
            found += 1
            continue
        for mine, other in zip(FRAME.iter_columns(), frame.iter_columns(), strict=True):
            assert mine.cast(other.dtype).equals(other, null_equal=True), f"byte {at}"
    assert found > len(whole) / 2


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 5, b"\x80\x04." * 9, b"{}"])
def test_bytes_that_are_no_parquet_file_are_told_as_such(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(IntegrityError) as error:
        read_parquet(tmp_path / "file")
    assert error.value.code == "integrity/mismatch"


def test_an_artifact_of_another_symbol_is_refused(tmp_path: Path) -> None:
    record = write_parquet(tmp_path / "a", FRAME, symbol="MES")
    assert read_parquet(tmp_path / "a", record, symbol="MES")[0].equals(FRAME)
    with pytest.raises(IntegrityError, match="expected an artifact of MGC, came one of 'MES'") as error:
        read_parquet(tmp_path / "a", record, symbol="MGC")
    assert error.value.code == "integrity/symbol"
    FRAME.write_parquet(tmp_path / "foreign")
    with pytest.raises(IntegrityError, match="came one of null"):
        read_parquet(tmp_path / "foreign", symbol="MES")


def test_a_frame_comes_back_with_its_types_its_roles_and_what_is_said_about_it(tmp_path: Path) -> None:
    frame = FRAME.with_columns(
        i=pl.Series([1, None, -1], dtype=pl.Int8),
        t=pl.Series([0, 1, None]).cast(pl.Datetime("us", "UTC")),
        d=pl.Series([1, 2, 3]).cast(pl.Date),
        f=pl.Series([1.5, 2, 3], dtype=pl.Float32),
        l=pl.Series([True, None, False]),
    )
    write_parquet(tmp_path / "a", frame, symbol="MES", roles={"a": "feature"}, about={"names": ["x"]})
    back, told = read_parquet(tmp_path / "a")
    assert back.equals(frame)
    assert back.schema == frame.schema
    assert told == {"symbol": "MES", "roles": {"a": "feature"}, "about": {"names": ["x"]}}


def test_equal_frames_make_equal_bytes_however_they_came_about(tmp_path: Path) -> None:
    n = 300_000  # more than a row group
    frame = pl.DataFrame({"x": range(n)}).with_columns(y=pl.col("x") * 0.1, s=pl.when(pl.col("x") % 7 > 0).then(pl.lit("abc")))
    other_ways = {
        "in two chunks": pl.concat([frame[:100_001], frame[100_001:]], rechunk=False),
        "cut out of a longer one": pl.concat([frame[:7], frame])[7:],
        "filtered": pl.concat([frame, frame]).with_row_index().filter(pl.col("index") < n).drop("index"),
        "put together": frame.select("x").hstack(frame.select("y", "s")),
    }
    record = write_parquet(tmp_path / "a", frame, symbol="MES")
    assert {way: write_parquet(tmp_path / "b", other, symbol="MES") for way, other in other_ways.items()} == dict.fromkeys(
        other_ways, record
    )
    assert write_parquet(tmp_path / "b", read_parquet(tmp_path / "a")[0], symbol="MES") == record
    assert write_parquet(tmp_path / "b", frame, symbol="MGC") != record


# JSON


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": 1, "a": 1}', "the key 'a' twice"),
        (b'{"b": {"a": 1, "a": 2}}', "the key 'a' twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": 1} x', "Extra data"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"\xff", "utf-8"),
        (b"", "Expecting value"),
        (b"[" * 100_000, "nesting"),
        (b"{'a': 1}", "double quotes"),
        (b"9" * 5000, "digits"),
    ],
)
def test_json_that_can_be_read_in_two_ways_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(IntegrityError) as error:
        parse_json(data, "file.json", code="bundle/manifest")
    assert error.value.code == "bundle/manifest"
    assert says in error.value.came


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_canonical_json_comes_back_as_it_was_and_is_one_text(value: Any) -> None:
    data = canonical_json(value)
    assert parse_json(data, "") == value
    assert data.isascii()
    assert canonical_json(json.loads(data)) == data


@pytest.mark.parametrize("value", [math.nan, math.inf, [1, {"a": -math.inf}]])
def test_canonical_json_has_no_nan(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_a_json_file_is_compared_with_its_record(tmp_path: Path) -> None:
    record = write_json(tmp_path / "a", {"a": 1})
    assert read_json(tmp_path / "a", record) == {"a": 1}
    (tmp_path / "a").write_bytes(canonical_json({"a": 2}))
    assert read_json(tmp_path / "a") == {"a": 2}
    with pytest.raises(IntegrityError):
        read_json(tmp_path / "a", record)
