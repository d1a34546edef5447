"""The minutes of a live stream on disk, so that a restarted stream goes on with the same bits."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import orjson
import polars as pl

from barsmith.artifacts import storage_errors
from barsmith.bars.minutes import FIELDS, Minutes, as_datetime, moment
from barsmith.errors import IntegrityError
from barsmith.serving.messages import MinuteMessage

VERSION = 1


class Journal:
    """An append-only file `minutes.jsonl` in a folder: a head that says after which history it goes on, then one checked minute a line.

    Each line stands behind its CRC. A line that a killed process left unfinished is cut off when the file is opened again; any other
    damage is an IntegrityError `stream/snapshot`. A minute is in the operating system's hands when `append` returns, and on the disk
    after `sync`.
    """

    def __init__(self, folder: Path, symbol: str, history: Minutes) -> None:
        self.path, self.symbol = folder / "minutes.jsonl", symbol
        with storage_errors(folder, "keep the stream's minutes"):
            folder.mkdir(parents=True, exist_ok=True)
            data = self.path.read_bytes() if self.path.exists() else b""
        whole = data.rfind(b"\n") + 1
        lines = list(self.lines(data[:whole]))
        self.messages = [self.message(number, line) for number, line in enumerate(lines[1:], 2)]
        head = {"version": VERSION, "symbol": symbol, **origin_of(history)}
        if lines:
            self.check_head(lines[0], head)
        with storage_errors(folder, "keep the stream's minutes"):
            self.file: BinaryIO = self.path.open("ab")
            self.file.truncate(whole)
        if not lines:
            self.write(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.sync()
        finally:
            self.file.close()

    def lines(self, data: bytes) -> Iterator[Any]:
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            check, _, text = line.partition(b" ")
            if check != b"%08x" % zlib.crc32(text):
                raise self.damaged(number, "a line with its checksum", ascii(line[:40]))
            yield orjson.loads(text)

    def message(self, number: int, line: Any) -> MinuteMessage:
        try:
            time, bar, contract, ratio = line
            open_, high, low, close, volume = map(float, bar)
            return MinuteMessage(int(time), (open_, high, low, close, volume), contract, ratio)
        except (TypeError, ValueError) as error:
            raise self.damaged(number, "a minute as this version writes it", f"{ascii(line)[:60]} ({error})") from error

    def check_head(self, found: Any, head: dict[str, Any]) -> None:
        """The history before the journal must be the one it was begun after, or one that reaches further."""
        if not isinstance(found, dict) or found.get("version") != VERSION or found.get("symbol") != self.symbol:
            came = ascii(found)[:80]
            raise self.damaged(1, f"the head of a journal of {self.symbol}, version {VERSION}", came)
        if found["sha256"] != head["sha256"] and head["last"] < found["last"]:
            expected = f"the bundle whose history ends at {moment(found['last']):%Y-%m-%d %H:%M} UTC, or a newer one"
            raise self.damaged(1, expected, f"one that ends at {moment(max(head['last'], 0)):%Y-%m-%d %H:%M} UTC")

    def damaged(self, line: int, expected: str, came: str) -> IntegrityError:
        do = "use another --state folder, or move this one away: the stream then starts from the bundle's history and --history"
        return IntegrityError("stream/snapshot", expected=expected, came=came, do=do, where=f"{self.path} line {line}")

    def append(self, message: MinuteMessage) -> None:
        self.write([message.time, message.bar, message.contract, message.roll_ratio])

    def extend(self, messages: Iterable[MinuteMessage]) -> None:
        for message in messages:
            self.append(message)
        self.sync()

    def write(self, value: Any) -> None:
        text = orjson.dumps(value)
        with storage_errors(self.path, "keep the stream's minutes"):
            self.file.write(b"%08x %s\n" % (zlib.crc32(text), text))
            self.file.flush()

    def sync(self) -> None:
        with storage_errors(self.path, "keep the stream's minutes"):
            self.file.flush()
            os.fsync(self.file.fileno())

    def frame(self) -> pl.DataFrame:
        """The minutes found at the opening, as raw bars."""
        columns: dict[str, Any] = {"datetime": as_datetime(np.array([m.time for m in self.messages], np.int64))}
        columns |= {name: [m.bar[i] for m in self.messages] for i, name in enumerate(FIELDS)}
        if any(m.contract is not None for m in self.messages):
            columns["contract"] = pl.Series([m.contract for m in self.messages], dtype=pl.String)
        if any(m.roll_ratio is not None for m in self.messages):
            columns["roll_ratio"] = pl.Series([m.roll_ratio for m in self.messages], dtype=pl.Float64)
        return pl.DataFrame(columns)


def origin_of(history: Minutes) -> dict[str, Any]:
    """What tells one history from another: its last minute and a hash of all."""
    bits = hashlib.sha256(history.time.tobytes())
    for column in (history.bars, history.contract, history.factor):
        bits.update(column.tobytes())
    return {"last": int(history.time[-1]) if len(history) else -1, "sha256": bits.hexdigest()}
