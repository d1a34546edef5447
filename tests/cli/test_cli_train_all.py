"""Several models in one command: a failure of one stops no other, and the table at the end says what became of each."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import barsmith, started

from barsmith.cli.train import device_override
from barsmith.cli.train_all import Asked, check_all_used, names_asked, overrides_for, train_all
from barsmith.cli.train_table import table_of
from barsmith.errors import UsageError
from barsmith.models.discovery import discover, forget
from barsmith.models.registry import SHIPPED
from small_market import SmallMarket, copied, market

__all__ = ["copied", "market"]

OWN = '''
import os, signal, time
import numpy as np
from barsmith.errors import UsageError
from barsmith.models import BaseModel, ModelParams, PredictionOutput, register

class Even(BaseModel):
    """One third for each. Source: own."""

    class Params(ModelParams):
        width: int = 1

    def fit(self, X_train, y_train, X_val, y_val):
        return {"best_iteration": 4}

    def predict(self, X):
        return PredictionOutput.of(np.full((len(X), 3), 1 / 3))

@register(name="even", family="classical")
class Good(Even):
    pass

@register(name="raises", family="classical")
class Raises(Even):
    def fit(self, X_train, y_train, X_val, y_val):
        raise ZeroDivisionError("planted")

@register(name="dies", family="classical")
class Dies(Even):
    def fit(self, X_train, y_train, X_val, y_val):
        os.kill(os.getpid(), signal.SIGKILL)

@register(name="lacks", family="classical")
class Lacks(Even):
    def check_machine(self):
        raise UsageError("models/missing-library", expected="the library x", came="none installed", do="run `pip install x`")

@register(name="waits", family="classical")
class Waits(Even):
    def fit(self, X_train, y_train, X_val, y_val):
        open("waiting", "w").close()
        time.sleep(60)

@register(name="of_others", family="ensemble")
class OfOthers(Even):
    pass
'''


@pytest.fixture
def workspace(copied: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (copied / "models").mkdir()
    (copied / "models" / "own.py").write_text(OWN)
    monkeypatch.chdir(copied)
    discover(copied)
    yield copied
    forget()


def test_a_model_that_raises_dies_or_lacks_its_library_stops_no_other(workspace: Path) -> None:
    asked = Asked(workspace, "MES", 20, (), ("training.width=3",))
    report = train_all(["raises", "dies", "lacks", "even"], asked, everything=True)
    assert report.exit_code == 1
    told = {each["model"]: each for each in report.data["models"]}
    assert (report.data["trained"], report.data["failed"], report.data["not_installed"]) == (["even"], ["raises", "dies"], ["lacks"])
    assert {name: each["error"]["code"] for name, each in told.items() if each["error"]} == {
        "raises": "models/fit-failed",
        "dies": "models/died",
        "lacks": "models/missing-library",
    }
    assert "ZeroDivisionError: planted" in told["raises"]["error"]["came"]
    assert told["dies"]["error"]["came"] == "SIGKILL"
    result = told["even"]["result"]
    assert result["metrics"]["val"]["log_loss"] == pytest.approx(1.0986, abs=1e-4)
    assert 50 < result["peak_mib"] < 4000
    assert (Path(result["run_dir"]) / "manifest.json").is_file()
    rows = report.says[0].rows
    by_name = {row["model"]: row for row in rows}
    assert (by_name["even"]["rounds"], by_name["even"]["failure"], by_name["dies"]["failure"]) == (5, "", "models/died")
    assert by_name["lacks"]["failure"] == "not installed"
    assert by_name["time of day"]["log_loss"] == result["baselines"]["time_of_day"]["log_loss"]
    assert [line.split(":")[0] + ":" + line.split(":")[1] for line in report.says[1:-1]] == [
        "failed: raises", "failed: dies", "not installed: lacks",
    ]  # fmt: skip


def test_several_models_between_commas_in_one_table(workspace: Path) -> None:
    done = barsmith("--json", "train", "--model", "even,xgboost", "--set", "training.n_estimators=3", "--device", "cpu")
    assert done.code == 0, done.out
    assert done.json["trained"] == ["even", "xgboost"]
    first, second = done.json["models"]
    assert (first["overrides"], second["overrides"]) == (["device.use_gpu=false"], ["training.n_estimators=3", "device.use_gpu=false"])
    assert len(second["result"]["training"]["history"]["train"]) == 3
    assert "TOO GOOD" not in done.err


def test_a_library_that_is_missing_is_a_failure_where_its_model_was_named(workspace: Path) -> None:
    report = train_all(["lacks"], Asked(workspace, "MES", 20, (), ()), everything=False)
    assert (report.exit_code, report.data["failed"]) == (1, ["lacks"])


def test_all_are_those_that_can_be_trained_alone(workspace: Path) -> None:
    names = names_asked("all")
    assert names is not None
    assert {"xgboost", "logistic", "even", "dies"} <= set(names)
    assert not {"of_others", "timesfm"} & set(names)
    shipped = [name for name in SHIPPED if name in names]
    assert names[: len(shipped)] == shipped
    assert names_asked("xgboost") is None
    assert names_asked("xgboost,even") == ["xgboost", "even"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--model", "xgboost,logistik"], "config/unknown-name", "logistic"),
        (["--model", "xgboost,xgboost"], "cli/usage", "each model once"),
        (["--model", "xgboost,even", "--set", "training.n_estimator=5"], "config/unknown-param", "training.n_estimators"),
        (["--model", "xgboost,even", "--horizon", "7"], "datasets/columns", "horizon 7"),
        (["--model", "xgboost,even", "--symbol", "MGC"], "data/not-run", "MGC"),
        (["--model", "xgboost", "--device", "gpu"], "cli/usage", "cuda"),
        (["--model", "xgboost", "--device", "cpu", "--set", "device.use_gpu=true"], "cli/usage", "leave one out"),
    ],
)
def test_what_would_be_wrong_for_all_is_told_before_the_first(words: list[str], code: str, says: str, workspace: Path) -> None:
    before = sorted((workspace / "experiments" / "runs").iterdir())
    done = barsmith("--json", "train", *words)
    assert (done.code in (2, 3), done.error["code"]) == (True, code)
    assert says in " ".join(done.error.values())
    assert sorted((workspace / "experiments" / "runs").iterdir()) == before


def test_a_setting_reaches_the_models_that_have_it(workspace: Path) -> None:
    given = ["training.max_depth=3", "training.width=2", "device.use_gpu=true", "early_stopping.patience=5", "model_params.width=3"]
    assert overrides_for("xgboost", given) == ["training.max_depth=3", "device.use_gpu=true", "early_stopping.patience=5"]
    assert overrides_for("logistic", given) == []
    assert overrides_for("even", given) == ["training.width=2", "early_stopping.patience=5", "model_params.width=3"]
    with pytest.raises(UsageError) as refused:
        check_all_used(["xgboost"], {"xgboost": []}, ["training.max_deep=3"])
    assert "max_depth" in refused.value.do


def test_device_is_a_short_word_for_a_setting() -> None:
    assert [device_override(word, ()) for word in ("cpu", "cuda", "auto", None)] == [
        ["device.use_gpu=false"], ["device.use_gpu=true"], ["device.use_gpu=auto"], [],
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_process_of_a_model_ends_with_the_command(number: int, workspace: Path) -> None:
    command = started("train", "--model", "waits,even", cwd=workspace)
    deadline = time.monotonic() + 60
    while not (workspace / "waiting").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    [child] = children(command.pid)
    command.send_signal(number)
    command.communicate(timeout=30)
    assert command.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9}[signal.Signals(number)]
    while is_alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_command_that_is_stopped_tells_what_was_trained_and_what_was_not(workspace: Path) -> None:
    command = started("train", "--model", "even,waits,raises", "--json", cwd=workspace)
    deadline = time.monotonic() + 60
    while not (workspace / "waiting").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    command.send_signal(signal.SIGTERM)
    said, _ = command.communicate(timeout=30)
    told = json.loads(said)
    assert (command.returncode, told["trained"], told["failed"], told["not_begun"]) == (143, ["even"], [], ["waits", "raises"])
    assert told["models"][0]["result"]["run_dir"]


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_baselines_of_other_rows_stand_by_themselves(market: SmallMarket) -> None:
    result = {**market.training.as_dict(), "peak_mib": 1.0}
    fewer = {**result, "rows": {**result["rows"], "val": 7}}
    entry = {"status": "trained", "seconds": 1.0, "error": None}
    data = {"symbol": "MES", "horizon": 20, "models": [{"model": "a", "result": result, **entry}, {"model": "b", "result": fewer, **entry}]}
    names = [row["model"] for row in table_of(data)[0].rows]
    assert "majority (7 rows)" in names
    assert f"majority ({result['rows']['val']:,} rows)" in names
