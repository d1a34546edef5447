"""A user's own model files."""

from __future__ import annotations

import numpy as np
import pytest

from barsmith.errors import UsageError
from barsmith.models import ModelRegistry, TrainingMetrics, discover, fit_model, load_model, load_params, predict_model, save_model
from barsmith.models.discovery import forget

#: As it stands in the user's documents.
LITERAL = """
import numpy as np
from barsmith.models import register, BaseModel, ModelRegistry, TrainingMetrics, PredictionOutput


@register(name="my_model", family="boosting")
class MyModel(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val, **kwargs):
        self.shares = np.array([(y_train == k).mean() for k in (-1, 0, 1)])
        self.given = sorted(kwargs)

    def predict(self, X):
        probabilities = np.tile(self.shares, (len(X), 1))
        return PredictionOutput(np.full(len(X), self.shares.argmax() - 1), probabilities)
"""
X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([1, 1, 1, 0, -1, 1], np.int8)


@pytest.fixture(autouse=True)
def _forget():
    yield
    forget()


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "my_model.py").write_text(LITERAL)
    return tmp_path


def test_the_example_of_the_documents_trains_predicts_and_is_stored(workspace):
    assert discover(workspace) == ["my_model"]
    assert ModelRegistry.info("my_model").reads == "tabular"
    cls, params = load_params("my_model", workspace, ["training.depth=3"])
    model = cls(params)
    metrics = fit_model(model, X, Y, X, Y, feature_names=("a", "b"))
    assert isinstance(metrics, TrainingMetrics)
    assert (metrics.n_fit, metrics.seed) == (6, 42)
    assert model.given == ["checkpoint", "feature_names", "progress", "seed", "weight_train", "weight_val"]
    assert predict_model(model, X).signal.tolist() == [1] * 6
    save_model(model, workspace / "saved")
    loaded = load_model(workspace / "saved", feature_names=("a", "b"))
    assert predict_model(loaded, X).probabilities.tobytes() == predict_model(model, X).probabilities.tobytes()
    assert loaded.params.depth == 3


def test_settings_of_a_users_model_stand_in_its_own_yaml(workspace):
    folder = workspace / "config" / "models"
    folder.mkdir(parents=True)
    (folder / "my_model.yaml").write_text(
        "model: {type: my_model, family: boosting}\ntraining: {depth: 5}\nearly_stopping: {patience: 7}\n"
    )
    discover(workspace)
    params = load_params("my_model", workspace)[1]
    assert (params.depth, params.early_stopping.patience) == (5, 7)


def test_a_named_file_is_loaded_beside_those_that_are_found(workspace):
    (workspace / "own.py").write_text(LITERAL.replace("my_model", "own_model"))
    assert discover(workspace, ["own.py"]) == ["my_model", "own_model"]
    assert discover(workspace, ["models/my_model.py"]) == ["my_model"]  # once, though found and named


def test_helpers_are_left_alone(workspace):
    (workspace / "models" / "_private.py").write_text("raise RuntimeError('never run')")
    (workspace / "models" / "arithmetic.py").write_text("def double(x): return 2 * x")
    assert discover(workspace) == ["my_model"]


def test_another_workspace_has_its_own_models(workspace, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "models").mkdir()
    (other / "models" / "my_model.py").write_text(LITERAL.replace('"boosting"', '"classical"'))
    discover(workspace)
    discover(other)
    assert ModelRegistry.info("my_model").family == "classical"
    discover(tmp_path_factory.mktemp("empty"))
    assert "my_model" not in ModelRegistry.list_all()


def test_an_edited_file_is_read_again(workspace):
    discover(workspace)
    (workspace / "models" / "my_model.py").write_text(LITERAL.replace('name="my_model"', 'name="my_better_model"'))
    assert discover(workspace) == ["my_better_model"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def broken(:", "SyntaxError"),
        ("import no_such_library", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("x = 1", "none"),
        (None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(workspace, source, told):
    if source is not None:
        (workspace / "own.py").write_text(source)
    with pytest.raises(UsageError, match=told) as error:
        discover(workspace, ["own.py"])
    assert error.value.code == "models/module"
    assert error.value.where.endswith("own.py")


def test_two_files_may_not_register_one_name(workspace):
    (workspace / "models" / "another.py").write_text(LITERAL)
    with pytest.raises(UsageError) as error:
        discover(workspace)
    assert error.value.code == "config/duplicate-name"
