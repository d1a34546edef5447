"""CSV dialects: every one that can be told is read, every one that cannot is refused."""

from __future__ import annotations

import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hand_bars import HEADER, cells, csv_text, minute_bars, written
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.bars.columns import ALIASES, assign
from barsmith.bars.reading import Rules, read_bars, read_raw
from barsmith.errors import BarsmithError, DataError

BARS = minute_bars()
ROWS = cells(BARS)


def refused(tmp_path: Path, content: str | bytes, **keywords: str) -> str:
    with pytest.raises(DataError) as error:
        read_bars(written(tmp_path / "a.csv", content), **keywords)
    return error.value.code


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_line_ends_and_the_byte_order_mark_are_found(tmp_path: Path, separator: str, line_end: str, mark: str) -> None:
    text = mark + csv_text(ROWS, separator, HEADER, line_end)
    assert read_bars(written(tmp_path / "a.csv", text)).equals(BARS)


def test_a_file_without_a_header_has_the_usual_order(tmp_path: Path) -> None:
    assert read_bars(written(tmp_path / "a.csv", csv_text(ROWS, ";", None))).equals(BARS)


def test_a_file_without_a_header_may_have_date_and_time_apart(tmp_path: Path) -> None:
    rows = [[*row[0].removesuffix("Z").split("T"), *row[1:]] for row in ROWS]
    path = written(tmp_path / "a.csv", csv_text(rows, ",", None))
    assert read_bars(path, timezone="UTC").equals(BARS)


def test_a_file_without_a_header_and_with_other_fields_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, csv_text([row[:5] for row in ROWS], ",", None)) == "bars/missing-column"


def test_mixed_line_ends_blank_lines_and_a_missing_last_line_end_are_forgiven(tmp_path: Path) -> None:
    lines = csv_text(ROWS).splitlines()
    text = "\n\n" + "\r\n".join(lines[:10]) + "\n\n" + "\r".join(lines[10:20]) + "\n" + "\n".join(lines[20:])
    raw = read_raw(written(tmp_path / "a.csv", text), Rules("MES"))
    assert raw.frame.equals(BARS)
    assert raw.quality.line_ends == "mixed"


def test_a_header_may_be_spelt_with_spaces_capitals_and_brackets(tmp_path: Path) -> None:
    header = ("<Date Time>", " Open ", "HIGH", "low\t", '"Close/Last"', "VOLUME")
    assert read_bars(written(tmp_path / "a.csv", csv_text(ROWS, ",", header))).equals(BARS)


@pytest.mark.parametrize("column", ["datetime", "open", "high", "low", "close", "volume"])
def test_every_alias_of_the_table_is_known(column: str) -> None:
    for alias in ALIASES[column]:
        names = [alias.upper() if name == column else name for name in HEADER]
        assert assign(names, "here").positions[column] == HEADER.index(column)


def test_the_likelier_of_two_aliases_counts_and_the_other_is_listed() -> None:
    columns = assign(["ts", "datetime", "open", "high", "low", "last", "close", "volume"], "here")
    assert columns.mapping()["close"] == "close"
    assert columns.ignored_names() == ["ts", "last"]


def test_date_and_time_columns_are_read_together(tmp_path: Path) -> None:
    rows = [[row[0][5:7] + "/30/" + row[0][:4], row[0][11:16], *row[1:]] for row in ROWS]
    path = written(tmp_path / "a.csv", csv_text(rows, ",", ("Date", "Time", *HEADER[1:])))
    assert read_bars(path, timezone="UTC")["datetime"].equals(BARS["datetime"] + timedelta(days=18))


def test_an_unnamed_index_of_stamps_is_read_where_nothing_else_is(tmp_path: Path) -> None:
    assert read_bars(written(tmp_path / "a.csv", csv_text(ROWS, ",", ("", *HEADER[1:])))).equals(BARS)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf", b" \n\t\n", b"\r\r"])
def test_a_file_of_nothing_but_white_space_is_empty(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content) == "bars/empty"


def test_lines_before_the_header_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "# made by x\n" + csv_text(ROWS)) == "bars/field-count"


def test_decimal_commas_are_found_and_recorded(tmp_path: Path) -> None:
    rows = [[row[0], *(value.replace(".", ",") for value in row[1:])] for row in ROWS]
    for separator in (";", "\t", "|"):
        raw = read_raw(written(tmp_path / "a.csv", csv_text(rows, separator)), Rules("MES"))
        assert raw.frame.equals(BARS)
        assert (raw.quality.decimal, raw.quality.separator) == (",", separator)


def test_quoted_decimal_commas_may_stand_between_commas(tmp_path: Path) -> None:
    rows = [[row[0], *(f'"{value.replace(".", ",")}"' for value in row[1:])] for row in ROWS]
    assert read_bars(written(tmp_path / "a.csv", csv_text(rows))).equals(BARS)


def test_a_comma_that_may_be_either_sign_is_refused(tmp_path: Path) -> None:
    rows = [[row[0], "6,000", "6,001", "5,999", "6,000", "10"] for row in ROWS]
    assert refused(tmp_path, csv_text(rows, ";")) == "bars/separator"


def test_unquoted_decimal_commas_between_commas_are_refused(tmp_path: Path) -> None:
    rows = [[row[0], "6000,25", "6001,25", "5999,25", "6000,25", "10"] for row in ROWS]
    assert refused(tmp_path, csv_text(rows)) == "bars/separator"


@pytest.mark.parametrize("separator", [",", ";"])
def test_thousands_separators_are_refused(tmp_path: Path, separator: str) -> None:
    rows = [[row[0], "6,000.25", "6,001.25", "5,999.25", "6,000.25", "10"] for row in ROWS]
    assert refused(tmp_path, csv_text(rows, separator)) == "bars/not-a-number"


def test_a_separator_that_nothing_tells_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, csv_text(ROWS, " ")) == "bars/separator"
    assert refused(tmp_path, "no bars at all\n" * 5) == "bars/separator"


def test_a_short_and_a_long_line_are_refused_and_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    lines = csv_text(ROWS).splitlines(keepends=True)
    short, long = lines[7].replace(",16\n", "\n"), lines[9].replace("\n", ",1\n")
    assert refused(tmp_path, "".join([*lines[:7], short, *lines[8:]])) == "bars/field-count"
    assert refused(tmp_path, "".join([*lines[:9], long, *lines[10:]])) == "bars/field-count"
    assert refused(tmp_path, "".join([*lines[:7], short, lines[8], long, *lines[10:]])) == "bars/field-count"


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_last_line_that_is_cut_is_refused_while_a_field_is_missing(tmp_path: Path, cut: int) -> None:
    text = csv_text(ROWS)[: -1 - cut]
    fields = text.rsplit("\n", 1)[1].count(",") + 1
    if fields < 6:
        assert refused(tmp_path, text) == "bars/truncated"


def test_a_quotation_mark_that_is_not_closed_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, csv_text(ROWS).replace("6001", '"6001', 1)) == "bars/quoting"


def test_quoted_fields_may_hold_separators_and_line_ends(tmp_path: Path) -> None:
    rows = [[*row, '"a, b\nc"'] for row in ROWS]
    raw = read_raw(written(tmp_path / "a.csv", csv_text(rows, ",", (*HEADER, "note"))), Rules("MES"))
    assert raw.frame.equals(BARS)
    assert raw.quality.ignored == ["note"]


def test_white_space_around_fields_is_forgiven(tmp_path: Path) -> None:
    rows = [[f" {field} " for field in row] for row in ROWS]
    assert read_bars(written(tmp_path / "a.csv", csv_text(rows))).equals(BARS)


def test_the_line_that_excel_puts_first_is_understood(tmp_path: Path) -> None:
    assert read_bars(written(tmp_path / "a.csv", "sep=;\n" + csv_text(ROWS, ";"))).equals(BARS)


@pytest.mark.parametrize("text", ["6,000.5", "$6000", "1.2%", "6000 USD", "(6000)", "0x1F", "6_000", "1\x00", "open", "١٢", "true"])
def test_what_is_no_plain_number_is_refused_with_row_and_value(tmp_path: Path, text: str) -> None:
    rows = [list(row) for row in ROWS]
    rows[4][1] = text
    with pytest.raises(DataError) as error:
        read_bars(written(tmp_path / "a.csv", csv_text(rows, ";")))
    assert error.value.code == "bars/not-a-number"
    assert f"bar 5 with open {text!r}" in error.value.came


@pytest.mark.parametrize("text", ["6e3", "+6000", "6000.", "006000", " 6000", "6000.000"])
def test_other_ways_to_write_a_number_are_read(tmp_path: Path, text: str) -> None:
    rows = [list(row) for row in ROWS]
    rows[0][1] = text
    assert read_bars(written(tmp_path / "a.csv", csv_text(rows))).equals(BARS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    assert refused(tmp_path, csv_text(ROWS).encode(encoding)) == "bars/encoding"


def test_latin_1_is_refused_with_its_line(tmp_path: Path) -> None:
    content = csv_text([[*row, "ü"] for row in ROWS], ",", (*HEADER, "note"))
    with pytest.raises(DataError, match="byte 0xfc in line 2"):
        read_bars(written(tmp_path / "a.csv", content.encode("latin-1")))


STAMPS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y%m%d %H%M%S",
    "%Y%m%d%H%M%S",
    "%m/%d/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%Y/%m/%d %I:%M %p",
)
ZONES = ("UTC", "America/Chicago", "Asia/Tokyo", "Australia/Lord_Howe")


@settings(max_examples=150, deadline=None)
@given(
    prices=st.lists(st.tuples(*[st.integers(1, 10**8)] * 4), min_size=2, max_size=12),
    volumes=st.lists(st.integers(0, 10**9), min_size=12, max_size=12),
    gap=st.tuples(st.integers(4, 20), st.integers(1, 5000)),
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    quoted=st.booleans(),
    header=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    stamp=st.sampled_from(STAMPS),
    zone=st.sampled_from(ZONES),
    mark=st.sampled_from(["", "\ufeff"]),
    ends=st.booleans(),
)
def test_bars_written_in_any_dialect_are_read_back(
    prices: list[tuple[int, ...]],
    volumes: list[int],
    gap: tuple[int, int],
    separator: str,
    comma: bool,
    quoted: bool,
    header: bool,
    line_end: str,
    stamp: str,
    zone: str,
    mark: str,
    ends: bool,
) -> None:
    quoted = quoted or (comma and separator == ",")
    start = datetime(2025, 6, 14, 23, 30, tzinfo=ZoneInfo("UTC"))
    times = [start + timedelta(minutes=i + (gap[1] if i >= gap[0] else 0)) for i in range(len(prices))]
    rows, texts = [], []
    for time, four, volume in zip(times, prices, volumes, strict=False):
        low, *body, high = sorted(price / 100 for price in four)
        rows.append((time, body[0], high, low, body[1], float(volume)))
        numbers = [f"{value:.2f}" for value in rows[-1][1:5]] + [str(volume)]
        fields = [time.astimezone(ZoneInfo(zone)).strftime(stamp), *(n.replace(".", ",") if comma else n for n in numbers)]
        texts.append([f'"{field}"' for field in fields] if quoted else fields)
    content = mark + csv_text(texts, separator, HEADER if header else None, line_end)
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder) / "a.csv", content if ends else content.removesuffix(line_end))
        raw = read_raw(path, Rules("MES", timezone=zone, history=False))
    expected = pl.DataFrame(rows, schema=BARS.schema, orient="row")
    assert raw.frame.equals(expected)
    assert raw.quality.decimal == ("," if comma else ".")
    assert raw.quality.separator == separator


def test_damaged_text_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    rng = random.Random(7)
    good = csv_text(ROWS).encode()
    outcomes = set()
    for _ in range(400):
        content = bytearray(good)
        for _ in range(rng.choice([1, 1, 3])):
            content[rng.randrange(len(content))] = rng.choice(b'\n\r,;"\x00 -.:09\xff') if rng.random() < 0.7 else rng.randrange(256)
        if rng.random() < 0.3:
            del content[rng.randrange(len(content)) :]
        try:
            raw = read_raw(written(tmp_path / "a.csv", bytes(content)), Rules("MES"))
            quality = raw.quality
            assert quality.rows_read == quality.rows_kept + quality.duplicates + quality.quarantined + quality.unfinished
            outcomes.add("read")
        except BarsmithError as error:
            outcomes.add(error.code)
    assert {"read", "bars/encoding", "bars/field-count", "bars/truncated", "bars/not-a-number"} <= outcomes
    assert all(outcome == "read" or outcome.startswith("bars/") for outcome in outcomes)
