"""The questions that a user's features are asked, each phase in a fresh process: bar by bar, over the whole history, on other dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.features.audit import causality
from barsmith.features.audit.causality import Whole
from barsmith.features.audit.diagnosis import shuffled
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.functions import early_leaks, function_leaks, rows_of
from barsmith.features.audit.moments import moments, starts
from barsmith.features.audit.other_histories import same_calendar
from barsmith.features.audit.worker import Worker

if TYPE_CHECKING:
    from barsmith.features.audit.modules import Module

PREFIXES, RESTORED, FED = 24, 8, 60


def bar_by_bar(module: Module, names: Sequence[str]) -> dict[str, np.ndarray]:
    """(m,) of each feature, every bar asked for before the next one exists in its process."""
    with module.worker() as worker:
        worker.use(names, module.learned)
        worker.begin(module.history.minutes[: int(module.history.rung.first[0])])  # a clock has no bars at first
        worker.expected = len(module.history)
        what = f"{module.file.name}: bar by bar"
        found = causality.lived(worker, module.history, 0, len(module.history), lambda share: module.tell(what, share))
        module.opened += worker.opened()
    return {name: np.ascontiguousarray(found[:, j]) for j, name in enumerate(names)}


@dataclass(frozen=True)
class Read:
    """A feature over the whole history: once, once more at the end, and what was found on the way."""

    first: np.ndarray
    again: np.ndarray
    findings: Findings


def over_history(module: Module, names: Sequence[str]) -> dict[str, Read]:
    """In one process: prefixes from short to long, the whole, a live session restored here and there, later starts, the whole again.

    A plain function is read over the whole only: bar by bar it has been asked everything else.
    """
    history, found = module.history, Findings()
    graph = [name for name in names if name not in module.plain]
    functions = [name for name in names if name in module.plain]
    out: dict[str, Read] = {}
    with module.worker() as worker:
        if graph:
            worker.use(graph, module.learned)
            whole = longer_and_longer(module, worker, found)
            restores = moments(history.minutes, history.sessions, RESTORED, seed=5)
            causality.restored(worker, history, whole, restores, FED, found, lambda _: None)
            causality.later_starts(worker, history, whole, starts(history.minutes, history.sessions), found, lambda _: None)
            again = worker.read(history.raw).matrix
            out |= {name: Read(whole.columns.matrix[:, j], again[:, j], found) for j, name in enumerate(graph)}
        if functions:
            worker.use(functions, module.learned)
            matrix = worker.read(history.raw).matrix
            out |= {name: Read(matrix[:, j], matrix[:, j], found) for j, name in enumerate(functions)}
        module.opened += worker.opened()
    return out


def longer_and_longer(module: Module, worker: Worker, found: Findings) -> Whole:
    """Prefixes from short to long, each against the next one, the whole history last: in the order in which they become known."""
    history, before = module.history, None
    cuts = moments(history.minutes, history.sessions, PREFIXES)
    for now in [*(int(history.minutes.time[cut]) for cut in cuts), None]:
        raw = history.known_by(now) if now is not None else history.raw
        longer = Whole.known(worker.names, worker.read(raw, now))
        if before is not None:
            rows = len(before.end)
            if not np.array_equal(before.end, longer.columns.end[:rows]):
                found.add(Leak(module.file.name, "mtf", history.bar(min(rows, len(history) - 1))))
            else:
                for _, name, difference in longer.against(before.matrix, slice(0, rows)):
                    causality.note(found, "future", name, difference, history.bar)
        before = longer.columns
    return longer


def on_other_dates(module: Module, names: Sequence[str]) -> dict[str, np.ndarray]:
    """(m,) of each feature over the same bars on other dates; a plain function bar by bar in a shuffled order."""
    history = module.history
    shift = same_calendar(int(history.minutes.time[0]), int(history.minutes.time[-1]))
    graph = [name for name in names if name not in module.plain]
    out: dict[str, np.ndarray] = {}
    with module.worker(shift) as worker:
        if graph:
            worker.use(graph, module.learned)
            matrix = worker.read(shift.raw(history.raw)).matrix
            out |= {name: matrix[:, j] for j, name in enumerate(graph)}
        rows = rows_of(history)
        rows[:, 5] += shift.days * 1440
        for name in (name for name in names if name in module.plain):
            out[name] = worker.tails(rows, shuffled(len(rows), module.plain[name]), name)
        module.opened += worker.opened()
    return out


def at_some_bars(module: Module, names: Sequence[str]) -> dict[str, Findings]:
    """Plain functions at some bars, against the whole history in one call."""
    with module.worker() as worker:
        return {name: early_leaks(worker, name, module.plain[name], module.history) for name in names}


def over_bars_at_once(module: Module, names: Sequence[str], tails: Mapping[str, np.ndarray]) -> dict[str, Findings]:
    """Plain functions over the whole history in one call, against their tails."""
    with module.worker() as worker:
        return {name: function_leaks(worker, name, module.plain[name], tails[name], module.history) for name in names}
