"""A process for a user's file, seen from the process that audits it: asked with a deadline, believed in nothing, always ended."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from barsmith.bars.minutes import Minutes
from barsmith.features.audit.messages import receive, send
from barsmith.features.audit.other_histories import Shift
from barsmith.features.audit.readers import Columns

#: First bars, at which kernels may have to be compiled.
COMPILING = 3
#: Tails that are asked for at once, at first.
FIRST_PART = 10
#: How a child may say that it failed.
FAILED = ("crash", "exit", "outside")
STARTING = "from barsmith.features.audit.child import main; main()"


class AnswerError(Exception):
    """The user's file did not answer as it must. kind: crash, exit, hang, slow, or outside where a file was closed to it."""

    def __init__(self, kind: str, told: str, bar: int | None = None) -> None:
        super().__init__(told)
        self.kind, self.told, self.bar = kind, told, bar


@dataclass(frozen=True)
class Patience:
    """Seconds. load: to run the file. answer: for a history. bar: for one bar (the first may have to compile). feature: for one feature at every bar."""

    load: float = 60.0
    answer: float = 180.0
    bar: float = 20.0
    feature: float = 60.0


@dataclass(frozen=True)
class Market:
    """What a child must know to read bars as this process does."""

    calendar: str
    hours: str
    base: str
    rolls: tuple[int, ...]
    timeframes: tuple[str, ...]
    params: Mapping[str, Mapping[str, Sequence[Any]]]
    patience: Patience = Patience()


class Worker:
    """A fresh interpreter that has run one user's file, until it is closed. It is a `Reader` once it was told what to `use`.

    Raises AnswerError where the file cannot be run.
    """

    def __init__(self, file: Path, market: Market, shift: Shift | None = None) -> None:
        """shift: other dates, and with them other circumstances: files that are closed, another clock, other arguments."""
        self.file, self.market, self.patience, self.shift = file, market, market.patience, shift or Shift()
        self.names: tuple[str, ...] = ()
        self.deadline, self.is_late, self.over = float("inf"), False, threading.Event()

        self.folder = tempfile.TemporaryDirectory(prefix="bars-", ignore_cleanup_errors=True)  # an empty place to stand in
        self.line, its_end = socket.socketpair()  # unlike a pipe it can be hung up while others hold its end
        self.into, self.out = self.line.makefile("wb"), self.line.makefile("rb")
        self.process = subprocess.Popen(  # noqa: S603 this interpreter
            [sys.executable, "-c", STARTING],
            stdin=its_end.fileno(),
            stdout=its_end.fileno(),
            stderr=subprocess.DEVNULL,
            cwd=self.folder.name,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(importable())},
            start_new_session=True,  # so that what it starts can be ended with it
        )
        its_end.close()
        threading.Thread(target=self.watch, daemon=True).start()
        try:
            head, _ = self.ask("load", within=self.patience.load, **self.definition())
        except BaseException:
            self.close()
            raise
        self.features: list[dict[str, Any]] = head["features"]
        self.refused: list[dict[str, str]] = head["refused"]
        self.left_out: list[str] = head["left_out"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def definition(self) -> dict[str, Any]:
        market = self.market
        return {
            "path": importable(),
            "file": str(self.file.resolve()),
            "calendar": market.calendar,
            "hours": market.hours,
            "base": market.base,
            "rolls": list(self.shift.minutes(market.rolls)),
            "timeframes": list(market.timeframes),
            "params": {family: {key: list(values) for key, values in chosen.items()} for family, chosen in market.params.items()},
            "shift": [self.shift.days, self.shift.numbers],
            "elsewhere": self.shift.days != 0,
        }

    def close(self) -> None:
        self.over.set()
        self.kill()
        for stream in (self.into, self.out, self.line):
            with contextlib.suppress(OSError):
                stream.close()
        self.process.wait()
        self.folder.cleanup()

    def kill(self) -> None:
        """End the process and its group, and wait for no word of what it has started elsewhere."""
        with contextlib.suppress(OSError, AttributeError):  # gone already, or a system without groups
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_RDWR)

    def watch(self) -> None:
        """End the process once its deadline has passed: whoever waits for its answer then reads the end of the pipe."""
        while not self.over.wait(0.05):
            if time.monotonic() > self.deadline:
                self.is_late = True
                self.kill()
                return

    def ask(self, question: str, *arrays: np.ndarray, within: float, **more: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Raises AnswerError where it fails, ends or does not answer within so many seconds."""
        self.deadline = time.monotonic() + within
        try:
            send(self.into, {"ask": question, **more}, *arrays)
            head, columns = receive(self.out)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise self.ended(within, error) from error
        finally:
            self.deadline = float("inf")
        if "failed" in head:
            raise AnswerError(head["failed"] if head["failed"] in FAILED else "crash", str(head.get("told", ""))[:500])
        return head, columns

    def ended(self, within: float, error: Exception) -> AnswerError:
        if self.is_late:
            return AnswerError("hang", f"no answer within {within:g} seconds")
        if not isinstance(error, OSError | EOFError):
            self.kill()
            return AnswerError("crash", f"its answer makes no sense: {error}")
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            return AnswerError("exit", "it closed its pipe")
        return (
            AnswerError("crash", f"killed by signal {-code}") if code < 0 else AnswerError("exit", f"it ended its process with code {code}")
        )

    def again(self) -> None:
        self.ask("again", within=self.patience.load)

    def use(self, names: Sequence[str], learned: Mapping[str, Any] | None = None) -> None:
        self.ask("use", names=list(names), learned=dict(learned or {}), within=self.patience.answer)
        self.names = tuple(names)

    def learn(
        self, minutes: Minutes, names: Sequence[str], slices: Sequence[tuple[int, int]], seed: int
    ) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """(what the nodes of these features learn, by key; for each feature the keys of its nodes)."""
        pieces = [[int(a), int(b)] for a, b in slices]
        head, _ = self.ask("learn", *arrays_of(minutes), names=list(names), slices=pieces, seed=seed, within=self.patience.feature)
        return head["learned"], head["users"]

    def read(self, raw: pl.DataFrame, now: int | None = None) -> Columns:
        file = io.BytesIO()
        raw.write_ipc(file)
        _, columns = self.ask(
            "read", np.frombuffer(file.getvalue(), np.uint8), now=now, within=self.patience.feature * max(1, len(self.names))
        )
        return self.checked(columns)

    def read_minutes(self, minutes: Minutes) -> Columns:
        _, columns = self.ask("read_minutes", *arrays_of(minutes), within=self.patience.feature * max(1, len(self.names)))
        return self.checked(columns)

    def checked(self, columns: list[np.ndarray]) -> Columns:
        start, end, matrix, first = columns
        if len(start) != len(end) or matrix.shape != (len(end), len(self.names)) or len(first) != len(self.names):
            raise AnswerError(
                "crash", f"its answer makes no sense: {matrix.shape} values for {len(end)} bars of {len(self.names)} features"
            )
        return Columns(start, end, matrix, first)

    def begin(self, minutes: Minutes) -> None:
        self.ask("begin", *arrays_of(minutes), within=self.patience.answer)
        self.fed, self.expected = 0, 0

    def feed(self, time_: np.ndarray, bars: np.ndarray, now: int) -> tuple[np.ndarray, np.ndarray]:
        within = self.patience.load if self.fed < COMPILING else self.patience.bar
        try:
            _, (ends, values) = self.ask("feed", time_, bars, now=now, within=within)
        except AnswerError as failure:
            failure.bar = self.fed
            raise
        self.fed += 1
        self.refuse_slow()
        if values.shape != (len(ends), len(self.names)):
            raise AnswerError("crash", "its answer makes no sense")
        return ends, values

    def refuse_slow(self) -> None:
        """Raises AnswerError `slow` once it is clear that the bars to come will take longer than they may."""
        if self.fed <= COMPILING:
            self.began = time.monotonic()
            return
        allowed = self.patience.feature * max(1, len(self.names))
        refuse_slow(time.monotonic() - self.began, self.fed - COMPILING, self.expected, allowed, self.patience.feature, self.fed)

    def tails(self, rows: np.ndarray, order: np.ndarray, name: str) -> np.ndarray:
        """(n,) a plain function at each row of `order`, each time over its last bars alone; NaN elsewhere."""
        self.ask("hold", rows, within=self.patience.answer)
        values, done, size, began = np.full(len(rows), np.nan), 0, FIRST_PART, time.monotonic()
        while done < len(order):
            part, asked = np.ascontiguousarray(order[done : done + size]), time.monotonic()
            _, (values[part],) = self.ask("tails", part, name=name, within=self.patience.bar if done else self.patience.load)
            done += len(part)
            if done == len(part):  # the first ones may have had to compile
                began = time.monotonic()
                continue
            refuse_slow(time.monotonic() - began, done - FIRST_PART, len(rows), self.patience.feature, self.patience.feature, None)
            size = size * 2 if time.monotonic() - asked < 0.5 else max(FIRST_PART, size // 2)
        return values

    def call(self, rows: np.ndarray, name: str) -> np.ndarray:
        _, (values,) = self.ask("call", rows, name=name, within=self.patience.answer)
        return values

    def opened(self) -> list[str]:
        head, _ = self.ask("opened", within=self.patience.bar)
        return [str(each)[:300] for each in head["opened"]]


def refuse_slow(spent: float, bars: int, expected: int, allowed: float, patience: float, bar: int | None) -> None:
    """Raises AnswerError `slow` where all expected bars would take longer than they may. Told after a twelfth of the patience."""
    each = spent / max(bars, 1)
    if spent > allowed or (spent > patience / 12 and each * expected > allowed):
        told = f"{1000 * each:.1f} ms a bar: {expected:,} bars would take {each * expected:,.0f} s, more than the {allowed:g} s they may"
        raise AnswerError("slow", told, bar)


def importable() -> list[str]:
    """Where this process looks for modules, as whole paths: the child stands elsewhere."""
    return list(dict.fromkeys(os.path.abspath(each) for each in sys.path))


def arrays_of(minutes: Minutes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return minutes.time, minutes.bars, minutes.contract.astype(np.int64), minutes.factor
