"""CSV as text columns: separator, header and line ends are found, and no line is bent into shape."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from barsmith.bars.columns import WITHOUT_HEADER, WITHOUT_HEADER_SPLIT, is_known
from barsmith.bars.minutes import FIELDS
from barsmith.errors import DataError

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_BYTES = 64 << 10
SAMPLE_LINES = 200
MARK = b"\xef\xbb\xbf"
GROUPED = re.compile(r"\d,\d{3}(\.|,\d)")
NUMBER = re.compile(r"\s*[-+]?\d*[.,]?\d+\s*")
CLOCK = re.compile(r"\s*\d{1,2}:\d\d")
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


@dataclass(frozen=True)
class Table:
    """A source's columns as they came: `names` by position, the frame's columns are called 0, 1, 2, ..."""

    names: tuple[str, ...]
    frame: pl.DataFrame
    has_header: bool = True
    separator: str = ""
    line_ends: str = ""
    has_comma: bool = True


def read_csv(data: bytes, where: str) -> Table:
    """Every field of a CSV as text, missing ones as null.

    Raises DataError `bars/encoding`, `bars/empty`, `bars/separator`, `bars/quoting`, `bars/field-count`, `bars/truncated`,
    `bars/missing-column`, `bars/no-rows`, `bars/corrupt-file`.
    """
    body, line_ends = _lines(data.removeprefix(MARK), where)
    declared = re.match(rb"sep=(.)\n", body)  # what Excel writes and reads
    if declared and declared[1].decode("latin-1") in SEPARATORS:
        body = body[declared.end() :]
    separator = _separator(body, where)
    first = _sample(body, separator, 1)[0]
    has_header = _is_header(first)
    start = _line_end(body) if has_header else 0
    body = body[start:]
    if not body:
        raise DataError("bars/no-rows", expected="bars under the header", came="the header alone", do="check the export", where=where)
    names = tuple(first) if has_header else _names_without_header(first, where)
    _check_field_counts(body, separator, len(names), has_header, where)
    try:
        frame = pl.read_csv(
            body,
            has_header=False,
            separator=separator,
            quote_char='"' if b'"' in body else None,
            infer_schema=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        _explain(body, separator, len(names), where)
        raise DataError(
            "bars/quoting" if b'"' in body else "bars/corrupt-file",
            expected="CSV",
            came=f"text that cannot be split into fields ({str(error).splitlines()[0][:120]})",
            do="check the export",
            where=where,
        ) from error
    frame.columns = [str(position) for position in range(frame.width)]
    if b'"' in body:  # blank lines are still there
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return Table(names, frame, has_header, separator, line_ends, has_comma=separator != "," or b'"' in body)


def _lines(data: bytes, where: str) -> tuple[bytes, str]:
    """The text with plain line ends and without blank lines, and what the line ends were."""
    _check_encoding(data, where)
    kinds = ""
    if b"\r" in data:
        pairs = data.count(b"\r\n")
        lone_returns, lone_feeds = data.count(b"\r") - pairs, data.count(b"\n") - pairs
        kinds = "mixed" if sum(map(bool, (pairs, lone_returns, lone_feeds))) > 1 else "crlf" if pairs else "cr"
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data[:1].isspace():
        data = data.lstrip(b" \n")
    while data.endswith((b"\n\n", b" ")):
        data = data.rstrip(b" \n") + b"\n"
    if b'"' not in data:
        while b"\n\n" in data:
            data = data.replace(b"\n\n", b"\n")
    if not data.strip():
        raise DataError("bars/empty", expected="one-minute bars", came="a file without text", do="check the export", where=where)
    return data, kinds or "lf"


def _check_encoding(data: bytes, where: str) -> None:
    came = ""
    if data and data[:200].count(0) * 3 >= len(data[:200]):
        came = "NUL in every second byte or more, as UTF-16 without a byte order mark has"
    elif not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            came = f"byte 0x{data[error.start]:02x} in line {data.count(bytes([10]), 0, error.start) + 1}"
    if came:
        raise DataError("bars/encoding", expected="UTF-8 text", came=came, do="save it as UTF-8", where=where)


def _line_end(body: bytes) -> int:
    end = body.find(b"\n")
    return end + 1 if end >= 0 else len(body)


def _sample(body: bytes, separator: str, lines: int) -> list[list[str]]:
    """The fields of the first lines."""
    text = body[:SAMPLE_BYTES].decode("utf-8", "replace")
    if len(body) > SAMPLE_BYTES and "\n" in text:
        text = text[: text.rindex("\n")]
    reader = csv.reader(text.split("\n")[:lines], delimiter=separator)
    try:
        return list(reader)
    except csv.Error:  # a field of more than 128 KiB
        return []


def _separator(body: bytes, where: str) -> str:
    """The one separator under which the first lines fall into equally many fields that hold no other separator."""
    scores = {separator: _score(_sample(body, separator, SAMPLE_LINES), separator) for separator in SEPARATORS}
    best, second = sorted(scores, key=lambda separator: -scores[separator])[:2]
    if scores[best] < 0.5 or scores[second] > 0.8 * scores[best]:
        line = body[: min(_line_end(body), 120)].decode("utf-8", "replace").rstrip()
        raise DataError(
            "bars/separator",
            expected=f"fields between {', '.join(SEPARATORS.values())}",
            came=f"lines such as {line!a}",
            do="export with one of these separators and a decimal point",
            where=where,
        )
    return best


def _score(rows: Sequence[Sequence[str]], separator: str) -> float:
    counts = Counter(len(row) for row in rows if row)
    if not counts:
        return 0.0
    usual, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    cells = [cell for row in rows for cell in row]
    whole = sum(1 for cell in cells if not _holds_separator(cell, separator))
    return 0.0 if usual < 2 else times / sum(counts.values()) * whole / len(cells)


def _holds_separator(cell: str, separator: str) -> bool:
    held = [other for other in SEPARATORS if other != separator and other in cell]
    return bool(held) and not (held == [","] and (DECIMAL_COMMA.fullmatch(cell.strip()) or GROUPED.search(cell)))


def _is_header(first: Sequence[str]) -> bool:
    """A line with a known header, or mostly without numbers."""
    numbers = sum(1 for field in first if NUMBER.fullmatch(field))
    return any(is_known(field) for field in first if field.strip()) or (numbers == 0 and not any(CLOCK.search(f) for f in first))


def _names_without_header(first: Sequence[str], where: str) -> tuple[str, ...]:
    for names in (WITHOUT_HEADER, WITHOUT_HEADER_SPLIT):
        if len(first) == len(names) and (names is WITHOUT_HEADER or CLOCK.match(first[1])):
            return names
    if GROUPED.search(",".join(first)):
        raise _grouped(",".join(first), 1, where)
    raise DataError(
        "bars/missing-column",
        expected=f"a header, or the fields {', '.join(WITHOUT_HEADER)} in this order",
        came=f"no header and {len(first)} fields",
        do="add a header line that names the columns",
        where=where,
    )


def _check_field_counts(body: bytes, separator: str, fields: int, has_header: bool, where: str) -> None:
    """Polars fills short lines with nulls and never says so. Long ones it refuses, so the sum of separators tells."""
    if body.count(b'"') % 2:
        came = "an odd number of them"
        do = "check the export; it may be cut off"
        raise DataError("bars/quoting", expected="each quotation mark closed", came=came, do=do, where=where)
    lines = body.count(b"\n") + (not body.endswith(b"\n"))
    if body.count(separator.encode()) != (fields - 1) * lines:
        _explain(body, separator, fields, where)


def _rows(body: bytes, separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(body.decode("utf-8").split("\n"), delimiter=separator)
    except csv.Error as error:
        yield [f"({error})"]


def _explain(body: bytes, separator: str, fields: int, where: str) -> None:
    """Refuse the first line whose number of fields differs."""
    rows = [row for row in _rows(body, separator) if row]
    wrong = [i for i, row in enumerate(rows) if len(row) != fields]
    if not wrong:
        return
    at, came = wrong[0], rows[wrong[0]]
    if at == len(rows) - 1 and len(came) < fields and not body.endswith(b"\n"):
        code, expected, do = "bars/truncated", f"{fields} fields in the last line", "the file is cut off: copy or export it again"
    elif separator == "," and len(came) > fields and (grouped := GROUPED.search(",".join(came))):
        raise _grouped(grouped.string, at + 1, where)
    elif separator == "," and len(came) > fields > len(FIELDS) and len(wrong) == len(rows):
        code, expected, do = "bars/separator", f"{fields} fields", "decimal commas cannot be told from separating ones: export with ;"
    else:
        code, expected, do = "bars/field-count", f"{fields} fields in each line", "correct that line"
    shown = ascii(separator.join(came))
    raise DataError(
        code,
        expected=expected,
        came=f"{len(came)} in bar {at + 1}, {shown if len(shown) < 120 else shown[:117] + '...'}",
        do=do,
        where=where,
    )


def _grouped(text: str, bar: int, where: str) -> DataError:
    return DataError(
        "bars/not-a-number",
        expected="numbers without thousands separators",
        came=f"bar {bar} with {text[:100]!a}",
        do="export without thousands separators",
        where=where,
    )
