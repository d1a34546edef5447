"""A model in a process of its own, that reports its answers' digest, every file it opened for writing elsewhere, and pickles."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from barsmith.testing.model_trial import Rows, Trial

TIMEOUT = 300.0  # seconds
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate")


def digest(probabilities: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(probabilities, np.float64).tobytes()).hexdigest()


def run_fresh(action: str, trial: Trial, rows: Rows) -> dict[str, Any]:
    """Run `predict` (of the model in folder/model) or `fit` (fit, save to folder/model, load, predict) in a new process.

    Returns {"digest": of the probabilities, "written": paths outside the folder, "unpickled": what pickles named while it was loaded}. Raises AssertionError where the process fails.
    """
    from barsmith.models import ModelRegistry

    given, elsewhere = trial.folder / "given", trial.folder / "elsewhere"
    for each in (given, elsewhere):
        each.mkdir(parents=True, exist_ok=True)
    np.save(given / "X.npy", rows.X)
    np.save(given / "y.npy", rows.y)
    job = {
        "action": action,
        "name": trial.name,
        "origin": ModelRegistry.info(trial.name).origin,
        "folder": str(trial.folder / "model"),
        "params": dict(trial.params),
        "names": trial.names,
    }
    (given / "job.json").write_text(json.dumps(job))
    command = [sys.executable, "-m", "barsmith.testing.fresh_process", str(given)]
    process = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
    assert process.returncode == 0, f"a fresh process ends with {process.returncode}: {process.stderr[-2000:]}"
    told: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    told["written"] += [str(path) for path in elsewhere.iterdir()]  # native code writes past Python's eyes
    return told


def work(given: Path) -> dict[str, Any]:
    """The child's side of `run_fresh`."""
    from barsmith.models import ModelRegistry, fit_model, load_model, predict_model, save_model
    from barsmith.models.discovery import load_file

    job = json.loads((given / "job.json").read_text())
    if job["name"] not in ModelRegistry.list_all():
        load_file(Path(job["origin"]))
    X, folder = np.load(given / "X.npy"), Path(job["folder"])
    written: list[str] = []
    if job["action"] == "fit":
        watch(folder, written)
        model = ModelRegistry.create(job["name"], **job["params"])
        cut = len(X) * 3 // 4
        y = np.load(given / "y.npy")
        fit_model(model, X[:cut], y[:cut], X[cut:], y[cut:], feature_names=job["names"])
        save_model(model, folder)
    unpickled: list[str] = []
    listen(unpickled)
    answers = predict_model(load_model(folder), X)
    return {"digest": digest(answers.probabilities), "written": sorted(set(written)), "unpickled": sorted(set(unpickled))}


def watch(folder: Path, written: list[str]) -> None:
    """Note every path outside `folder` that is opened for writing, made, renamed or removed; compiled code's caches may be."""
    from barsmith.compiled import numba

    allowed = [str(folder.absolute()), str(vars(numba.config)["CACHE_DIR"])]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            is_written = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        else:
            is_written, path = event in _CHANGES, arguments[0] if arguments else ""
        if not is_written or not isinstance(path, str | bytes | os.PathLike):
            return
        where = os.path.abspath(os.fsdecode(path))
        if (
            where != os.devnull
            and "__pycache__" not in where
            and not any(where == place or where.startswith(place + os.sep) for place in allowed)
        ):
            written.append(where)

    sys.addaudithook(hook)


def listen(unpickled: list[str]) -> None:
    """Note every class or function that a pickle names; compiled code's caches may name theirs."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and not any(module.startswith("numba.") for module in callers()):
            unpickled.append(".".join(map(str, arguments)))

    sys.addaudithook(hook)


def callers() -> Iterator[str]:
    """The modules whose functions are running, the innermost first."""
    frame = sys._getframe(1)
    while frame is not None:
        yield str(frame.f_globals.get("__name__", ""))
        frame = frame.f_back  # type: ignore[assignment]


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]))))  # noqa: T201
