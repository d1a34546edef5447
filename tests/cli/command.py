"""`barsmith` as a test calls it: in this process, or as a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl

from barsmith.bars.simulate import simulate
from barsmith.cli import main

FIRST_DAY, DAYS = date(2025, 3, 3), 12
LAUNCH = [sys.executable, "-m", "barsmith"]


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = self.json["error"]
        return found


@dataclass(frozen=True)
class Walked:
    """A small simulated workspace, and what the verbs said on the way from raw minutes to a bundle."""

    workspace: Path
    simulated: dict[str, Any]
    run: dict[str, Any]
    train: dict[str, Any]
    created: dict[str, Any]

    @property
    def raw(self) -> Path:
        return self.workspace / "data" / "raw" / "MES_1m.parquet"

    @property
    def bundle(self) -> Path:
        return self.workspace / "bundles" / "small"

    def bars(self, first: int, last: int | None = None) -> pl.DataFrame:
        """Some of the raw minutes."""
        return pl.read_parquet(self.raw)[first:last]

    @cached_property
    def news(self) -> pl.DataFrame:
        """The first minutes of the session after: the same market, lived a day longer."""
        known = self.bars(0)
        longer = simulate("MES", DAYS + 1, start=FIRST_DAY, paths=0).bars
        assert longer[: len(known)].equals(known)
        return longer[len(known) :][:400]


def barsmith(*words: str | Path, stdin: str | bytes = b"") -> Outcome:
    """In this process: quick, since everything is imported."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    fed = io.TextIOWrapper(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin), encoding="utf-8")
    with mock.patch.multiple(sys, stdin=fed, stdout=out, stderr=err):
        code = main([str(word) for word in words])
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *texts)


def environment(**changes: str | None) -> dict[str, str]:
    """This process's environment with some variables set, or taken out (None); output is buffered as for a user."""
    merged = {**os.environ, "PYTHONUNBUFFERED": None, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def process(*words: str | bytes | Path, launch: list[str] = LAUNCH, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """A process of its own, its output in bytes."""
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), "timeout": 120}
    return subprocess.run([*launch, *words], check=False, **(usual | options))


def started(*words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """A process that is still running when this returns."""
    usual = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), "bufsize": 0}
    return subprocess.Popen([*LAUNCH, *map(str, words)], **(usual | options))
