"""Trainings in MLflow: all that was asked is in the store, nothing outside it, no word to the network, and no failure costs a model."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from barsmith.pipeline import tracking
from barsmith.pipeline.api import train
from barsmith.pipeline.tracking import git_state, track
from barsmith.pipeline.training_result import Training
from small_market import MODEL, SmallMarket

#: Python runs it at the start of every process that has it on its path: who asks for an address or a connection is written down.
WATCHER = """
import sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open({seen!r}, "a") as file:
            print(event, arguments[1:], file=file)
sys.addaudithook(hook)
"""


@pytest.fixture
def training(market: SmallMarket, tmp_path: Path) -> Training:
    """That of the small market, as if it had been made in a workspace of its own, which nothing is in yet."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return replace(market.training, data=replace(market.training.data, workspace=workspace))


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the path of every new process."""
    folder = tmp_path / "planted"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]))
    return folder


def as_for_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow is silent by itself where it finds these in the environment."""
    for name in ("CI", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", *tracking.QUIET):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def seen(planted: Path) -> Path:
    """The file that the watcher writes."""
    file = planted / "seen.txt"
    (planted / "sitecustomize.py").write_text(WATCHER.format(seen=str(file)))
    return file


def rows(workspace: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(workspace / "tracking" / "mlflow.db")) as store:
        return store.execute(query).fetchall()


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def clone(folder: Path) -> str:
    """Make a git clone of the folder and return its commit."""
    (folder / "kept.txt").write_text("one")
    for words in (["init", "-q", "-b", "main"], ["add", "kept.txt"], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words], check=True, capture_output=True)
    return subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_a_training_is_in_the_store_with_all_that_it_was_and_nothing_is_anywhere_else(
    training: Training, seen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    as_for_a_user(monkeypatch)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9/")  # of the user's other work
    workspace = training.data.workspace
    commit = clone(workspace)
    (workspace / "kept.txt").write_text("two")
    told = track(training)
    assert told["error"] is None, told
    assert told["store"] == f"sqlite:///{workspace}/tracking/mlflow.db"

    [(run, name, status, folder)] = rows(workspace, "select run_uuid, name, status, artifact_uri from runs")
    assert (run, name, status) == (told["run_id"], training.run_dir.name, "FINISHED")
    params = dict(rows(workspace, "select key, value from params"))
    assert (params["model"], params["horizon"], params["training.n_estimators"], params["device.use_gpu"]) == (
        "xgboost",
        "20",
        "20",
        "auto",
    )
    val = training.splits["val"]
    metrics = dict(rows(workspace, "select key, value from latest_metrics"))
    assert metrics["val_log_loss"] == val.metrics["log_loss"]
    assert [metrics["val_log_loss_low"], metrics["val_log_loss_high"]] == val.intervals["log_loss"]
    assert metrics["val_time_of_day_log_loss"] == val.baselines["time_of_day"]["log_loss"]
    history = training.told.history["stop"]
    assert rows(workspace, "select step, value from metrics where key = 'loss_stop' order by step") == list(enumerate(history, 1))
    tags = dict(rows(workspace, "select key, value from tags"))
    assert (tags["mlflow.source.git.commit"], tags["mlflow.source.git.branch"], tags["git_dirty"]) == (commit, "main", "true")
    assert (tags["data_sha256"], tags["run_dir"]) == (training.data.fingerprint, str(training.run_dir))
    [(digest, kind)] = rows(workspace, "select digest, dataset_source_type from datasets")
    assert (training.data.fingerprint.startswith(digest), len(digest), kind) == (True, 36, "local")

    artifacts = workspace / "tracking" / "artifacts"
    assert folder.startswith(artifacts.as_uri())
    copied = files_below(artifacts / "MES_h20" / run / "artifacts")
    assert {"metrics/training_metrics.json", "plots/report.html", "config/params.json", "manifest.json"} <= copied
    assert not {name for name in copied if name.startswith(("predictions", "checkpoints"))}
    assert files_below(elsewhere) == set()
    assert {path.name for path in workspace.iterdir()} == {"tracking", "kept.txt", ".git"}
    assert not seen.exists(), seen.read_text()


@pytest.mark.slow
def test_the_watcher_hears_mlflow_where_its_telemetry_is_left_on(training: Training, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault of the test above."""
    as_for_a_user(monkeypatch)
    monkeypatch.setattr(tracking, "QUIET", {})
    assert track(training)["error"] is None
    assert "getaddrinfo" in seen.read_text()


def failure(training: Training) -> dict[str, str]:
    told = track(training)
    assert told["run_id"] is None
    assert set(told["error"]) == {"code", "expected", "came", "do", "where"}
    return dict(told["error"])


def test_a_store_that_is_none_is_told(training: Training) -> None:
    folder = training.data.workspace / "tracking"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(b"no database" * 1000)
    error = failure(training)
    assert (error["code"], "not a database" in error["came"]) == ("tracking/failed", True)


def test_a_folder_that_cannot_be_made_is_told(training: Training) -> None:
    (training.data.workspace / "tracking").write_text("a file")
    assert failure(training)["code"].startswith("io/")


def test_a_missing_library_is_told_with_the_command_that_installs_it(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "missing", lambda names: ["mlflow"])
    error = failure(training)
    assert (error["code"], "barsmith[track]" in error["do"]) == ("tracking/missing-library", True)


@pytest.mark.parametrize(
    ("source", "came"),
    [
        ("raise RuntimeError('planted in mlflow')", "planted in mlflow"),
        ("import os; os.abort()", "exit code -6"),
        ("import time; time.sleep(60)", "no answer in 2 seconds"),
        ("import os; print('chatter'); os._exit(0)", "exit code 0 without an answer"),
    ],
)
def test_an_mlflow_that_raises_dies_hangs_or_says_nothing_is_told(
    source: str, came: str, training: Training, planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (planted / "mlflow.py").write_text(source)
    monkeypatch.setattr(tracking, "DEADLINE", 2.0)
    error = failure(training)
    assert error["code"] == "tracking/failed"
    assert came in error["came"]


@pytest.mark.slow
def test_a_full_disk_is_told(training: Training, planted: Path) -> None:
    (planted / "sitecustomize.py").write_text(
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
    )
    assert failure(training)["code"] == "tracking/failed"


@pytest.mark.slow
def test_two_trainings_share_a_store_and_its_experiment(training: Training) -> None:
    first, second = track(training), track(training)
    assert first["error"] is second["error"] is None
    assert rows(training.data.workspace, "select count(*), count(distinct experiment_id) from runs") == [(2, 1)]


def test_a_broken_tracker_costs_no_trained_model(copied: Path, planted: Path) -> None:
    (planted / "mlflow.py").write_text("raise RuntimeError('planted in mlflow')")
    with (copied / "config" / "pipeline.yaml").open("a") as file:
        file.write("tracking: mlflow\n")
    told = train(copied, model="xgboost", overrides=MODEL)
    assert (told.run_dir / "manifest.json").is_file()
    assert "planted in mlflow" in told.as_dict()["tracking"]["error"]["came"]
    assert not (told.run_dir / "metrics" / "training_metrics.json").read_text().count("planted")


def test_without_being_asked_nothing_is_tracked_and_mlflow_is_not_imported(copied: Path) -> None:
    told = train(copied, model="xgboost", overrides=MODEL)
    assert "tracking" not in told.as_dict()
    assert not (copied / "tracking").exists()
    assert "mlflow" not in sys.modules


def test_a_folder_that_is_no_clone_has_no_git_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) == {}
    commit = clone(tmp_path)
    assert git_state(tmp_path) == {"mlflow.source.git.commit": commit, "mlflow.source.git.branch": "main", "git_dirty": "false"}
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.py").write_text("# not committed yet\n")
    assert git_state(tmp_path)["git_dirty"] == "true"
    monkeypatch.setenv("PATH", "/nowhere")
    assert git_state(tmp_path) == {}


def test_git_runs_no_program_that_the_clone_names(tmp_path: Path) -> None:
    clone(tmp_path)
    hook = tmp_path / "spy.sh"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    subprocess.run(["git", "-C", str(tmp_path), "config", "core.fsmonitor", str(hook)], check=True)
    assert git_state(tmp_path)["git_dirty"] == "false"
    assert not (tmp_path / "ran").exists()


@pytest.fixture(autouse=True)
def _no_outer_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
