"""A user's own features and models, listed and described like the shipped ones."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from command import Walked, barsmith

from barsmith.models.discovery import forget
from barsmith.models.registry import SHIPPED

FEATURES = '''
from barsmith.features import Bars, close, feature, lag

@feature(n=(3, 9))
def step(n: int):
    """Change over n bars. Unit: price. Source: own."""
    return close - lag(close, n)

@feature(lookback=50)
def place(bars: Bars):
    """Place of the close. Unit: 0..1. Source: own."""
    return bars.close
'''
MODEL = '''
from barsmith.models import BaseModel, PredictionOutput, register

@register(name="even", family="classical")
class Even(BaseModel):
    """One third for each. Source: own."""

    def fit(self, X_train, y_train, X_val, y_val):
        return None

    def predict(self, X):
        import numpy as np
        return PredictionOutput.of(np.full((len(X), 3), 1 / 3))
'''


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a user's files, and settings that name the features."""
    for name, text in {
        "mine.py": FEATURES,
        "models/even.py": MODEL,
        "config/pipeline.yaml": "features: {modules: [mine.py], params: {rsi: {n: [33]}}, drop: ['wavelet_*']}",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_list_has_what_a_run_here_would_compute(workspace: Path) -> None:
    rows = {row["name"]: row for row in barsmith("--json", "features", "list", "--workspace", workspace).json["features"]}
    assert rows["step_9"] == {"name": "step_9", "group": "user", "unit": "price", "source": "own", "warmup_bars": 10, "timeframe": "5m"}
    assert rows["place"]["warmup_bars"] == 50
    assert "rsi_33" in rows
    assert not {name for name in rows if name == "rsi_14" or name.startswith("wavelet_")}


def test_a_module_may_be_named_where_no_settings_name_it(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shipped, more = (
        {row["name"] for row in barsmith("--json", "features", "list", "--workspace", elsewhere, *words).json["features"]}
        for words in ([], ["--module", workspace / "mine.py"])
    )
    assert more - shipped == {"step_3", "step_9", "place"}
    assert len(shipped) >= 60


def test_a_feature_is_described_with_its_formula(workspace: Path) -> None:
    told = barsmith("--json", "features", "describe", "step_3", "--workspace", workspace).json
    assert (told["formula"], told["params"], told["summary"]) == ("close - lag(close, 3)", {"n": 3}, "Change over n bars.")
    assert barsmith("--json", "features", "describe", "place", "--workspace", workspace).json["formula"] == "place(bars)"
    read = barsmith("features", "describe", "step_3", "--workspace", workspace).out
    assert read.startswith("step_3: Change over n bars.\n")
    assert "warm-up  4 bars of 5m\n" in read


def test_an_unknown_feature_gets_the_nearest(tmp_path: Path) -> None:
    done = barsmith("--json", "features", "describe", "rsi14", "--workspace", tmp_path)
    assert (done.code, done.error["code"]) == (2, "config/unknown-name")
    assert "rsi_14" in done.error["do"]


def test_a_model_in_the_workspace_is_found_by_itself(workspace: Path) -> None:
    rows = {row["name"]: row for row in barsmith("--json", "models", "list", "--workspace", workspace).json["models"]}
    assert list(rows) == [*SHIPPED, "even"]
    assert rows["even"] == {
        "name": "even", "family": "classical", "reads": "tabular", "needs": [], "installed": True,
        "origin": str(workspace / "models" / "even.py"), "summary": "One third for each. Source: own.",
    }  # fmt: skip
    assert [row["name"] for row in barsmith("--json", "models", "list").json["models"]] == list(SHIPPED)


def test_a_model_named_with_module_is_trained_and_bundled(walked: Walked, copied: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    own = tmp_path / "mine" / "even.py"
    own.write_text(MODEL)
    here = ("--workspace", copied)
    trained = barsmith("--json", "train", "--model", "even", "--module", own, *here)
    assert trained.code == 0, trained.out
    assert trained.json["metrics"]["val"]["log_loss"] == pytest.approx(math.log(3))
    words = ("bundle", "create", "--run", trained.json["run_dir"], "--name", "even", *here)
    own.rename(tmp_path / "mine" / "moved.py")
    forget()  # as a new process does
    assert barsmith("--json", *words).error["code"] == "bundle/code"
    assert barsmith(*words, "--module", tmp_path / "mine" / "moved.py").code == 0


@pytest.mark.parametrize(("words", "code"), [(("features", "list"), "features/module"), (("models", "list"), "models/module")])
def test_a_broken_file_of_the_users_is_told_without_a_traceback(words: tuple[str, str], code: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    done = barsmith("--json", *words, "--module", tmp_path / "broken.py", "--workspace", tmp_path)
    assert (done.code, done.error["code"]) == (2, code)
    assert "ZeroDivisionError" in done.error["came"]


def test_what_a_users_module_prints_does_not_stand_in_the_answer(tmp_path: Path) -> None:
    own = tmp_path / "talkative.py"
    own.write_text(
        'print("hello")\nfrom barsmith.features import close, feature\n\n@feature\ndef mine():\n    """One. Unit: 1."""\n    return close / close\n'
    )
    told = barsmith("--json", "features", "list", "--module", str(own))
    assert "mine" in {one["name"] for one in json.loads(told.out)["features"]}
    assert "hello" in told.err
