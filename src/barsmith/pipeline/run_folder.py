"""What a run leaves in `runs/{run_id}/`: its settings, its state after each stage, its manifests and its log."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from barsmith.artifacts import make_folder, read_sealed, read_verified, storage_errors, write_bytes, write_sealed
from barsmith.config import Settings, safe_name, shown
from barsmith.config_reading import settings_from
from barsmith.errors import UsageError
from barsmith.pipeline.explaining import changed

PENDING, RUNNING, DONE, CACHED, FAILED, STOPPED = "pending", "running", "done", "cached", "failed", "stopped"


@dataclass
class StageState:
    """One line of `status`. seconds: wall time; rows: of the result, where it has rows.

    peak_mib: the most resident memory of the process while the stage was made or read; where the system cannot tell a stage's
    (see RunState.memory), the most until then. why: the reasons for which it was made.
    """

    name: str
    status: str = PENDING
    seconds: float = 0.0
    rows: int | None = None
    key: str = ""
    peak_mib: float | None = None
    why: list[str] = field(default_factory=list)


@dataclass
class RunState:
    """pipeline_state.json. memory: what `peak_mib` of a stage is. only: the one stage that was asked for."""

    run_id: str
    symbol: str
    status: str = RUNNING
    started: str = ""
    updated: str = ""
    stages: list[StageState] = field(default_factory=list)
    error: dict[str, str] | None = None
    memory: str = ""
    only: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Sources:
    """Where a run's settings came from, so that a rerun can ask there again. config: a file, "-" for standard input, None for the workspace's own."""

    config: str | None = None
    overrides: tuple[str, ...] = ()
    winners: Mapping[str, str] = field(default_factory=dict)


def new_run_id(workspace: Path, symbol: str) -> str:
    """YYYYMMDD-HHMMSS-SYMBOL (UTC), its folder made; the second run of a second, or of a clock set back, gets -2."""
    base = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{symbol}"
    with storage_errors(workspace / "runs", "make the run's folder"):
        make_folder(workspace / "runs")
        for count in range(1, 10_000):
            run_id = base if count == 1 else f"{base}-{count}"
            try:
                (workspace / "runs" / run_id).mkdir(mode=0o755)
            except FileExistsError:
                continue
            return run_id
    raise UsageError("config/name", expected="a free run id", came=f"{base} ten thousand times", do="wait a second")


class RunFolder:
    """One run's folder; every file in it is whole at any moment."""

    def __init__(self, workspace: Path, run_id: str) -> None:
        self.workspace, self.run_id = workspace, safe_name(run_id, "run id")
        self.folder = workspace / "runs" / run_id

    @classmethod
    def find(cls, workspace: Path, run_id: str) -> RunFolder:
        """A run that is there, else UsageError `run/not-found` with the latest ones."""
        found = cls(workspace, run_id)
        if (found.folder / "pipeline_state.json").is_file():
            return found
        runs = sorted(path.parent.name for path in (workspace / "runs").glob("*/pipeline_state.json"))
        raise UsageError(
            "run/not-found",
            expected="the id of a run in this workspace",
            came=shown(run_id),
            do=f"the latest are {', '.join(runs[-3:])}" if runs else "this workspace has no run yet",
            where=str(workspace / "runs"),
        )

    @classmethod
    def latest(cls, workspace: Path) -> str:
        """The id of the workspace's latest run. Raises UsageError `run/not-found` where there is none."""
        runs = sorted((path.stat().st_mtime_ns, path.parent.name) for path in (workspace / "runs").glob("*/pipeline_state.json"))
        if runs:
            return runs[-1][1]
        do = "start one with `barsmith run`"
        raise UsageError("run/not-found", expected="a run in this workspace", came="none", do=do, where=str(workspace / "runs"))

    @classmethod
    def latest_whole(cls, workspace: Path, symbol: str) -> str | None:
        """The id of a symbol's latest run of all stages, None where there is none."""
        runs = sorted(
            ((path.stat().st_mtime_ns, path.parent.name) for path in (workspace / "runs").glob("*/pipeline_state.json")), reverse=True
        )
        states = (cls(workspace, run_id).state() for _, run_id in runs)
        return next((state.run_id for state in states if state.symbol == symbol and state.only is None), None)

    def write_config(self, settings: Settings, sources: Sources) -> None:
        import yaml

        text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)
        record = write_bytes(self.folder / "config" / "pipeline.yaml", text.encode())
        origin = {"config": sources.config, "overrides": list(sources.overrides), "winners": dict(sources.winners)}
        write_sealed(self.folder / "config" / "sources.json", {**origin, "settings": record.as_dict()})

    def config(self) -> tuple[Settings, Sources]:
        """The settings that the run was made with, and where they came from. A changed file is IntegrityError `integrity/mismatch`."""
        from barsmith.yaml_file import read_yaml

        sources = read_sealed(self.folder / "config" / "sources.json")
        path = self.folder / "config" / "pipeline.yaml"
        settings = settings_from(**read_yaml(read_verified(path, sources["settings"]), str(path)).value)
        return settings, Sources(sources["config"], tuple(sources["overrides"]), sources["winners"])

    def write_state(self, state: RunState) -> None:
        state.updated = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        write_sealed(self.folder / "pipeline_state.json", state.as_dict())

    def state(self) -> RunState:
        content = read_sealed(self.folder / "pipeline_state.json")
        return RunState(**{**content, "stages": [StageState(**one) for one in content["stages"]]})

    def write_manifest(self, name: str, content: Mapping[str, Any]) -> None:
        write_sealed(self.folder / name, content)

    def log(self, line: str) -> None:
        """One line with its time to logs/pipeline.log, and what it says back."""
        path = self.folder / "logs" / "pipeline.log"
        with storage_errors(path, "write the log"):
            make_folder(path.parent)
            with open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o644)) as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}\n")


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """`labels.k_up 1.5 -> 2.0` for each setting that differs."""
    return changed(before.model_dump(mode="json"), after.model_dump(mode="json"))
