"""A model's folder."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn_rows import drawn

from barsmith.errors import IntegrityError, UsageError
from barsmith.models import BaseModel, ModelRegistry, PredictionOutput, fit_model, load_model, register, save_model
from barsmith.models.registry import registered

NAMES = ("a", "b", "c", "d", "e")
ModelRegistry.get("xgboost")  # registered before the first test looks at what is


@pytest.fixture(autouse=True)
def _register_as_it_was():
    before = dict(registered)
    yield
    registered.clear()
    registered.update(before)


class Plain(BaseModel):
    def fit(self, X_train, y_train, X_val, y_val):
        self.means, self.scale, self.note = X_train.mean(axis=0), np.float32(1.5), {"rows": len(X_train), "names": ["x"]}

    def predict(self, X):
        return PredictionOutput.of(np.tile([0.2, 0.3, 0.5], (len(X), 1)))


@pytest.fixture
def saved(tmp_path):
    model = ModelRegistry.create("xgboost", n_estimators=2, max_depth=2)
    X, y, _ = drawn(n=60)
    fit_model(model, X, y, feature_names=NAMES)
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def code_of(folder, **keywords):
    with pytest.raises(IntegrityError) as error:
        load_model(folder, **keywords)
    return error.value.code


def test_other_features_or_another_order_are_refused(saved):
    assert load_model(saved, feature_names=NAMES).feature_names == NAMES
    assert code_of(saved, feature_names=NAMES[:-1]) == "bundle/shape"
    with pytest.raises(IntegrityError, match=r"feature 0 to be 'a', came 'b'"):
        load_model(saved, feature_names=("b", "a", "c", "d", "e"))


def test_the_names_inside_the_booster_are_compared_with_the_cards(saved):
    card = json.loads((saved / "model.json").read_text())
    card["feature_names"] = ["b", "a", "c", "d", "e"]
    (saved / "model.json").write_text(json.dumps(card))
    assert code_of(saved) == "bundle/shape"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"classes": [1, 0, -1]}, "bundle/classes"),
        ({"classes": [0, 1, 2]}, "bundle/classes"),
        ({"version": 99}, "bundle/version"),
        ({"extra": 1}, "bundle/manifest"),
        ({"params": []}, "bundle/manifest"),
        ({"feature_names": "abcde"}, "bundle/manifest"),
    ],
)
def test_a_card_that_is_none_is_refused(saved, change, code):
    card = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps({**card, **change}))
    assert code_of(saved) == code


@pytest.mark.parametrize(
    ("text", "code"), [("{", "bundle/manifest"), ("[]", "bundle/manifest"), ('{"version":1,"version":1}', "bundle/manifest")]
)
def test_a_card_that_cannot_be_read_is_refused(saved, text, code):
    (saved / "model.json").write_text(text)
    assert code_of(saved) == code


def test_a_missing_file_is_told(saved):
    (saved / "booster.json").unlink()
    assert code_of(saved) == "bundle/missing-file"
    (saved / "model.json").unlink()
    assert code_of(saved) == "bundle/missing-file"


def test_a_model_that_is_not_registered_here_is_told(saved):
    card = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps({**card, "name": "my_model"}))
    with pytest.raises(UsageError) as error:
        load_model(saved)
    assert error.value.code == "config/unknown-name"


def test_plain_attributes_and_arrays_come_back(tmp_path):
    register(name="plain", family="boosting")(Plain)
    model = ModelRegistry.create("plain", depth=4)
    X, y, _ = drawn(n=60)
    fit_model(model, X, y, feature_names=NAMES)
    model.empty, model.words = np.empty((0, 3)), np.array(["a", "bc"])
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, feature_names=NAMES)
    assert loaded.means.tobytes() == model.means.tobytes()
    assert (loaded.scale, loaded.scale.dtype, loaded.note, loaded.params.depth) == (1.5, np.float32, model.note, 4)
    assert (loaded.empty.shape, loaded.words.tolist()) == ((0, 3), ["a", "bc"])


@pytest.mark.parametrize("value", [object(), (1, 2), {1: 2}, float("nan"), np.array([object()]), lambda: 1, 2**70])
def test_an_attribute_that_would_not_come_back_is_refused(tmp_path, value):
    register(name="plain", family="boosting")(Plain)
    model = ModelRegistry.create("plain")
    model.odd = value
    with pytest.raises(UsageError, match="odd, a") as error:
        save_model(model, tmp_path)
    assert error.value.code == "models/no-save"


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04K\x01.", b"\x93NUMPY\x01\x00F\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,)}"]
)
def test_an_array_that_is_none_is_refused(tmp_path, content):
    register(name="plain", family="boosting")(Plain)
    model = ModelRegistry.create("plain")
    fit_model(model, *drawn(n=60)[:2], feature_names=NAMES)
    save_model(model, tmp_path)
    (tmp_path / "array.means.npy").write_bytes(content)
    assert code_of(tmp_path) == "bundle/format"


def test_an_array_of_pickled_objects_is_refused(tmp_path):
    register(name="plain", family="boosting")(Plain)
    model = ModelRegistry.create("plain")
    fit_model(model, *drawn(n=60)[:2], feature_names=NAMES)
    save_model(model, tmp_path)
    np.save(tmp_path / "array.means.npy", np.array([{"a": 1}], object), allow_pickle=True)
    assert code_of(tmp_path) == "bundle/format"


@pytest.mark.parametrize(
    "state",
    [
        {"params": {"depth": 9}},
        {"info": {"name": "xgboost"}},
        {"feature_names": ["b"]},
        {"predict": 1},
        {"load": "x"},
        {"__class__": "x"},
        {"shown": 1},
        {"means": 1},
        ["means"],
    ],
)
def test_a_state_that_sets_what_no_fit_sets_is_refused(tmp_path, state):
    class Shows(Plain):
        shown = property(lambda self: self.note)

    register(name="plain", family="boosting")(Shows)
    model = ModelRegistry.create("plain", depth=4)
    fit_model(model, *drawn(n=60)[:2], feature_names=NAMES)
    save_model(model, tmp_path)
    content = {**json.loads((tmp_path / "state.json").read_text()), **state} if isinstance(state, dict) else state
    (tmp_path / "state.json").write_text(json.dumps(content))
    assert code_of(tmp_path) == "bundle/structure"
    (tmp_path / "state.json").write_text(json.dumps({"note": {}}))
    np.save(tmp_path / "array.predict.npy", np.ones(3))
    assert code_of(tmp_path) == "bundle/structure"


def test_a_fit_may_fill_what_the_class_declares(tmp_path):
    class Declares(Plain):
        means, note = None, None

    register(name="plain", family="boosting")(Declares)
    model = ModelRegistry.create("plain")
    fit_model(model, *drawn(n=60)[:2], feature_names=NAMES)
    save_model(model, tmp_path)
    assert load_model(tmp_path).note == model.note
    model.predict = [1.0]  # hides the method
    with pytest.raises(UsageError) as error:
        save_model(model, tmp_path)
    assert error.value.code == "models/no-save"


def test_a_users_own_save_and_load_are_called_either_way(tmp_path):
    class Own(Plain):
        def save(self, path):
            (path / "mine.txt").write_text("7")

        def load(self, path):
            self.kept = int((path / "mine.txt").read_text())

    register(name="own", family="boosting")(Own)
    model = ModelRegistry.create("own", depth=4)
    model.feature_names = NAMES
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, feature_names=NAMES)
    assert (loaded.kept, loaded.params.depth, loaded.feature_names) == (7, 4, NAMES)
    (tmp_path / "mine.txt").write_text("seven")
    assert code_of(tmp_path) == "bundle/load-failed"


def test_saving_twice_writes_the_same_bytes(saved, tmp_path):
    save_model(load_model(saved), tmp_path / "again")
    assert {p.name: p.read_bytes() for p in saved.iterdir()} == {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()}
