"""Why the data of a symbol is of no finished run, although there are finished ones: a stage was made alone, or a later run has not finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from barsmith.errors import DataError
from barsmith.pipeline.run_folder import CACHED, DONE, RunFolder, RunState


def mixed(workspace: Path, symbol: str, keys: Mapping[str, str], manifests: Sequence[Mapping[str, Any]]) -> DataError:
    """`data/not-run` with the stages that are not those of the nearest finished run, and the run that made them.

    keys: of the stages as they stand. manifests: of the symbol's finished runs, the latest first; at least one.
    """
    nearest = min(manifests, key=lambda manifest: len(_other(keys, manifest)))
    other, finished = _other(keys, nearest), nearest["run_id"]
    runs = _runs(workspace, symbol)
    makers = {name: _maker(runs, name, keys.get(name)) for name in other}
    alone = [f"{name} remade alone by run {run.run_id}" for name, run in makers.items() if run is not None and run.only == name]
    ended = [run.run_id for run in runs if run.status != DONE and run.run_id > finished]
    came = ", ".join(alone) if alone else f"another {', '.join(other)}" + (f": run {ended[0]} has not finished" if ended else "")
    return DataError(
        "data/not-run",
        expected=f"all stages of {symbol} as one finished data run left them, the nearest is {finished}",
        came=came,
        do=f"make it whole: `barsmith run --symbols {symbol}` with today's settings, or `barsmith rerun {finished}` with that run's",
    )


def _other(keys: Mapping[str, str], manifest: Mapping[str, Any]) -> list[str]:
    return [name for name, key in manifest["keys"].items() if keys.get(name) != key]


def _maker(runs: Sequence[RunState], stage: str, key: str | None) -> RunState | None:
    """The latest run that made, or found made, a stage with this key."""
    made = (run for run in runs for line in run.stages if (line.name, line.key) == (stage, key) and line.status in (DONE, CACHED))
    return next(made, None)


def _runs(workspace: Path, symbol: str) -> list[RunState]:
    """The symbol's runs, the latest first."""
    paths = sorted((workspace / "runs").glob("*/pipeline_state.json"), key=lambda path: (path.stat().st_mtime_ns, path), reverse=True)
    states = (RunFolder(workspace, path.parent.name).state() for path in paths)
    return [state for state in states if state.symbol == symbol]
