"""A CatBoost file is checked in full before anything walks its trees."""

from __future__ import annotations

import copy

import numpy as np
import orjson
import pytest
from drawn_rows import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.errors import IntegrityError
from barsmith.models import ModelRegistry
from barsmith.models.boosting.catboost_files import read_trees

X, Y, _ = drawn(n=120, features=3)


def booster_file() -> bytes:
    model = ModelRegistry.create("catboost", n_estimators=3, max_depth=2, n_jobs=1)
    model.fit(X, Y)
    return model._file


FILE = booster_file()
DOCUMENT = orjson.loads(FILE)


def mutated(change) -> bytes:
    document = copy.deepcopy(DOCUMENT)
    change(document, document["oblivious_trees"][1])
    return orjson.dumps(document)


def put(holder, key, value):
    holder[key] = value


FAULTS = {
    "a feature too many": lambda d, t: put(t["splits"][0], "float_feature_index", 3),
    "a feature below zero": lambda d, t: put(t["splits"][0], "float_feature_index", -1),
    "a feature with a point": lambda d, t: put(t["splits"][0], "float_feature_index", 1.0),
    "a feature that is nothing": lambda d, t: t["splits"][0].pop("float_feature_index"),
    "a border that is text": lambda d, t: put(t["splits"][0], "border", "1"),
    "a categorical split": lambda d, t: put(t["splits"][0], "split_type", "OneHotFeature"),
    "a split that is a list": lambda d, t: put(t["splits"], 0, []),
    "splits that are text": lambda d, t: put(t, "splits", "abc"),
    "leaves whose sum is infinite": lambda d, t: put(t["leaf_values"], 0, 1e308),
    "a leaf missing": lambda d, t: t["leaf_values"].pop(),
    "leaves of another depth": lambda d, t: put(t, "leaf_values", t["leaf_values"] * 2),
    "a leaf that is true": lambda d, t: put(t["leaf_values"], 0, True),
    "a leaf that is nothing": lambda d, t: put(t["leaf_values"], 0, None),
    "a weight below zero": lambda d, t: put(t["leaf_weights"], 0, -1.0),
    "a question more": lambda d, t: t["splits"].append(t["splits"][0]),
    "as many questions as would fill the memory": lambda d, t: put(t, "splits", t["splits"] * 40),
    "no trees": lambda d, t: put(d, "oblivious_trees", []),
    "a tree that is a list": lambda d, t: put(d["oblivious_trees"], 0, []),
    "trees of another kind": lambda d, t: put(d, "trees", []),
    "categorical features": lambda d, t: put(d["features_info"], "categorical_features", []),
    "no features": lambda d, t: put(d["features_info"], "float_features", []),
    "a feature missing": lambda d, t: d["features_info"]["float_features"].pop(0),
    "a feature name twice": lambda d, t: put(d["features_info"]["float_features"][0], "feature_id", "f1"),
    "a missing value that goes its own way": lambda d, t: put(d["features_info"]["float_features"][0], "has_nans", True),
    "another scale": lambda d, t: put(d["scale_and_bias"], 0, 2),
    "two biases": lambda d, t: put(d["scale_and_bias"], 1, [0.0, 0.0]),
    "a bias that is text": lambda d, t: put(d["scale_and_bias"], 1, "abc"),
    "another loss": lambda d, t: put(d["model_info"]["params"]["loss_function"], "type", "MultiClassOneVsAll"),
    "classes in another order": lambda d, t: put(d["model_info"]["class_params"], "class_to_label", [2, 1, 0]),
    "no account of itself": lambda d, t: d.pop("model_info"),
}


def code_of(data: bytes) -> str:
    with pytest.raises(IntegrityError) as error:
        read_trees(data, "bundle/model/booster.json")
    assert error.value.where == "bundle/model/booster.json"
    return error.value.code


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_of_structure_is_found(fault):
    assert code_of(mutated(FAULTS[fault])) == "bundle/structure"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bundle/format"),
        (b"CBM1\x00\x00", "bundle/format"),
        (b"{", "bundle/structure"),
        (FILE[:-10], "bundle/structure"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "bundle/structure"),
        (FILE.replace(b'"leaf_values":[', b'"leaf_values":[NaN,', 1), "bundle/structure"),
        (FILE.replace(b'"leaf_values":[', b'"leaf_values":[1e999,', 1), "bundle/structure"),
    ],
)
def test_what_is_no_such_file_is_refused(data, code):
    assert code_of(data) == code


def test_a_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.reading.MAX_BYTES", 1000)
    assert code_of(FILE) == "bundle/structure"


def usable(data: bytes) -> None:
    """Refused with a typed error, or trees whose every walk ends within their leaves."""
    try:
        trees = read_trees(data)
    except IntegrityError:
        return
    depth = np.diff(trees.starts)
    assert (np.diff(trees.leaf_starts) == 1 << depth).all()
    assert len(trees.leaves) == trees.leaf_starts[-1]
    assert trees.feature.max(initial=0) < len(trees.feature_names)
    assert trees.answers(np.ascontiguousarray(np.resize(X, (50, len(trees.feature_names))))).probabilities.shape == (50, 3)
    trees.importance()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(FILE) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_harmless(position, byte):
    usable(FILE[:position] + bytes([byte]) + FILE[position + 1 :])


def leaves(value, path=()):
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in leaves(child, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for key, child in enumerate(value) for leaf in leaves(child, (*path, key))]
    return [path]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(leaves(DOCUMENT)),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.integers(-2, 20),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=3),
    ),
)
def test_a_changed_value_is_refused_or_harmless(path, value):
    document = copy.deepcopy(DOCUMENT)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    usable(orjson.dumps(document))
