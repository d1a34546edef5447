"""The minutes of a live stream on disk, so that a restarted stream goes on with the same bits."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from barsmith.artifacts import storage_errors
from barsmith.errors import IntegrityError
from barsmith.serving.messages import MinuteMessage


class Journal:
    """An append-only file `minutes.jsonl` in a folder: one checked minute a line, each behind its CRC.

    A line that a killed process left unfinished is cut off when the file is opened again; any other damage is an IntegrityError
    `stream/snapshot`. A minute is in the operating system's hands when `append` returns, and on the disk at every finished base bar.
    """

    def __init__(self, folder: Path, symbol: str) -> None:
        self.path, self.symbol = folder / "minutes.jsonl", symbol
        with storage_errors(folder, "keep the stream's minutes"):
            folder.mkdir(parents=True, exist_ok=True)
            data = self.path.read_bytes() if self.path.exists() else b""
        whole = data.rfind(b"\n") + 1
        self.messages = list(self.read(data[:whole]))
        with storage_errors(folder, "keep the stream's minutes"):
            self.file: BinaryIO = self.path.open("ab")
            self.file.truncate(whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sync()
        self.file.close()

    def read(self, data: bytes) -> Iterator[MinuteMessage]:
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            check, _, text = line.partition(b" ")
            if check != b"%08x" % zlib.crc32(text):
                raise IntegrityError(
                    "stream/snapshot",
                    expected="a line with its checksum",
                    came=ascii(line[:40]),
                    do="move the file away: the stream then starts from the bundle's history and --history",
                    where=f"{self.path.name} line {number}",
                )
            time, bar, contract, ratio, symbol = orjson.loads(text)
            if symbol != self.symbol:
                raise IntegrityError(
                    "stream/symbol",
                    expected=f"minutes of {self.symbol}",
                    came=ascii(symbol)[:40],
                    do="use another --state folder",
                    where=str(self.path),
                )
            yield MinuteMessage(time, tuple(bar), contract, ratio)

    def append(self, message: MinuteMessage) -> None:
        text = orjson.dumps([message.time, message.bar, message.contract, message.roll_ratio, self.symbol])
        with storage_errors(self.path, "keep the stream's minutes"):
            self.file.write(b"%08x %s\n" % (zlib.crc32(text), text))
            self.file.flush()

    def sync(self) -> None:
        with storage_errors(self.path, "keep the stream's minutes"):
            self.file.flush()
            os.fsync(self.file.fileno())
