"""A run taken up again: which settings it goes on with, and how far it really came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from barsmith.config import Settings
from barsmith.config_reading import load_settings
from barsmith.errors import BusyError, UsageError
from barsmith.pipeline.run_folder import CACHED, DONE, RUNNING, STOPPED, RunFolder, RunState, Sources, changed_keys
from barsmith.pipeline.runner import Step
from barsmith.pipeline.store import Store


def settings_now(
    workspace: Path, run_id: str, steps_of: Callable[[Settings], Sequence[Step]], redo_from: str | None, *, only: str | None = None
) -> tuple[Settings, Sources]:
    """The settings with which a run goes on: those that its file, environment and command line say today.

    steps_of: the steps under some settings. redo_from: this stage and later ones are made again in any case. only: this stage is, and no other is taken.
    Where a changed setting feeds a finished stage that is not made again, the run would be of two minds: UsageError `config/changed`
    with every difference. Settings that came through standard input are taken as they were.
    """
    folder = RunFolder.find(workspace, run_id)
    before, sources = folder.config()
    if sources.config == "-":
        return before, sources
    file = Path(sources.config) if sources.config is not None else None
    loaded = load_settings(workspace, config=file, overrides=list(sources.overrides))
    now = loaded.settings.for_symbol(str(before.symbol))
    differences = changed_keys(before, now)
    if differences and only is None:  # with --only every stage that is read must be up to date
        _refuse_two_minds(folder, differences, steps_of(before), steps_of(now), redo_from)
    return now, Sources(sources.config, sources.overrides, loaded.winners)


def _refuse_two_minds(
    folder: RunFolder, differences: list[str], before: Sequence[Step], now: Sequence[Step], redo_from: str | None
) -> None:
    names = [step.stage.name for step in before]
    redone = names[names.index(redo_from) :] if redo_from is not None else []
    finished = {line.name for line in folder.state().stages if line.status in (DONE, CACHED)}
    fed = [step.stage.name for step, other in zip(before, now, strict=True) if step.key != other.key and step.stage.name in finished]
    if any(name not in redone for name in fed):
        raise UsageError(
            "config/changed",
            expected=f"the settings that run {folder.run_id} was made with, up to the stage where it goes on",
            came="; ".join(differences)[:300],
            do=f"take the changes back, or make again what they feed: rerun {folder.run_id} --from {fed[0]}",
        )


def true_state(workspace: Path, run_id: str) -> RunState:
    """What the run's folder says; a run that says it is running, while nobody holds the data or a later run does, was killed: it is stopped."""
    folder = RunFolder.find(workspace, run_id)
    state = folder.state()
    if state.status == RUNNING and not _is_at_work(workspace, state):
        state.status = STOPPED
        for line in state.stages:
            line.status = STOPPED if line.status == RUNNING else line.status
    return state


def _is_at_work(workspace: Path, state: RunState) -> bool:
    later = [path.parent.name for path in (workspace / "runs").glob(f"*-{state.symbol}*/pipeline_state.json")]
    if max(later) != state.run_id:
        return False
    try:
        with Store(workspace, state.symbol).locked():
            return False
    except BusyError:
        return True
