"""`models list` and `models describe`: what they say, and that they import no learning library to say it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from command import barsmith, environment, process

from barsmith.models.registry import FAMILIES, SHIPPED, ModelRegistry

LIBRARIES = ("torch", "xgboost", "lightgbm", "catboost", "sklearn", "mlflow", "skops", "pandas", "safetensors")
BLOCKED = """
import json, sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in LIBRARIES else PathFinder.find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from barsmith.cli import main
codes = {name: main(["models", "describe", name, "--json"]) for name in NAMES}
print(json.dumps(codes), file=sys.stderr)
"""


def test_every_shipped_model_is_described_where_no_library_is_installed(tmp_path: Path) -> None:
    code = BLOCKED.replace("LIBRARIES", repr(LIBRARIES)).replace("NAMES", repr(list(SHIPPED)))
    done = process(launch=[sys.executable, "-c", code], cwd=tmp_path, env=environment())
    codes = json.loads(done.stderr.decode().splitlines()[-1])
    assert codes == dict.fromkeys(SHIPPED, 0), done.stdout.decode()
    told = {one["name"]: one for one in map(json.loads, done.stdout.decode().splitlines())}
    assert {name for name, one in told.items() if one["needs"] and one["installed"]} == set()
    assert told["xgboost"]["install"].startswith("pip install xgboost")


ASKED = """
from barsmith.cli.train_all import check_all_used, names_asked, overrides_for
from barsmith.errors import UsageError
from barsmith.models import ModelRegistry

names = names_asked("all")
own = {name: overrides_for(name, ["training.C=2.0"]) for name in names}
check_all_used(names, own, ["training.C=2.0"])
told = {}
for name in NAMES:
    try:
        ModelRegistry.get(name)
    except UsageError as error:
        told[name] = [error.code, error.do]
print(json.dumps({"names": names, "told": told}), file=sys.stderr)
"""


def test_models_without_their_library_are_asked_for_with_all_others_and_say_what_they_lack(tmp_path: Path) -> None:
    """Found by a review: without PyTorch `train --model all` trained nothing."""
    code = BLOCKED.partition("from barsmith.cli import main")[0] + ASKED
    code = code.replace("LIBRARIES", repr(LIBRARIES)).replace("NAMES", repr(["lstm", "tft"]))
    done = process(launch=[sys.executable, "-c", code], cwd=tmp_path, env=environment())
    found = json.loads(done.stderr.decode().splitlines()[-1])
    assert {"xgboost", "logistic", "lstm", "tft"} <= set(found["names"])
    assert {code for code, _ in found["told"].values()} == {"models/missing-library"}
    assert all("barsmith[neural]" in do for _, do in found["told"].values())


def test_models_are_listed_by_family(tmp_path: Path) -> None:
    said = barsmith("models", "list", "--workspace", tmp_path)
    families = [line.strip() for line in said.out.splitlines() if line.strip() in FAMILIES]
    assert families == [name for name in FAMILIES if name in families]
    assert {"boosting", "classical"} <= set(families)
    lines = said.out.splitlines()
    assert lines.index(next(line for line in lines if line.startswith(" logistic "))) > lines.index(
        next(line for line in lines if line.strip() == "classical")
    )
    assert barsmith("train", "--list-models", "--workspace", tmp_path).out == said.out


def test_a_description_has_the_parameters_that_set_takes(tmp_path: Path) -> None:
    told = barsmith("--json", "models", "describe", "xgboost", "--workspace", tmp_path).json
    by_key = {one["key"]: one for one in told["parameters"]}
    assert by_key["training.max_depth"] == {
        "key": "training.max_depth", "type": "whole number, at least 1, at most 16", "default": 6, "value": 6,
        "what": "splits from a tree's root to its leaves",
    }  # fmt: skip
    assert (told["family"], told["reads"], told["source"], told["yaml"]) == (
        "boosting",
        "tabular",
        "Chen & Guestrin (2016).",
        "config/models/xgboost.yaml",
    )
    assert set(ModelRegistry.get("xgboost").Params().sections()["training"]) == {
        key.removeprefix("training.") for key in by_key if key.startswith("training.")
    }


def test_a_value_of_the_workspaces_own_file_stands_beside_the_default(tmp_path: Path) -> None:
    file = tmp_path / "config" / "models" / "xgboost.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("training: {max_depth: 9}\n")
    told = barsmith("--json", "models", "describe", "xgboost", "--workspace", tmp_path).json
    assert {one["key"]: (one["default"], one["value"]) for one in told["parameters"]}["training.max_depth"] == (6, 9)
    assert "here" in barsmith("models", "describe", "xgboost", "--workspace", tmp_path).out
    file.write_text("training: {max_dept: 9}\n")
    wrong = barsmith("--json", "models", "describe", "xgboost", "--workspace", tmp_path)
    assert (wrong.code, wrong.error["code"]) == (2, "config/unknown-param")
    assert "did you mean max_depth" in wrong.error["do"]


OWN = '''
from pydantic import Field
from barsmith.models import BaseModel, ModelParams, PredictionOutput, register

@register(name="needy", family="classical")
class Needy(BaseModel):
    """One third for each. Source: own."""

    class Params(ModelParams):
        width: float = Field(gt=0, description="how wide it looks")
        layers: tuple[int, ...] = (64, 32)

    def fit(self, X_train, y_train, X_val, y_val): ...
    def predict(self, X): ...
'''


def test_a_users_model_is_described_from_its_fields_even_where_one_must_still_be_given(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "needy.py").write_text(OWN)
    told = barsmith("--json", "models", "describe", "needy", "--workspace", tmp_path).json
    first, second = told["parameters"][:2]
    assert first == {"key": "training.width", "type": "number, above 0", "default": "required", "value": None, "what": "how wide it looks"}
    assert (second["default"], second["type"]) == ([64, 32], "list of whole numbers")
    assert told["file"] == str(tmp_path / "models" / "needy.py")


@pytest.mark.parametrize(("name", "near"), [("xgbost", "did you mean xgboost"), ("XGBoost", "did you mean xgboost")])
def test_an_unknown_model_gets_the_nearest(name: str, near: str, tmp_path: Path) -> None:
    done = barsmith("--json", "models", "describe", name, "--workspace", tmp_path)
    assert (done.code, done.error["code"]) == (2, "config/unknown-name")
    assert done.error["do"].startswith(near)
