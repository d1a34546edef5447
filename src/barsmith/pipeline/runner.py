"""Runs stages in order: what is cached is not computed again, what is computed is on the disk before the next stage begins.

A stage's key is the hash of its settings, of the libraries' versions, of its code and of its inputs' keys. A stage is cached when the
state has its key and its files are unchanged. Before a file is overwritten the state forgets the stage, so that a killed run
can never leave a record that speaks of other bytes.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from barsmith.config import Settings, canonical
from barsmith.errors import BarsmithError, StorageError
from barsmith.pipeline.code import Sources, library_versions
from barsmith.pipeline.progress import Lines, Table, line_of, progress
from barsmith.pipeline.run_folder import CACHED, DONE, FAILED, RUNNING, STOPPED, RunFolder, RunState, StageState
from barsmith.pipeline.stage import Given, Stage, in_order, needs
from barsmith.pipeline.store import Entry, Store, fields_of


@dataclass(frozen=True)
class Step:
    """A stage with its key and its parameters told apart, under one set of settings."""

    stage: Stage
    key: str
    inputs: tuple[str, ...]
    arguments: Mapping[str, Any]


def plan(stages: Iterable[Stage], settings: Settings, given: Mapping[str, Given]) -> list[Step]:
    """The steps in order, each with its key. Nothing is read or computed."""
    ordered = in_order(stages)
    keys: dict[str, str] = {}
    sources, steps = Sources(), []
    for one in ordered:
        need = needs(one, [stage.name for stage in ordered], given)
        seen = need.settings(settings)
        content = {
            "stage": one.name,
            "settings": to_jsonable_python(seen),
            "versions": library_versions(),
            "code": sources.hash_of(one.function),
            "inputs": {name: keys[name] for name in need.inputs},
            "given": {name: given[name].key for name in need.given},
        }
        keys[one.name] = hashlib.sha256(canonical(content).encode()).hexdigest()
        steps.append(Step(one, keys[one.name], need.inputs, {**seen, **{name: given[name].value for name in need.given}}))
    return steps


class Runner:
    """Runs the steps of one run; `values` reads what any finished stage has made."""

    def __init__(self, steps: Sequence[Step], store: Store, folder: RunFolder, state: RunState) -> None:
        self.steps, self.store, self.folder, self.state = list(steps), store, folder, state
        self.by_name = {step.stage.name: step for step in self.steps}
        self._values: dict[str, Any] = {}

    def run(self, *, redo_from: str | None = None) -> None:
        """Every step, cached or computed; the state is on the disk after each. redo_from: this stage and later ones are computed in any case."""
        names = [step.stage.name for step in self.steps]
        forced = set(names[names.index(redo_from) :]) if redo_from else set()
        title = f"{self.state.symbol} run {self.folder.run_id}"
        with progress(title) as display:
            try:
                for number, step in enumerate(self.steps):
                    self._step(step, display, force=step.stage.name in forced)
                    self._forget(later=self.steps[number + 1 :])
            except BaseException as problem:
                self._stopped(problem)
                raise
        self.state.status = DONE
        self.folder.write_state(self.state)

    def value(self, name: str) -> Any:
        """What a finished stage has made, read from the disk if need be."""
        if name not in self._values:
            self._values[name] = self.store.read(name, self.by_name[name].stage.makes, self.store.entries()[name])
        return self._values[name]

    def _step(self, step: Step, display: Lines | Table, *, force: bool) -> None:
        name = step.stage.name
        line = next((one for one in self.state.stages if one.name == name), StageState(name))  # an unlisted stage has no line
        began = time.monotonic()
        line.status, line.key, line.seconds, line.rows = RUNNING, step.key, 0.0, None
        self._show(display, line)
        entry = self.store.entries().get(name)
        if entry is not None and entry.key == step.key and not force and self._whole(name, entry):
            line.status, line.rows = CACHED, entry.rows
        else:
            entry = self._computed(step, began)
            line.status, line.rows = DONE, entry.rows
        line.seconds = round(time.monotonic() - began, 3)
        self._show(display, line)

    def _whole(self, name: str, entry: Entry) -> bool:
        whole = self.store.is_whole(entry)
        if not whole:
            self.folder.log(f"{name}: its files were changed after they were written; they are made again")
        return whole

    def _computed(self, step: Step, began: float) -> Entry:
        name = step.stage.name
        value = step.stage(**{parameter: self.value(parameter) for parameter in step.inputs}, **step.arguments)
        self.store.begin(name, self.store.files_of(name, value))
        files = self.store.write(name, value)
        entry = Entry(step.key, round(time.monotonic() - began, 3), rows_of(value), files)
        self.store.finish(name, entry)
        self._values[name] = value
        return entry

    def _forget(self, later: Sequence[Step]) -> None:
        """Let go of values that nobody needs any more."""
        needed = {name for step in later for name in step.inputs}
        for name in set(self._values) - needed:
            del self._values[name]
        gc.collect(0)

    def _show(self, display: Lines | Table, line: StageState) -> None:
        if line in self.state.stages:
            self.folder.write_state(self.state)
            display.show(self.state, line)
            if line.status != RUNNING:
                self.folder.log(line_of(line))

    def _stopped(self, problem: BaseException) -> None:
        """Record how the run ended; the stage that was under way left nothing."""
        failed = isinstance(problem, Exception)
        for line in self.state.stages:
            if line.status == RUNNING:
                line.status = FAILED if failed else STOPPED
        self.state.status = FAILED if failed else STOPPED
        self.state.error = (
            problem.as_dict() if isinstance(problem, BarsmithError) else {"code": type(problem).__name__, "came": str(problem)[:500]}
        )
        with contextlib.suppress(StorageError):  # the disk may be what stopped it, and that is told already
            self.folder.log(f"{self.state.status}: {problem or type(problem).__name__}")
            self.folder.write_state(self.state)


def rows_of(value: Any) -> int | None:
    """The rows of a value: its own `rows` where it says so, else those of its first frame or minutes."""
    if isinstance(own := getattr(value, "rows", None), int):
        return own
    for field, kind in fields_of(type(value)).items():
        content = getattr(value, field)
        if kind == "frames" and content:
            return len(next(iter(content.values())))
        if kind in ("frame", "minutes"):
            return len(content)
    return None
