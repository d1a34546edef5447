"""A model's YAML."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry, load_params
from barsmith.models.registry import SHIPPED
from barsmith.models.yaml_params import DEFAULTS

CLONE = Path(__file__).parents[2]


@pytest.fixture
def write(tmp_path):
    def file(text: str, name: str = "xgboost") -> Path:
        path = tmp_path / "config" / "models" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return tmp_path

    return file


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_file_says_every_default_of_the_class(name):
    text = (DEFAULTS / f"{name}.yaml").read_text()
    cls = ModelRegistry.get(name)
    told = yaml.safe_load(text)
    assert told.pop("model") == {"type": name, "family": cls.info.family}
    assert told == cls.Params().sections()
    assert (CLONE / "config" / "models" / f"{name}.yaml").read_text() == text


def test_the_command_line_wins_over_the_workspace_and_that_over_the_defaults(write):
    workspace = write("training: {max_depth: 4, learning_rate: 0.1}\n")
    cls, params = load_params("xgboost", workspace, ["training.max_depth=8", "early_stopping.patience=5"])
    assert cls is ModelRegistry.get("xgboost")
    assert (params.max_depth, params.learning_rate, params.n_estimators, params.early_stopping.patience) == (8, 0.1, 300, 5)


def test_model_params_is_another_word_for_training(write):
    assert load_params("xgboost", write("model_params: {max_depth: 4}\n"))[1].max_depth == 4
    assert load_params("xgboost", None, ["model_params.max_depth=5"])[1].max_depth == 5
    with pytest.raises(UsageError) as error:
        load_params("xgboost", write("training: {max_depth: 4}\nmodel_params:\n  max_depth: 5\n"))
    assert (error.value.code, "line 3" in error.value.where) == ("config/duplicate-key", True)


def test_an_empty_file_and_an_empty_section_change_nothing(write):
    defaults = load_params("xgboost")[1]
    assert load_params("xgboost", write(""))[1] == defaults
    assert load_params("xgboost", write("training:\ndevice: {}\n"))[1] == defaults


@pytest.mark.parametrize(
    ("text", "code", "where", "told"),
    [
        ("training:\n  max_depht: 4\n", "config/unknown-param", "line 2", "did you mean max_depth"),
        ("trainin:\n  max_depth: 4\n", "config/unknown-key", "line 1", "did you mean training?"),
        ("training:\n  max_depth: 0\n", "config/out-of-range", "line 2", ">= 1 and <= 16"),
        ("training:\n\n  learning_rate: fast\n", "config/type", "line 3", "number"),
        ("training: 3\n", "config/type", "line 1", "names and values"),
        ("- 1\n", "config/type", "xgboost.yaml", "keys and values"),
        ("training:\n\tmax_depth: 4\n", "config/syntax", "line 2", "spaces"),
        ("training: {max_depth: 4, max_depth: 5}\n", "config/duplicate-key", "line 1", "twice"),
        ("model: {type: lightgbm}\n", "config/inconsistent", "line 1", "type: xgboost"),
        ("model: {family: neural}\n", "config/inconsistent", "line 1", "family: boosting"),
        ("model: {kind: xgboost}\n", "config/unknown-key", "line 1", "type or family"),
        ("model: xgboost\n", "config/type", "line 1", "{type, family}"),
        ("device: {use_gpu: maybe}\n", "config/type", "line 1", "auto"),
        ("device:\n  deterministic: true\n  use_gpu: true\n", "config/determinism", "line 2", "bit-identical"),
        ("training: {num_class: 2}\n", "config/inconsistent", "line 1", "3 classes"),
    ],
)
def test_a_fault_in_the_file_is_told_with_its_line(write, text, code, where, told):
    with pytest.raises(UsageError) as error:
        load_params("xgboost", write(text))
    assert error.value.code == code
    assert where in error.value.where
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("override", "code"),
    [
        ("training.max_depht=4", "config/unknown-param"),
        ("trainig.max_depth=4", "config/unknown-key"),
        ("training.max_depth=0", "config/out-of-range"),
        ("training.max_depth", "cli/usage"),
        ("max_depth=4", "config/unknown-key"),
        ("training.max_depth.deep=4", "config/type"),
    ],
)
def test_a_fault_on_the_command_line_is_told(override, code):
    with pytest.raises(UsageError) as error:
        load_params("xgboost", None, [override])
    assert error.value.code == code


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "config" / "models" / "xgboost.yaml").mkdir(parents=True)
    with pytest.raises(UsageError) as error:
        load_params("xgboost", tmp_path)
    assert error.value.code == "config/not-found"


def test_a_typo_in_the_name_gets_a_suggestion(tmp_path):
    with pytest.raises(UsageError) as error:
        load_params("xgbost", tmp_path)
    assert error.value.code == "config/unknown-name"
