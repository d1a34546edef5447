"""The raw-bar cases of the list of bad inputs, each built by hand and tried.

The list lies beside the real bars; what is expected stands here as well, so that the cases are tried without it too.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hand_bars import HEADER, START, cells, csv_text, minute_bars, with_cell, written

from barsmith.bars.reading import Rules, read_raw
from barsmith.bars.sessions import load_sessions
from barsmith.errors import DataError, UsageError

BARS = minute_bars()
ROWS = cells(BARS)
PRICES = ("open", "high", "low", "close")
LATER = {
    "B86": "labels/class-missing belongs to the data set's checks",
    "B87": "splits/empty belongs to the split calendar",
    "B88": "features/constant belongs to the data set's checks",
}


@dataclass(frozen=True)
class Case:
    """One way to build a row of the list. `build` writes into a folder and returns the path to read."""

    id: str
    disposition: str
    code: str
    build: Callable[[Path], Path]
    keywords: dict[str, Any] = field(default_factory=dict)


CASES: list[Case] = []


def case(id: str, disposition: str, code: str = "-", **keywords: Any) -> Callable[[Callable[[Path], Path]], Callable[[Path], Path]]:
    def add(build: Callable[[Path], Path]) -> Callable[[Path], Path]:
        CASES.append(Case(id, disposition, code, build, keywords))
        return build

    return add


def text_case(id: str, disposition: str, code: str, text: str | bytes, name: str = "bars.csv", **keywords: Any) -> None:
    CASES.append(Case(id, disposition, code, lambda folder: written(folder / name, text), keywords))


def parquet(frame: pl.DataFrame = BARS, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(frame.to_arrow(), sink, **options)
    return sink.getvalue()


def stamped(*stamps: str) -> str:
    """Bars of which the last ones are stamped so."""
    return csv_text([*ROWS[: -len(stamps)], *([stamp, *row[1:]] for stamp, row in zip(stamps, ROWS[-len(stamps) :], strict=True))])


def changed(rows: range, value: pl.Expr | float, *columns: str) -> str:
    inside = pl.int_range(pl.len()).is_in(list(rows))
    return csv_text(cells(BARS.with_columns(pl.when(inside).then(value).otherwise(name).alias(name) for name in columns)))


def session_bars(*days: tuple[int, int], shift: int = 0) -> pl.DataFrame:
    opens = [datetime(2025, m, d, 22, 0, tzinfo=UTC) - timedelta(days=1) + timedelta(minutes=shift) for m, d in days]
    return pl.concat([minute_bars(1380, opened) for opened in opens])


# a path that is no file


@case("B02", "REJECT", "bars/not-a-file")
def _directory(folder: Path) -> Path:
    return folder


@case("B02", "REJECT", "bars/not-a-file")
def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo.csv")
    return folder / "fifo.csv"


@case("B02", "REJECT", "bars/not-a-file")
def _device(folder: Path) -> Path:
    return Path("/dev/zero")


@case("B02", "REJECT", "bars/not-a-file")
def _socket(folder: Path) -> Path:
    here = Path.cwd()
    os.chdir(folder)  # a socket's path may be no longer than 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket.csv")
    finally:
        os.chdir(here)
    return folder / "socket.csv"


# files that are empty, broken, or of another kind

for suffix in (".csv", ".parquet"):
    text_case("B04", "REJECT", "bars/empty", "", "bars" + suffix)
text_case("B05", "REJECT", "bars/no-rows", ",".join(HEADER) + "\n")
text_case("B05", "REJECT", "bars/no-rows", ",".join(HEADER))
text_case("B05", "REJECT", "bars/no-rows", parquet(BARS.clear()), "bars.parquet")
text_case("B06", "REJECT", "bars/too-few-rows", csv_text(ROWS[:1]))
text_case("B06", "REJECT", "bars/too-few-rows", parquet(BARS[:1]), "bars.parquet")
for share in (0.01, 0.3, 0.7, 0.99):
    text_case("B07", "REJECT", "bars/corrupt-file", parquet()[: int(share * len(parquet()))], "bars.parquet")
WITH_CRC = bytearray(parquet(write_page_checksum=True, use_dictionary=False, compression="none"))
WITH_CRC[WITH_CRC.index(BARS["close"].to_numpy().tobytes()) + 100] ^= 1
text_case("B08", "REJECT", "bars/checksum", bytes(WITH_CRC), "bars.parquet")
text_case("B10", "REJECT", "bars/wrong-format", csv_text(ROWS), "bars.parquet")
text_case("B10", "REJECT", "bars/wrong-format", parquet(), "bars.csv")
for packed in (gzip.compress(csv_text(ROWS).encode()), lzma.compress(csv_text(ROWS).encode())):
    text_case("B11", "REJECT", "bars/wrong-format", packed)


@case("B11", "REJECT", "bars/wrong-format")
def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "bars.csv", "w") as archive:
        archive.writestr("bars.csv", csv_text(ROWS))
    return folder / "bars.csv"


for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-32-be"):
    text_case("B16", "REJECT", "bars/encoding", csv_text(ROWS).encode(encoding))

# text that cannot be split or read

text_case("B19", "REJECT", "bars/not-a-number", with_cell(3, "open", "1\0"))
text_case("B20", "OK", "-", csv_text(ROWS, line_end="\r"))
text_case("B20", "OK", "-", csv_text(ROWS[:20], line_end="\r\n") + csv_text(ROWS[20:], header=None))
text_case("B25", "REJECT", "bars/truncated", csv_text(ROWS) + "2025-06-12T14:40:00Z,451")
text_case("B26", "REJECT", "bars/duplicate-column", csv_text([[*row, row[1]] for row in ROWS], header=(*HEADER, "open")))
text_case("B27", "OK", "-", csv_text(ROWS, header=("DateTime", " Open ", "HIGH", "lOw", "Close ", "VOLUME")))
text_case("B28", "REJECT", "bars/missing-column", csv_text([row[:5] for row in ROWS], header=HEADER[:5]))
text_case("B28", "REJECT", "bars/missing-column", parquet(BARS.drop("low")), "bars.parquet")
text_case("B29", "WARN", "bars/extra-column", csv_text([[*row, "7"] for row in ROWS], header=(*HEADER, "open_interest")))
text_case("B31", "OK", "-", csv_text([[row[0], *(value.replace(".", ",") for value in row[1:])] for row in ROWS], ";"))
text_case("B32", "REJECT", "bars/not-a-number", with_cell(3, "open", '"4,500.25"'))
text_case("B32", "REJECT", "bars/not-a-number", with_cell(3, "open", "4,500.25"))
for odd in ("$4500", "1.2%"):
    text_case("B35", "REJECT", "bars/not-a-number", with_cell(3, "close", odd))

# bars that are wrong one by one

for nothing in ("NaN", "", "NULL", "N/A", "-"):
    text_case("B37", "ROW", "bars/nan-price", with_cell(3, "high", nothing))
for absurd in ("5e-324", "2e12"):
    text_case("B40", "ROW", "bars/out-of-range", with_cell(3, "high", absurd))
text_case("B42", "ROW", "bars/high-below-low", with_cell(3, "high", "5999"))
text_case("B43", "ROW", "bars/high-below-body", with_cell(3, "high", "6000.8"))
text_case("B44", "ROW", "bars/low-above-body", with_cell(3, "low", "6000.9"))
text_case("B45", "ROW", "bars/negative-volume", with_cell(3, "volume", "-1"))
for nothing in ("NaN", ""):
    text_case("B47", "ROW", "bars/nan-volume", with_cell(3, "volume", nothing))

# histories that are odd as a whole

text_case("B49", "WARN", "bars/zero-volume", changed(range(40), 0.0, "volume"))
text_case("B50", "REJECT", "bars/constant", changed(range(40), 6000.0, *PRICES))
text_case("B51", "WARN", "bars/stale-feed", changed(range(5, 35), 6000.0, *PRICES, "volume"))
for factor in (10.0, 0.01):
    text_case("B53", "WARN", "bars/scale-break", csv_text(ROWS[:20] + cells(BARS.with_columns(pl.col(*PRICES) * factor))[20:]))

# stamps

text_case("B54", "REJECT", "bars/no-timestamp", csv_text([row[1:] for row in ROWS], header=HEADER[1:]))
text_case("B54", "REJECT", "bars/no-timestamp", csv_text([["", *row[1:]] for row in ROWS]))
for odd in ("yesterday", "2024-02-30T00:00:00Z", "2024-02-29T24:00:00Z"):
    text_case("B55", "REJECT", "bars/bad-timestamp", stamped(odd))
text_case("B56", "REJECT", "bars/bad-timestamp", stamped("2016-12-31T23:59:60Z"))
for unit in (1, 1000, 1_000_000):
    epochs = [str((int(START.timestamp()) + 60 * i) * unit) for i in range(40)]
    text_case("B58", "REJECT", "bars/epoch-unit", csv_text([[epoch, *row[1:]] for epoch, row in zip(epochs, ROWS, strict=True)]))
text_case("B59", "REJECT", "bars/epoch-unit", csv_text([[str(45293.5 + i / 1440), *row[1:]] for i, row in enumerate(ROWS)]))
text_case("B60", "REJECT", "bars/no-timezone", csv_text(cells(BARS, "%Y-%m-%d %H:%M:%S")))
text_case("B60", "REJECT", "bars/no-timezone", parquet(BARS.with_columns(pl.col("datetime").dt.replace_time_zone(None))), "bars.parquet")
text_case(
    "B61",
    "OK",
    "-",
    csv_text(
        cells(BARS[:20], "%Y-%m-%dT%H:%M:%S+00:00")
        + cells(BARS[20:].with_columns(pl.col("datetime").dt.convert_time_zone("Etc/GMT+6")), "%Y-%m-%dT%H:%M:%S-06:00")
    ),
)
SPRING = [[f"2024-03-10 0{1 + i // 60}:{i % 60:02d}", *row[1:]] for i, row in enumerate(cells(minute_bars(90)))]
text_case("B63", "REJECT", "bars/nonexistent-time", csv_text(SPRING), timezone="America/Chicago")
text_case("B65", "OK", "-", csv_text(ROWS[::-1]))
text_case("B70", "REJECT", "bars/wrong-interval", csv_text(cells(minute_bars(40, step=5))))

# bars against the sessions

EQUITY = load_sessions("equity_index")
LATE = parquet(session_bars((6, 10), (6, 11), (6, 12), shift=1))
HOLE = parquet(session_bars((6, 10)).filter(pl.int_range(pl.len()) != 700))
GONE = parquet(session_bars((6, 10), (6, 12)))
HOLIDAY = parquet(pl.concat([session_bars((7, 3)), minute_bars(300, datetime(2025, 7, 4, 18, 0, tzinfo=UTC))]))
BREAK = parquet(pl.concat([session_bars((6, 10)), minute_bars(5, datetime(2025, 6, 10, 21, 10, tzinfo=UTC))]))
SATURDAY = parquet(pl.concat([session_bars((6, 13)), minute_bars(5, datetime(2025, 6, 14, 15, 0, tzinfo=UTC))]))
text_case("B71", "WARN", "bars/stamp-convention", LATE, "bars.parquet", sessions=EQUITY)
text_case("B72", "WARN", "bars/gap", HOLE, "bars.parquet", sessions=EQUITY)
text_case("B72", "WARN", "bars/gap", HOLE, "bars.parquet")
text_case("B73", "WARN", "bars/calendar", GONE, "bars.parquet", sessions=EQUITY)
text_case("B73", "WARN", "bars/calendar", HOLIDAY, "bars.parquet", sessions=EQUITY)
text_case("B74", "WARN", "bars/out-of-session", BREAK, "bars.parquet", sessions=EQUITY)
text_case("B74", "WARN", "bars/out-of-session", SATURDAY, "bars.parquet", sessions=EQUITY)
text_case("B77", "WARN", "bars/partial-last", csv_text(ROWS), now=START + timedelta(minutes=39, seconds=5))

# the file itself


@case("B82", "REJECT", "bars/changed-during-read")
def _changing(folder: Path) -> Path:
    return written(folder / "changing.csv", csv_text(ROWS))


@case("B83", "REJECT", "bars/outside-root")
def _link(folder: Path) -> Path:
    (folder / "raw").mkdir()
    (folder / "raw" / "bars.csv").symlink_to(written(folder / "bars.csv", csv_text(ROWS)))
    return folder / "raw" / "bars.csv"


for awkward in ("new\nline.csv", "a..b.csv", "-leading.csv", "🐻.csv"):
    text_case("B84", "OK", "-", csv_text(ROWS), awkward)


@case("B84", "OK")
def _through_the_parent(folder: Path) -> Path:
    (folder / "raw").mkdir()
    written(folder / "bars.csv", csv_text(ROWS))
    return folder / "raw" / ".." / "bars.csv"


@pytest.fixture
def _writer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For B82: somebody who appends to the file whenever it was read."""
    read = os.read

    def read_and_append(handle: int, size: int) -> bytes:
        part = read(handle, size)
        with (tmp_path / "changing.csv").open("a") as file:
            file.write("x" if not part else "")
        return part

    if request.node.callspec.params["tried"].id == "B82":
        monkeypatch.setattr(os, "read", read_and_append)


def _name(tried: Case) -> str:
    return f"{tried.id}-{[c for c in CASES if c.id == tried.id].index(tried)}"


@pytest.mark.usefixtures("_writer")
@pytest.mark.parametrize("tried", CASES, ids=_name)
def test_a_bad_input_is_refused_or_handled_as_the_list_says(tried: Case, tmp_path: Path) -> None:
    path = tried.build(tmp_path)
    rules, root = Rules("MES", **tried.keywords), tmp_path / "raw" if tried.id == "B83" else None
    if tried.disposition in ("REJECT", "ROW"):
        with pytest.raises((DataError, UsageError)) as error:
            read_raw(path, rules, root=root)
        assert error.value.code == tried.code
        assert error.value.exit_code == (2 if tried.code in ("bars/not-found", "bars/not-a-file") else 3)
        assert all(error.value.as_dict().values())
        assert "\n" not in str(error.value)
    if tried.disposition == "ROW":
        raw = read_raw(path, replace(rules, on_bad_rows="quarantine"))
        assert raw.rejects.select("row", "reason").rows() == [(4, tried.code)]
        assert raw.frame.equals(BARS.filter(pl.int_range(pl.len()) != 3))
    if tried.disposition == "WARN":
        assert read_raw(path, rules).quality.warned(tried.code) > 0
    if tried.disposition == "OK":
        assert read_raw(path, rules).frame.equals(BARS)


@pytest.mark.real
def test_every_raw_bar_case_of_the_list_is_tried_as_it_says(real_data: Path) -> None:
    lines = (real_data.parent / "reference" / "bad_inputs.jsonl").read_text().splitlines()
    listed = {row["id"]: (row["disposition"], row["code"]) for row in map(json.loads, lines) if row["entry"] == "Raw bars"}
    tried = {c.id: (c.disposition, c.code) for c in CASES}
    assert tried == {id: said for id, said in listed.items() if id not in LATER}
    assert set(LATER) <= set(listed)
