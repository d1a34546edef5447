"""Why a feature's readings disagree: chance, memory, the future, a step that is not its column, or knowledge from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from barsmith.features.audit.differences import Difference, Scale, differing
from barsmith.features.audit.findings import Leak
from barsmith.features.audit.functions import rows_of
from barsmith.features.audit.worker import AnswerError, Worker

if TYPE_CHECKING:
    from barsmith.features.audit.modules import Module

#: Bars at which a prefix is read by a fresh process.
ASKED = 6


@dataclass(frozen=True)
class Readings:
    """A feature's columns over the whole history, (m,) each. at_once: by a process that was asked nothing before, as in a data run.

    told: leaks by kind that were seen while they were read.
    """

    whole: np.ndarray
    again: np.ndarray
    live: np.ndarray
    dates: np.ndarray
    at_once: np.ndarray
    told: Mapping[str, Leak]

    def apart(self, column: np.ndarray) -> Difference:
        """Against the whole. On other dates the hour is counted from farther away, so its sine has other last digits."""
        return differing(column, self.whole, Scale.of(self.whole), same_origin=column is not self.dates)

    @property
    def is_suspect(self) -> bool:
        return bool(self.told) or any(map(self.apart, (self.again, self.live, self.dates, self.at_once)))


def diagnose(module: Module, suspects: Mapping[str, Readings]) -> None:
    """Accuse each suspect of what fresh processes show."""

    def twice() -> dict[str, np.ndarray]:
        return module.without_failing(lambda names: fresh_columns(module, names), list(suspects))

    fresh = module.side_by_side(twice, twice)
    for name, readings in suspects.items():
        if name in fresh[0] and name in fresh[1]:
            try:
                accuse(module, name, readings, *(each[name] for each in fresh))
            except AnswerError as failure:
                module.accuse(name, failure)


def accuse(module: Module, name: str, readings: Readings, one: np.ndarray, two: np.ndarray) -> None:
    """one, two: its columns in two fresh processes. Of several kinds only those are told that do not follow from another."""
    scale = Scale.of(readings.whole)
    if chance := differing(two, one, scale):
        return add(module, name, "random", chance)
    ahead = looks_ahead(module, name, one, readings)
    if ahead:
        module.findings.add(ahead)
    elif memory := differing(one, readings.whole, scale) or readings.apart(readings.again) or readings.apart(readings.at_once):
        add(module, name, "stateful", memory)
    else:
        live = readings.apart(readings.live)
        if live or "live" in readings.told:
            add(module, name, "live", live or readings.told["live"])
        if "warmup" in readings.told:
            add(module, name, "warmup", readings.told["warmup"])
    dates = differing(readings.dates, one, scale, same_origin=False)  # that process, too, began with the whole
    if dates and readings.apart(readings.dates):
        is_shuffled = name in module.plain and depends_on_order(module, name, one)
        if not (is_shuffled and module.findings.accused("stateful", "future") & {name}):
            add(module, name, "stateful" if is_shuffled else "outside", dates)
    return None


def add(module: Module, name: str, kind: str, what: Difference | Leak) -> None:
    module.findings.add(what if isinstance(what, Leak) else Leak(name, kind, module.history.bar(what.first), what.at_first))


def fresh_columns(module: Module, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Features over the whole history as in a data run: built again, what learns learns first, and nothing else was asked before."""
    with module.worker() as worker:
        worker.again()
        if module.training is not None and (learning := [name for name in names if name in module.learning]):
            worker.learn(module.history.minutes, learning, module.training.slices, module.training.seed)
        worker.use(names, module.learned)
        matrix = worker.read(module.history.raw).matrix
    return {name: np.ascontiguousarray(matrix[:, j]) for j, name in enumerate(names)}


def looks_ahead(module: Module, name: str, column: np.ndarray, readings: Readings) -> Leak | None:
    """The first bar whose value a fresh process gives otherwise when it knows nothing later: asked where batch and live differ."""
    difference = readings.apart(readings.live)
    rows = np.flatnonzero(difference.leaks)
    if leak := readings.told.get("future"):
        return Leak(name, "future", module.history.bar(difference.first), difference.at_first) if len(rows) else leak
    if not len(rows):
        return None
    with module.worker() as worker:
        worker.use([name], module.learned)
        for row in rows[np.unique(np.linspace(0, len(rows) - 1, ASKED).astype(int))].tolist():
            known = known_value(worker, module, name, row)
            difference = differing(known, column[row : row + 1], Scale.of(column))
            if difference:
                return Leak(name, "future", module.history.bar(row), difference.at_first)
    return None


def known_value(worker: Worker, module: Module, name: str, row: int) -> np.ndarray:
    """(1,) the value of a bar where nothing later is known. For a plain function its last bars are all that it can need."""
    history = module.history
    if name in module.plain:
        first = int(history.rung.first[max(0, row - module.plain[name])])
        return worker.read_minutes(history.minutes[first : int(history.rung.last[row]) + 1]).matrix[-1:, 0]
    now = int(history.rung.end[row])
    return worker.read(history.known_by(now), now).matrix[-1:, 0]


def depends_on_order(module: Module, name: str, column: np.ndarray) -> bool:
    """Whether a plain function's values differ in a shuffled order on the true dates already."""
    rows = rows_of(module.history)
    with module.worker() as worker:
        found = worker.tails(rows, shuffled(len(rows), module.plain[name]), name)
    return bool(differing(found, column, Scale.of(column)))


def shuffled(bars: int, lookback: int) -> np.ndarray:
    """The rows at which a plain function has a value, in an order of chance."""
    return np.random.default_rng(17).permutation(np.arange(lookback - 1, bars))
