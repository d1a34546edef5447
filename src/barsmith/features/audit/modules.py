"""The audit of a user's file: run in fresh processes that never hold a bar later than the one they are asked about, and compared here."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from barsmith.bars.minutes import Minutes
from barsmith.features.audit.diagnosis import Readings, diagnose, fresh_columns
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.fitting import Training, check_fit, same
from barsmith.features.audit.foresight import check_foresight
from barsmith.features.audit.history import History
from barsmith.features.audit.opening import accuse_openers
from barsmith.features.audit.other_histories import Shift
from barsmith.features.audit.own import Steps
from barsmith.features.audit.phases import Read, at_some_bars, bar_by_bar, on_other_dates, over_bars_at_once, over_history
from barsmith.features.audit.watching import Folders, folders_with_data
from barsmith.features.audit.worker import AnswerError, Market, Worker

Phase = Callable[[Sequence[str]], Mapping[str, Any]]
#: Seconds that a feature may take for a bar of a history so long that all its bars take longer than the usual patience.
MOST_PER_BAR = 2e-3


@dataclass
class Module:
    """A user's file under audit. names: of features that are asked on. plain: lookback by name. learned: by key what its nodes learned.
    columns: of those that nothing was found of, as a data run reads them.

    opens: files that it opens while it is run; opened: those that its processes opened at any time.
    """

    file: Path
    market: Market
    history: History
    findings: Findings
    tell: Steps
    training: Training | None = None
    names: list[str] = field(default_factory=list)
    plain: dict[str, int] = field(default_factory=dict)
    learning: list[str] = field(default_factory=list)
    learned: Mapping[str, Any] = field(default_factory=dict)
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    all_names: list[str] = field(default_factory=list)
    opens: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    spare: Worker | None = None
    running: list[Worker] = field(default_factory=list)
    is_over: bool = False

    @contextlib.contextmanager
    def worker(self, shift: Shift | None = None) -> Iterator[Worker]:
        """A process that has run the file and was asked nothing else."""
        if self.is_over:
            raise AnswerError("exit", "the audit was stopped")
        if shift is None and self.spare is not None:
            worker, self.spare = self.spare, None
        else:
            worker = Worker(self.file, self.market, shift)
        self.running.append(worker)
        with worker:
            yield worker
        self.running.remove(worker)

    def side_by_side(self, *phases: Callable[[], Any]) -> list[Any]:
        """Phases two at a time: their work is done in children. Where this process is told to stop, they stop as well."""
        with ThreadPoolExecutor(2) as pool:
            ways = [pool.submit(phase) for phase in phases]
            try:
                return [way.result() for way in ways]
            except BaseException:
                self.is_over = True
                for worker in self.running:
                    worker.kill()
                raise

    def accuse(self, name: str, failure: AnswerError) -> None:
        at = self.history.bar(failure.bar) if failure.bar is not None and failure.bar < len(self.history) else None
        self.findings.add(Leak(name, failure.kind, at, None, failure.told))

    def without_failing(self, phase: Phase, names: Sequence[str]) -> dict[str, Any]:
        """What the phase gives for each feature that gets through it; the others are accused and asked nothing more."""
        found, failed = one_by_one(phase, names)
        for name, failure in failed.items():
            self.accuse(name, failure)
        self.names = [name for name in self.names if name not in failed]
        return found


def one_by_one(phase: Phase, names: Sequence[str]) -> tuple[dict[str, Any], dict[str, AnswerError]]:
    """Try a phase with all features, and where it fails with halves of them, until the ones at fault are alone."""
    if not names:
        return {}, {}
    try:
        return dict(phase(names)), {}
    except AnswerError as failure:
        if len(names) == 1:
            return {}, {names[0]: failure}
        found: dict[str, Any] = {}
        failed: dict[str, AnswerError] = {}
        for half in (names[: len(names) // 2], names[len(names) // 2 :]):
            more, worse = one_by_one(phase, half)
            found |= more
            failed |= worse
        return (found, failed) if failed else ({}, dict.fromkeys(names, failure))


def audit_module(
    file: Path, market: Market, history: History, training: Training | None, workspace: Path, findings: Findings, tell: Steps
) -> Module:
    """Every check over the features of one file that this process can ask for."""
    module = Module(file, patient(market, len(history)), history, findings, tell, training)
    folders = Folders(folders_with_data(workspace, [file]))
    try:
        load(module, folders)
        if module.learning:
            fit(module)
        if module.names:
            compare(module)
        accuse_openers(module, folders)
    finally:
        folders.close()
        if module.spare is not None:
            module.spare.close()
    return module


def patient(market: Market, bars: int) -> Market:
    """With more patience for a longer history."""
    feature = max(market.patience.feature, bars * MOST_PER_BAR)
    return dataclasses.replace(market, patience=dataclasses.replace(market.patience, feature=feature))


def load(module: Module, folders: Folders) -> None:
    """Run the file: what it defines, and which files it opens. What only the kernel sees counts if it is so three times."""
    module.tell(f"{module.file.name}: running it", None)
    folders.opened()
    seen: set[str] | None = None
    try:
        for _ in range(3):
            worker = Worker(module.file, module.market)
            opened = {*worker.opened(), *folders.opened()}
            seen = opened if seen is None else seen & opened
            if not seen:
                break
            worker.close()
        module.spare = worker if not seen else Worker(module.file, module.market)
    except AnswerError as failure:
        return module.accuse(module.file.name, failure)
    module.opens = sorted(seen or ())[:5]
    return note_definitions(module, module.spare)


def note_definitions(module: Module, worker: Worker) -> None:
    """What the file defines, and what cannot be."""
    for each in worker.refused:
        module.findings.add(Leak(each["name"], each["kind"], None, None, each["told"]))
    module.names = [str(each["name"]) for each in worker.features]
    module.plain = {str(each["name"]): int(each["lookback"]) for each in worker.features if each["lookback"]}
    module.learning = [str(each["name"]) for each in worker.features if each["is_learned"]]
    module.all_names = [*module.names, *(each["name"] for each in worker.refused)]
    if not (module.all_names or worker.left_out):
        module.accuse(module.file.name, AnswerError("crash", "it says that it defines no feature, so nothing was checked"))
    if worker.left_out:
        names = ", ".join(worker.left_out)
        module.findings.did.append(f"{module.file.name}: not audited, since the settings have no such timeframe: {names}")


def fit(module: Module) -> None:
    """Learn in fresh processes, from the history and from one with another market after the training slice."""
    training = module.training
    if training is None:
        for name in module.learning:
            module.accuse(name, AnswerError("crash", "there are too few bars to learn from"))
        module.names = [name for name in module.names if name not in module.learning]
        return
    users: dict[str, list[str]] = {}

    def learned(minutes: Minutes) -> dict[str, Any]:
        found = module.without_failing(lambda names: learned_by(module, names, minutes, training), module.learning)
        module.learning = [name for name in module.learning if name in found]
        for name, mine in found.items():
            for key in mine:
                users.setdefault(key, []).append(name)
        return {key: params for mine in found.values() for key, params in mine.items()}

    module.tell(f"{module.file.name}: learning twice", None)
    module.learned = check_fit(module.history, training, learned, users, module.findings)
    module.without_failing(lambda names: learned_in_folds(module, names, training), module.learning)


def learned_in_folds(module: Module, names: Sequence[str], training: Training) -> dict[str, None]:
    """What is learned from the first half of the training slice, after all of it in one process and alone in another."""
    (first, past), *_ = training.slices
    half, kept = ((first, (first + past) // 2),), []
    for slices in ((training.slices, half), (half,)):
        with module.worker() as worker:
            for each in slices:
                learned, users = worker.learn(module.history.minutes, names, each, training.seed)
            kept.append(learned)
    for name in names:
        if any(not same(kept[0][key], kept[1].get(key)) for key in users[name]) and name not in module.findings.accused("random"):
            told = "what it learns from a shorter slice depends on what it learned before"
            module.findings.add(Leak(name, "stateful", None, None, told))
    return dict.fromkeys(names)


def learned_by(module: Module, names: Sequence[str], minutes: Minutes, training: Training) -> dict[str, dict[str, Any]]:
    """For each feature what its nodes learn, by key."""
    with module.worker() as worker:
        learned, users = worker.learn(minutes, names, training.slices, training.seed)
        module.opened += worker.opened()
    return {name: {key: learned[key] for key in users[name]} for name in names}


def compare(module: Module) -> None:
    """Bar by bar, over the whole history and on other dates, each in a process of its own; then what these say together."""
    history, file = module.history, module.file.name
    drop_the_obvious(module)
    if not module.names:
        return
    module.tell(f"{file}: {len(module.names)} features at every bar, one bar at a time", None)
    live = module.without_failing(lambda names: bar_by_bar(module, names), module.names)
    module.tell(f"{file}: over the whole history, over prefixes, from later starts, on other dates", None)
    names = list(module.names)
    whole, dates, at_once = module.side_by_side(
        lambda: module.without_failing(lambda some: over_history(module, some), names),
        lambda: module.without_failing(lambda some: on_other_dates(module, some), names),
        lambda: module.without_failing(lambda some: fresh_columns(module, some), names),
    )
    for each in whole.values():
        told_of_bars(module, each.findings)
    read = [name for name in module.names if name in whole and name in dates and name in at_once]
    readings = {name: readings_of(name, live[name], whole[name], dates[name], at_once[name]) for name in read}
    for name in readings:
        note_sizes(module, name, readings[name], whole[name].findings)
    module.tell(f"{file}: comparing", None)
    diagnose(module, {name: each for name, each in readings.items() if each.is_suspect})
    asked = [name for name in functions_of(module) if not module.findings.accused("random", "stateful") & {name}]
    for found in module.without_failing(lambda names: over_bars_at_once(module, names, live), asked).values():
        module.findings.take(found)
    module.columns = {name: readings[name].at_once for name in readings if name not in module.findings.accused()}
    check_foresight(module.columns, history, module.findings)
    module.findings.did.append(
        f"{file}: {len(readings)} features one bar at a time at all {len(history):,} bars, over the whole history twice, on other dates"
    )


def functions_of(module: Module) -> list[str]:
    """The plain functions that have a value somewhere."""
    return [name for name in module.names if name in module.plain and module.plain[name] <= len(module.history)]


def drop_the_obvious(module: Module) -> None:
    """Plain functions that some bars convict are asked nothing more."""
    module.tell(f"{module.file.name}: plain functions at some bars", None)
    for name, found in module.without_failing(lambda names: at_some_bars(module, names), functions_of(module)).items():
        module.findings.take(found)
        if found.leaks:
            module.names.remove(name)


def told_of_bars(module: Module, found: Findings) -> None:
    """What was found of the bars themselves while a feature was read."""
    for leak in found.leaks.values():
        if leak.feature == module.file.name:
            module.findings.add(leak)


def readings_of(name: str, live: np.ndarray, whole: Read, dates: np.ndarray, at_once: np.ndarray) -> Readings:
    told = {kind: leak for (feature, kind), leak in whole.findings.leaks.items() if feature == name}
    return Readings(whole.first, whole.again, live, dates, at_once, told)


def note_sizes(module: Module, name: str, readings: Readings, found: Findings) -> None:
    """What is rounding in a feature, and how many bars it needs to settle: a plain function has its last bars and nothing else."""
    sizes = [found.rounding.get(name, 0.0)]
    for column in (readings.again, readings.live, readings.dates):
        difference = readings.apart(column)
        sizes += [float(difference.size[difference.rounds].max())] if difference.rounds.any() else []
    if max(sizes):
        module.findings.round(name, max(sizes))
    bars = module.plain.get(name)
    module.findings.settling[name] = (
        found.settling[name] if bars is None else {"measured": bars - 1, "declared": bars - 1, "starts": len(module.history)}
    )
