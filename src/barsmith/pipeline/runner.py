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
from barsmith.pipeline.explaining import decisions, reasons, refuse_stale
from barsmith.pipeline.memory import peak_mib, reset_peak
from barsmith.pipeline.progress import Lines, Table, line_of, progress
from barsmith.pipeline.run_folder import CACHED, DONE, FAILED, RUNNING, STOPPED, RunFolder, RunState, StageState
from barsmith.pipeline.stage import Given, Stage, in_order, needs
from barsmith.pipeline.store import Entry, Store, fields_of

PEAK_OF_STAGE = "the most resident memory of the process while the stage ran"
PEAK_SO_FAR = "the most resident memory of the process until the stage ended: this system cannot begin it anew"


@dataclass(frozen=True)
class Step:
    """A stage with its key and its parameters told apart, under one set of settings.

    made_of: what the key stands for: settings by section, versions of libraries, code (SHA-256 by module), inputs and given (their keys).
    """

    stage: Stage
    key: str
    inputs: tuple[str, ...]
    arguments: Mapping[str, Any]
    made_of: Mapping[str, Any]


def plan(stages: Iterable[Stage], settings: Settings, given: Mapping[str, Given]) -> list[Step]:
    """The steps in order, each with its key. Nothing is read or computed."""
    ordered = in_order(stages)
    keys: dict[str, str] = {}
    sources, steps = Sources(), []
    for one in ordered:
        need = needs(one, [stage.name for stage in ordered], given)
        seen = need.settings(settings)
        names = {parameter: need.sections[parameter][0] if parameter in need.sections else parameter for parameter in seen}
        made_of = {
            "settings": {names[parameter]: value for parameter, value in to_jsonable_python(seen).items()},
            "versions": library_versions(),
            "code": sources.files_of(one.function),
            "inputs": {name: keys[name] for name in need.inputs},
            "given": {name: given[name].key for name in need.given},
        }
        keys[one.name] = hashlib.sha256(canonical({"stage": one.name, **made_of}).encode()).hexdigest()
        arguments = {**seen, **{name: given[name].value for name in need.given}}
        steps.append(Step(one, keys[one.name], need.inputs, arguments, made_of))
    return steps


class Runner:
    """Runs the steps of one run; `values` reads what any finished stage has made."""

    def __init__(self, steps: Sequence[Step], store: Store, folder: RunFolder, state: RunState, *, live: bool = True) -> None:
        """live: a table that is redrawn, where standard error is a terminal; else lines."""
        self.steps, self.store, self.folder, self.state, self.live = list(steps), store, folder, state, live
        self.by_name = {step.stage.name: step for step in self.steps}
        self._values: dict[str, Any] = {}

    def run(self, *, redo_from: str | None = None, only: str | None = None) -> None:
        """Every step, cached or computed; the state is on the disk after each.

        redo_from: this stage and later ones are computed in any case. only: this stage is, and nothing else is but read; UsageError
        `run/stale` where a stage that it needs is not up to date.
        """
        chosen = self._chosen(only)
        names = [step.stage.name for step in self.steps]
        forced = dict.fromkeys(names[names.index(redo_from) :], f"asked for: --from {redo_from}") if redo_from else {}
        forced |= {only: f"asked for: --only {only}"} if only else {}
        self.state.memory = PEAK_OF_STAGE if reset_peak() else PEAK_SO_FAR
        with progress(f"{self.state.symbol} run {self.folder.run_id}", live=self.live) as display:
            try:
                for number, step in enumerate(chosen):
                    self._step(step, display, forced.get(step.stage.name))
                    self._forget(later=chosen[number + 1 :])
            except BaseException as problem:
                self._stopped(problem)
                raise
        self.state.status = DONE
        self.folder.write_state(self.state)

    def _chosen(self, only: str | None) -> list[Step]:
        if only is None:
            return self.steps
        refuse_stale(decisions(self.steps, self.store, only=only), only)
        return [self.by_name[only]]

    def value(self, name: str) -> Any:
        """What a finished stage has made, read from the disk if need be."""
        if name not in self._values:
            self._values[name] = self.store.read(name, self.by_name[name].stage.makes, self.store.entries()[name])
        return self._values[name]

    def _step(self, step: Step, display: Lines | Table, forced: str | None) -> None:
        name = step.stage.name
        line = next((one for one in self.state.stages if one.name == name), StageState(name))  # an unlisted stage has no line
        began = time.monotonic()
        reset_peak()
        line.status, line.key, line.seconds, line.rows, line.why = RUNNING, step.key, 0.0, None, []
        self._show(display, line)
        entry = self.store.entries().get(name)
        line.why = [forced] if forced else reasons(step, entry, self.store)
        if entry is not None and not line.why:
            line.status, line.rows = CACHED, entry.rows
        else:
            self.folder.log(f"{name} is made: {'; '.join(line.why)}")
            entry = self._computed(step, began)
            line.status, line.rows = DONE, entry.rows
        line.seconds, line.peak_mib = round(time.monotonic() - began, 3), peak_mib()
        self._show(display, line)

    def _computed(self, step: Step, began: float) -> Entry:
        name = step.stage.name
        value = step.stage(**{parameter: self.value(parameter) for parameter in step.inputs}, **step.arguments)
        self.store.begin(name, [*self.store.files_of(name, value), self.store.made_of_file(name)])
        files = self.store.write(name, value) | self.store.write_made_of(name, step.made_of)
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
