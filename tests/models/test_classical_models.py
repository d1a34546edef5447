"""Random forest, support vectors, ridge: our sums against scikit-learn's, calibration, files."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from drawn_rows import drawn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from barsmith.errors import IntegrityError, UsageError
from barsmith.metrics.classification import weighted_log_loss
from barsmith.models import ModelRegistry, fit_model, load_model, save_model
from barsmith.models.classical import svm
from barsmith.models.classical.calibration import FEW, NOTE, matrix_scaling, parted
from barsmith.models.classical.solving import solving

SMALL = {"random_forest": {"n_estimators": 8, "max_depth": 5, "min_samples_leaf": 3, "n_jobs": 1}, "svm": {"n_components": 40}, "ridge": {}}
CALIBRATED = ("svm", "ridge")


def fitted(name, *rows, **params):
    model = ModelRegistry.create(name, **{**SMALL[name], **params})
    return model, fit_model(model, *rows)


@pytest.mark.parametrize("params", [{}, {"max_depth": 12, "min_samples_leaf": 1}, {"max_samples": 1.0}, {"criterion": "entropy"}])
def test_the_forest_gives_scikit_learns_probabilities_to_the_last_bits(params):
    X, y, weight = drawn(n=400)
    model = ModelRegistry.create("random_forest", **{**SMALL["random_forest"], **params})
    model.fit(X, y, weight_train=weight, seed=5)
    set_to = {**SMALL["random_forest"], "max_samples": 0.5, **params, "n_jobs": 1, "random_state": 5}
    theirs = RandomForestClassifier(**{**set_to, "max_samples": None if set_to["max_samples"] == 1.0 else 0.5}).fit(
        X, y, sample_weight=weight
    )
    thresholds = np.unique(np.concatenate([each.tree_.threshold[each.tree_.feature >= 0] for each in theirs.estimators_])).astype(
        np.float32
    )
    edges = [
        np.resize(f(thresholds), (200, 5))
        for f in (np.array, lambda t: np.nextafter(t, np.float32(-9)), lambda t: np.nextafter(t, np.float32(9)))
    ]
    rows = np.concatenate([X, drawn(n=500, seed=9)[0], *edges])
    assert np.abs(model.predict(rows).probabilities - theirs.predict_proba(rows)).max() < 1e-15
    assert list(model.get_feature_importance().values()) == pytest.approx(theirs.feature_importances_.tolist(), abs=1e-12)


def test_the_number_of_threads_changes_no_bit_of_the_forest():
    X, y, _ = drawn(n=400)
    one, two = (fitted("random_forest", X, y, n_jobs=threads)[0].predict(X).probabilities for threads in (1, 2))
    assert one.tobytes() == two.tobytes()


def test_the_approximate_machine_decides_as_scikit_learns_pipeline():
    X, y, weight = drawn(n=300)
    parts = parted(X, y, weight, X, y, weight)
    params = ModelRegistry.create("svm", n_components=50).params
    found = svm.approximate(parts, params, 0.2, 7).margins(X)
    space = Nystroem(kernel="rbf", gamma=0.2, n_components=50, random_state=7)
    theirs = make_pipeline(space, LinearSVC(C=1.0, dual=False)).fit(parts.X, y, linearsvc__sample_weight=weight.astype(np.float64))
    assert np.abs(found - theirs.decision_function(X.astype(np.float64))).max() < 1e-6


def test_the_exact_machine_decides_as_libsvm():
    X, y, weight = drawn(n=250)
    parts = parted(X, y, weight, X, y, weight)
    found = svm.exact(parts, ModelRegistry.create("svm", kernel="exact", C=2.0).params, 0.3, 7).margins(X)
    theirs = SVC(C=2.0, gamma=0.3, decision_function_shape="ovo").fit(parts.X, y, sample_weight=weight)
    assert np.abs(found - theirs.decision_function(X.astype(np.float64))).max() < 1e-9


def test_the_exact_machine_says_how_many_rows_it_takes():
    X, y, _ = drawn(n=101)
    with pytest.raises(UsageError, match="max_exact_rows") as error:
        fitted("svm", X, y, X, y, kernel="exact", max_exact_rows=100)
    assert error.value.code == "models/too-many-rows"
    model, _ = fitted("svm", X[:100], y[:100], X, y, kernel="exact", max_exact_rows=100)
    assert (model.predict(X).classes == y).mean() > 0.6


def test_ridge_orders_the_classes_as_scikit_learns_classifier():
    X, y, _ = drawn(n=2000)
    model, _ = fitted("ridge", X, y, X, y)
    values = RidgeClassifier(alpha=1.0, solver="cholesky").fit(X.astype(np.float64), y).decision_function(X.astype(np.float64))
    A, c = matrix_scaling(values, y, np.ones(len(y)), [])
    margins = values @ A.T + c
    odds = np.exp(margins - margins.max(axis=1, keepdims=True))
    assert np.abs(model.predict(X).probabilities - odds / odds.sum(axis=1, keepdims=True)).max() < 1e-9


def test_matrix_scaling_finds_the_odds_that_made_the_classes():
    random = np.random.default_rng(2)
    decisions = random.normal(size=(60_000, 3)) * 5.0
    margins = 0.3 * decisions + np.array([0.5, 0.0, -0.5])
    odds = np.exp(margins)
    odds /= odds.sum(axis=1, keepdims=True)
    y = (random.uniform(size=(60_000, 1)) > odds.cumsum(axis=1)).sum(axis=1) - 1
    A, c = matrix_scaling(decisions, y.astype(np.int8), np.ones(60_000), [])
    found = np.exp(decisions @ A.T + c)
    assert np.abs(found / found.sum(axis=1, keepdims=True) - odds).max() < 0.02


def test_matrix_scaling_leaves_a_class_without_rows_possible():
    _, c = matrix_scaling(np.zeros((98, 3)), np.repeat([-1, 1], 49).astype(np.int8), np.ones(98), [])
    odds = np.exp(c) / np.exp(c).sum()
    assert odds == pytest.approx([50 / 101, 1 / 101, 50 / 101], abs=1e-3)


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_probabilities_are_those_of_the_inner_slice_not_of_the_training_rows(name):
    X, y, _ = drawn(n=600)
    inner_X, inner_y, _ = drawn(n=3000, seed=4)
    inner_y = np.where(np.random.default_rng(1).uniform(size=3000) < 0.5, inner_y, np.int8(0)).astype(np.int8)
    model, told = fitted(name, X, y, inner_X, inner_y)
    assert model.predict(inner_X).probabilities.mean(axis=0) == pytest.approx([(inner_y == k).mean() for k in (-1, 0, 1)], abs=0.01)
    assert told.notes == ()


@pytest.mark.parametrize("name", CALIBRATED)
def test_without_an_inner_slice_the_last_rows_calibrate_and_the_model_has_not_seen_them(name):
    X, y, _ = drawn(n=400)
    model, told = fitted(name, X, y)
    given, _ = fitted(name, X[:300], y[:300], X[320:], y[320:])
    assert told.notes == (NOTE,)
    assert model.predict(X).probabilities.tobytes() == given.predict(X).probabilities.tobytes()


@pytest.mark.parametrize("name", CALIBRATED)
def test_a_handful_of_rows_trains_and_says_what_it_is_worth(name):
    X, y, _ = drawn(n=12)
    assert fitted(name, X, y)[1].notes == (FEW,)
    assert fitted(name, X[:1], y[:1])[0].predict(X).probabilities.shape == (12, 3)


@pytest.mark.parametrize("params", [{}, {"kernel": "exact"}])
def test_rows_without_weight_are_none_to_the_machine(params, capfd):
    X, y, _ = drawn(n=200)
    weight = (y != 1).astype(np.float32)
    model = ModelRegistry.create("svm", n_components=20, **params)
    fit_model(model, X, y, X, y, weight_train=weight, weight_val=weight)
    assert model.predict(X).probabilities[:, 2].max() < 0.1
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize("name", SMALL)
def test_it_learns_more_than_the_shares_of_the_classes(name):
    X, y, _ = drawn(n=1500)
    fresh_X, fresh_y, _ = drawn(n=1500, seed=8)
    model, _ = fitted(name, X, y, *drawn(n=500, seed=21)[:2])
    shares = np.tile([(y == k).mean() for k in (-1, 0, 1)], (1500, 1))
    assert weighted_log_loss(fresh_y, model.predict(fresh_X).probabilities) < 0.97 * weighted_log_loss(fresh_y, shares)


FILES = {
    "random_forest": ("starts", "left", "right", "feature", "threshold", "leaf", "gain"),
    "svm": ("landmarks", "weights", "intercepts", "gamma"),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    X, y, _ = drawn(n=200)
    for name in FILES:
        save_model(
            fitted(name, X, y, n_estimators=3)[0] if name == "random_forest" else fitted(name, X, y, n_components=5)[0], folder / name
        )
    return folder


def reloaded(folder, file, content):
    """What happens to the model when one of its files holds something else."""
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        model = load_model(folder)
        assert model.predict(drawn(n=20)[0]).probabilities.shape == (20, 3)
        return ""
    except IntegrityError as error:
        return error.code
    finally:
        file.write_bytes(before)


def changed(array, change):
    array = np.array(array)
    change(array)
    return array


FAULTS = [
    ("random_forest", "left", lambda a: a.__setitem__(0, 0)),
    ("random_forest", "left", lambda a: a.__setitem__(0, 10_000_000)),
    ("random_forest", "left", lambda a: a.__setitem__(0, -7)),
    ("random_forest", "right", lambda a: a.__setitem__(0, 1)),
    ("random_forest", "feature", lambda a: a.__setitem__(0, 5)),
    ("random_forest", "feature", lambda a: a.__setitem__(slice(None), -1)),
    ("random_forest", "starts", lambda a: a.__setitem__(1, 0)),
    ("random_forest", "starts", lambda a: a.__setitem__(-1, 2**62)),
    ("random_forest", "threshold", lambda a: a.__setitem__(0, np.nan)),
    ("random_forest", "leaf", lambda a: a.__setitem__((-1, 0), 0.7)),
    ("random_forest", "leaf", lambda a: a.__setitem__((0, 0), 1.0)),
    ("random_forest", "gain", lambda a: a.__setitem__(0, -1.0)),
    ("svm", "weights", lambda a: a.__setitem__((0, 0), 1e200)),
    ("svm", "gamma", lambda a: a.__setitem__(0, -1.0)),
    ("svm", "landmarks", lambda a: a.__setitem__((0, 0), np.inf)),
]


@pytest.mark.parametrize(("name", "array", "change"), FAULTS)
def test_a_planted_fault_of_structure_is_found(saved, tmp_path, name, array, change):
    file = saved / name / f"{array}.npy"
    np.save(tmp_path / "changed.npy", changed(np.load(file), change))
    assert reloaded(saved / name, file, (tmp_path / "changed.npy").read_bytes()) == "bundle/structure"


@pytest.mark.parametrize(("name", "array"), [(name, array) for name, arrays in FILES.items() for array in arrays])
def test_another_array_or_none_is_refused(saved, tmp_path, name, array):
    file = saved / name / f"{array}.npy"
    known = np.load(file)
    for number, other in enumerate((known[:-1], known.astype(np.complex64), known[None], np.array(["a"]), np.empty(0))):
        np.save(tmp_path / f"{number}.npy", other)
        assert reloaded(saved / name, file, (tmp_path / f"{number}.npy").read_bytes()) == "bundle/structure", number
    assert reloaded(saved / name, file, b"") == "bundle/format"
    assert reloaded(saved / name, file, b"PK\x03\x04") == "bundle/format"
    assert reloaded(saved / name, file, b"\x80\x04\x95") == "bundle/format"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_byte_or_a_cut_is_refused_or_harmless(saved, data):
    name = data.draw(st.sampled_from(sorted(FILES)))
    file = saved / name / f"{data.draw(st.sampled_from(FILES[name]))}.npy"
    content = bytearray(file.read_bytes())
    position = data.draw(st.integers(0, min(160, len(content) - 1)) | st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    reloaded(saved / name, file, bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]))


def test_an_svm_that_is_cut_short_says_so_and_prints_nothing(capfd, monkeypatch):
    X, y, _ = drawn(n=400)
    assert fitted("svm", X, y, X, y)[1].notes == ()
    monkeypatch.setattr("barsmith.models.classical.svm.ITERATIONS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, told = fitted("svm", X, y, X, y)
    assert told.notes == ("a machine did not converge in 1 iterations: scale the rows, or lower training.C",)
    assert tuple(capfd.readouterr()) == ("", "")


def test_another_warning_of_a_solver_is_passed_on():
    notes = []
    with pytest.warns(RuntimeWarning, match="overflow"), solving(notes, "not heard"):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
    assert notes == []
