"""A finished training recorded in MLflow, for those who ask for it: a SQLite store under the workspace, and no word to anybody else.

The training is on the disk before this begins, and MLflow works in a process of its own with a deadline: whatever goes wrong there is told
in one line and costs nothing else. What the process is handed is in `Record`; `tracking_child.py` writes it.
"""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from barsmith import __version__
from barsmith.artifacts import locked, make_folder, storage_errors
from barsmith.errors import BarsmithError, StorageError, UsageError
from barsmith.models.libraries import install_command, missing
from barsmith.pipeline.training_result import Training

FOLDER, STORE, ARTIFACTS = "tracking", "mlflow.db", "artifacts"
LIBRARIES = ("mlflow", "sqlalchemy", "alembic")
DEADLINE = 180.0  # seconds; a first store takes five, its tables are made one migration after the other
#: Parts of the run folder that MLflow gets a copy of; the model and the predictions stay where they are, named by the tag run_dir.
COPIED = ("metrics", "plots", "config", "manifest.json")
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_ENABLE_ASYNC_LOGGING": "false"}


@dataclass(frozen=True)
class Record:
    """One training as MLflow takes it. history: [name, step, value]. times: milliseconds since 1970 UTC."""

    store: str
    artifacts: str
    experiment: str
    name: str
    started: int
    ended: int
    params: dict[str, str]
    metrics: dict[str, float]
    history: list[tuple[str, int, float]]
    tags: dict[str, str]
    dataset: dict[str, str]
    files: list[str]


def track(training: Training) -> dict[str, Any]:
    """Record a training; {"store", "run_id", "error"}, of which one of the last two is None. Raises nothing but what stops the process."""
    folder = training.data.workspace.absolute() / FOLDER
    told: dict[str, Any] = {"store": f"sqlite:///{folder / STORE}", "run_id": None, "error": None}
    try:
        told["run_id"] = recorded(folder, training)
    except BarsmithError as error:
        told["error"] = error.as_dict()
    except Exception as error:  # noqa: BLE001 - the model is trained and written: nothing here may take that back
        told["error"] = tracking_error(f"{type(error).__name__}: {error}").as_dict()
    return told


def recorded(folder: Path, training: Training) -> str:
    """The id of the new run. Raises UsageError `tracking/missing-library`, StorageError, BusyError, BarsmithError `tracking/failed`."""
    if lacking := missing(LIBRARIES):
        do = f"`{install_command(lacking)}`; the training itself is whole"
        raise UsageError("tracking/missing-library", expected=f"the library {' and '.join(lacking)}", came="none installed", do=do)
    with storage_errors(folder, "make the folder of the tracking store"):
        make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise StorageError(
            "io/read-only", expected="to write the tracking store", came="permission denied", do="change it", where=str(folder)
        )
    with locked(folder / "tracking.lock", "the tracking store", wait=60.0):
        return told_by_child(folder, orjson.dumps(asdict(record_of_training(folder, training))))


def told_by_child(folder: Path, job: bytes) -> str:
    """What the process answers that speaks to MLflow; it stands in the store's folder, so that nothing can land elsewhere."""
    command = [sys.executable, "-P", "-m", "barsmith.pipeline.tracking_child"]
    environment = {**os.environ, **QUIET, "_MLFLOW_SERVER_ARTIFACT_ROOT": str(folder / ARTIFACTS)}
    try:
        done = subprocess.run(command, input=job, capture_output=True, cwd=folder, env=environment, timeout=DEADLINE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise tracking_error(f"no answer in {DEADLINE:.0f} seconds") from None
    answer = last_line(done.stdout)
    with contextlib.suppress(ValueError):
        told = orjson.loads(answer)
        if isinstance(told, dict) and "run_id" in told:
            return str(told["run_id"])
        if isinstance(told, dict) and "error" in told:
            raise tracking_error(str(told["error"]))
    raise tracking_error(last_line(done.stderr) or f"exit code {done.returncode} without an answer")


def last_line(text: bytes) -> str:
    return next((line for line in reversed(text.decode(errors="replace").splitlines()) if line.strip()), "")


def tracking_error(came: str) -> BarsmithError:
    do = "look at the store, or train without tracking; the training itself is whole"
    return BarsmithError("tracking/failed", expected="MLflow to record the training", came=" ".join(came.split())[:300], do=do)


def record_of_training(folder: Path, training: Training) -> Record:
    data, container, info = training.data, training.container, training.model.info
    now = time.time()
    sections = {f"{section}.{key}": value for section, values in training.params.sections().items() for key, value in values.items()}
    about = {"model": info.name, "family": info.family, "symbol": data.symbol, "horizon": container.horizon, "seed": training.told.seed}
    return Record(
        store=f"sqlite:///{folder / STORE}",
        artifacts=(folder / ARTIFACTS).as_uri(),
        experiment=f"{data.symbol}_h{container.horizon}",
        name=training.run_dir.name,
        started=int((now - training.seconds) * 1000),
        ended=int(now * 1000),
        params={key: plain(value) for key, value in {**about, **sections}.items()},
        metrics=finite(scores_of(training)),
        history=[
            (f"loss_{part}", step, float(loss))
            for part, losses in training.told.history.items()
            for step, loss in enumerate(losses, 1)
            if math.isfinite(loss)
        ],
        tags=tags_of(training),
        dataset={
            "name": f"{data.symbol}_{data.run_id}",
            "digest": data.fingerprint[:36],  # as much as MLflow takes; the whole stands in the tag
            "source": str(data.workspace.absolute() / "runs" / data.run_id),
        },
        files=[str(training.run_dir.absolute() / name) for name in COPIED],
    )


def scores_of(training: Training) -> dict[str, float | None]:
    """`val_log_loss`, its interval's ends, every baseline's, and the round that is kept, counted from 1 as the history's steps are."""
    found: dict[str, float | None] = {"seconds": training.seconds, "trials": float(training.verdict.trials)}
    for split, judged in training.splits.items():
        found |= {f"{split}_{key}": value for key, value in judged.metrics.items()}
        for key, interval in judged.intervals.items():
            if interval is not None:
                found |= {f"{split}_{key}_low": interval[0], f"{split}_{key}_high": interval[1]}
        found |= {f"{split}_{name}_{key}": value for name, row in judged.baselines.items() for key, value in row.items()}
    if training.told.best_iteration is not None:
        found["kept_round"] = float(training.told.best_iteration + 1)
    return found


def finite(values: dict[str, float | None]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items() if value is not None and math.isfinite(value)}


def tags_of(training: Training) -> dict[str, str]:
    data = training.data
    return {
        "barsmith": __version__,
        "run_dir": str(training.run_dir.absolute()),
        "data_run": data.run_id,
        "data_sha256": data.fingerprint,
        "rows_train": str(len(training.container.train)),
        "features": str(len(training.container.feature_names)),
        "verdict": training.verdict.sentence,
        "alarms": str(len(training.alarms)),
        **git_state(data.workspace),
    }


def plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def git_state(folder: Path) -> dict[str, str]:
    """Commit and branch of the user's folder, and whether files that decide a training differ from the commit; empty where it is no clone, or git does not answer.

    Those are all that git tracks, and what lies under config/ and models/, tracked or not: a new model is a change.
    """
    commit, branch = git(folder, "rev-parse", "HEAD"), git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    changes = git(folder, "status", "--porcelain", "--untracked-files=no")
    own = git(folder, "status", "--porcelain", "--untracked-files=all", "--", "config", "models")
    if commit is None or changes is None or own is None:
        return {}
    return {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": branch or "",
        "git_dirty": "true" if changes or own else "false",
    }


def git(folder: Path, *words: str) -> str | None:
    """What git says, asked in a way that runs no program of the clone's own settings and changes nothing."""
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-C", str(folder), *words]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, timeout=20.0, check=False, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
