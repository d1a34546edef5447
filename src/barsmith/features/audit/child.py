"""The process that runs a user's file for an audit: it knows only what it was handed, and answers one question at a time."""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import load_sessions
from barsmith.errors import BarsmithError
from barsmith.features.audit.elsewhere import go_elsewhere
from barsmith.features.audit.functions import tails_of, whole_of
from barsmith.features.audit.messages import receive, send
from barsmith.features.audit.other_histories import Shift
from barsmith.features.audit.readers import Columns, OwnReader
from barsmith.features.audit.watching import Watcher
from barsmith.features.definitions import Definition, load_module, shipped
from barsmith.features.learned import LearnedParams, is_learned, learn, learned_nodes, with_learned
from barsmith.features.plain import PlainFunction
from barsmith.features.registry import Feature, variants_of
from barsmith.parallel import end_with_parent

#: How often a data run asks a file after the first time: a stage for features, regimes and other timeframes each.
AGAIN = 3

Answer = tuple[dict[str, Any], list[np.ndarray]]


def main() -> None:
    """Serve the process that started this one until it hangs up."""
    questions, answers = private_streams()
    end_with_parent()
    forget_where_this_is()
    child = Child()
    while True:
        try:
            head, arrays = receive(questions)
        except EOFError:
            os._exit(0)
        send(answers, *answered(child, head, arrays))


def answered(child: Child, head: dict[str, Any], arrays: list[np.ndarray]) -> tuple[Any, ...]:
    """What a question gives, or how it failed: a user's code may raise anything."""
    try:
        told, columns = getattr(child, head.pop("ask"))(*arrays, **head)
        return told, *columns
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as end:
        return ({"failed": "exit", "told": f"{type(end).__name__}: {end}"},)
    except BarsmithError as error:
        return ({"failed": "exit" if error.came.startswith("SystemExit") else kind_of(error), "told": str(error)[:500]},)
    except BaseException as error:  # noqa: BLE001 told to the parent, which decides
        where = traceback.extract_tb(error.__traceback__)[-1]
        return (
            {"failed": kind_of(error), "told": f"{type(error).__name__}: {error}"[:400] + f" ({Path(where.filename).name}:{where.lineno})"},
        )


def kind_of(error: BaseException) -> str:
    """Whoever was refused a file wanted one."""
    return "outside" if "ermission denied" in str(error) else "crash"


def private_streams() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, out of the way of whatever a user's file prints or reads."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    return questions, answers


def forget_where_this_is() -> None:
    """A file that looks around sees what it sees in a data run."""
    sys.argv[:] = ["barsmith", "run"]
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    for name in [name for name in sys.modules if name.startswith("barsmith.features.audit")]:
        del sys.modules[name]


class Child:
    """The user's features, and what is asked about them. Methods are the questions."""

    def load(self, *, path: list[str], file: str, calendar: str, hours: str, shift: list[int], elsewhere: bool, **more: Any) -> Answer:
        """Run the file. Answers its features and, of those that cannot be, why."""
        sys.path[:] = path
        self.base, self.rolls, self.shift = more["base"], tuple(more["rolls"]), Shift(*shift)
        self.watcher = Watcher(Path(file))
        if elsewhere:  # before anything starts a thread
            go_elsewhere(Path(file))
        self.sessions = self.shift.sessions(load_sessions(calendar, hours))
        self.watcher.begin()
        self.file, self.definition = Path(file), more
        refused, left_out = self.define()
        return {"features": [self.entry(one) for one in self.features.values()], "refused": refused, "left_out": left_out}, []

    def define(self) -> tuple[list[dict[str, str]], list[str]]:
        """Run the file and build its features; those that cannot be, and those that other settings would have."""
        self.features: dict[str, Feature] = {}
        refused: list[dict[str, str]] = []
        left_out: list[str] = []
        more = self.definition
        taken = {one.name for definition in shipped() for one in variants_of(definition, {}, self.base)}
        for definition in load_module(self.file):
            try:
                found = variants_of(definition, more["params"].get(definition.family, {}), self.base)
                if both := taken.intersection(one.name for one in found):
                    raise ValueError(f"barsmith has a feature {min(both)} of its own")
            except (Exception, SystemExit) as error:  # noqa: BLE001 a user's function may raise anything
                refused += [refusal(name, error) for name in names_of(definition)]
                continue
            self.features |= {one.name: one for one in found if one.timeframes <= set(more["timeframes"])}
            left_out += [one.name for one in found if one.name not in self.features]
        self.exprs = {name: one.expr for name, one in self.features.items()}
        return refused, left_out

    def again(self) -> Answer:
        """Run the file and build its features again and again, as the stages of a data run do."""
        for _ in range(AGAIN):
            self.define()
        return {}, []

    def entry(self, one: Feature) -> dict[str, Any]:
        lookback = one.expr.lookback if isinstance(one.expr, PlainFunction) else None
        bars, timeframe = one.warmup(self.base)
        return {"name": one.name, "lookback": lookback, "is_learned": is_learned(one.expr), "warmup": bars, "timeframe": timeframe}

    def use(self, *, names: list[str], learned: Mapping[str, Any]) -> Answer:
        """Read these features from now on, with what was learned in them."""
        known = {key: LearnedParams.from_dict(value) for key, value in learned.items()}
        self.reader = OwnReader(
            {name: with_learned(self.exprs[name], known, self.base) for name in names},
            base=self.base,
            sessions=self.sessions,
            rolls=self.rolls,
        )
        return {}, []

    def learn(self, *columns: np.ndarray, names: list[str], slices: list[list[int]], seed: int) -> Answer:
        """The params that the nodes of these features learn from the slices."""
        found = learn(
            {name: self.exprs[name] for name in names},
            minutes_of(*columns),
            base=self.base,
            sessions=self.sessions,
            slices=[(a, b) for a, b in slices],
            seed=seed,
        )
        users = {name: [key for key, _, _ in learned_nodes(self.exprs[name], self.base)] for name in names}
        return {"learned": {key: params.as_dict() for key, params in found.items()}, "users": users}, []

    def read(self, frame: np.ndarray, *, now: int | None) -> Answer:
        return {}, parts(self.reader.read(pl.read_ipc(io.BytesIO(frame.tobytes())), now))

    def read_minutes(self, *columns: np.ndarray) -> Answer:
        return {}, parts(self.reader.read_minutes(minutes_of(*columns)))

    def begin(self, *columns: np.ndarray) -> Answer:
        self.reader.begin(minutes_of(*columns))
        return {}, []

    def feed(self, time: np.ndarray, bars: np.ndarray, *, now: int) -> Answer:
        return {}, list(self.reader.feed(time, bars, now))

    def hold(self, rows: np.ndarray) -> Answer:
        """rows: (n, 6) of all bars, which `tails` and `call` are about."""
        self.rows = rows
        return {}, []

    def tails(self, order: np.ndarray, *, name: str) -> Answer:
        """A plain function's value at each bar of `order`, each time over its last bars alone."""
        return {}, [tails_of(self.plain(name), self.rows, order)]

    def call(self, rows: np.ndarray, *, name: str) -> Answer:
        """What a plain function gives over all these bars at once."""
        return {}, [whole_of(self.plain(name), rows)]

    def plain(self, name: str) -> PlainFunction:
        found = self.exprs[name]
        if not isinstance(found, PlainFunction):
            raise TypeError(f"{name} is no plain function")
        return found

    def opened(self) -> Answer:
        """What the file and its features have opened besides Python's own."""
        return {"opened": self.watcher.seen()}, []


def refusal(name: str, error: BaseException) -> dict[str, str]:
    kind = "future" if isinstance(error, BarsmithError) and error.code == "features/negative-lag" else "crash"
    return {
        "name": name,
        "kind": kind,
        "told": f"{error}"[:400] if isinstance(error, BarsmithError) else f"{type(error).__name__}: {error}"[:400],
    }


def names_of(definition: Definition) -> list[str]:
    """What its features would have been called."""
    combinations = itertools.product(*(values for _, values in definition.variants))
    return ["_".join([definition.family, *map(str, values)]) for values in combinations]


def parts(columns: Columns) -> list[np.ndarray]:
    return [getattr(columns, each.name) for each in dataclasses.fields(columns)]


def minutes_of(time: np.ndarray, bars: np.ndarray, contract: np.ndarray, factor: np.ndarray) -> Minutes:
    return Minutes(time, bars, contract.astype(np.int32), factor)
