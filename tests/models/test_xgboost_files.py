"""A booster's file is checked in full before anything walks its trees."""

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
from barsmith.models.boosting.xgboost_files import read_forest
from barsmith.models.trees.flat_trees import FlatTrees

X, Y, _ = drawn(n=120, features=3)


def booster_file() -> bytes:
    model = ModelRegistry.create("xgboost", n_estimators=3, max_depth=3, min_child_weight=0.0, n_jobs=1)
    model.fit(X, Y)
    return model._file


FILE = booster_file()
DOCUMENT = orjson.loads(FILE)


def mutated(change) -> bytes:
    document = copy.deepcopy(DOCUMENT)
    learner = document["learner"]
    change(document, learner, learner["gradient_booster"]["model"], learner["gradient_booster"]["model"]["trees"][1])
    return orjson.dumps(document)


def code_of(data: bytes) -> str:
    with pytest.raises(IntegrityError) as error:
        read_forest(data, "bundle/model/booster.json")
    assert error.value.where == "bundle/model/booster.json"
    return error.value.code


def put(holder, key, value):
    holder[key] = value


def first_inner(tree):
    return next(i for i, child in enumerate(tree["left_children"]) if child != -1 and i > 0)


STRUCTURE = {
    "child out of range": lambda d, l, m, t: put(t["left_children"], 0, len(t["left_children"])),
    "child far out of range": lambda d, l, m, t: put(t["right_children"], 0, 2**31),
    "child beyond 64 bits": lambda d, l, m, t: put(t["right_children"], 0, 2**64 - 1),
    "child below zero": lambda d, l, m, t: put(t["left_children"], 0, -5),
    "a cycle": lambda d, l, m, t: put(t["left_children"], first_inner(t), 0),
    "its own child": lambda d, l, m, t: put(t["left_children"], first_inner(t), first_inner(t)),
    "one child": lambda d, l, m, t: put(t["left_children"], 0, -1),
    "a node reached twice": lambda d, l, m, t: put(t["left_children"], 0, t["right_children"][0]),
    "another parent": lambda d, l, m, t: put(t["parents"], 1, 5),
    "a root with a parent": lambda d, l, m, t: put(t["parents"], 0, 0),
    "a feature too many": lambda d, l, m, t: put(t["split_indices"], 0, 3),
    "a feature below zero": lambda d, l, m, t: put(t["split_indices"], 0, -1),
    "a shorter array": lambda d, l, m, t: t["split_conditions"].pop(),
    "a longer array": lambda d, l, m, t: t["split_indices"].append(0),
    "a threshold that is text": lambda d, l, m, t: put(t["split_conditions"], 0, "1.0"),
    "a threshold that is nothing": lambda d, l, m, t: put(t["split_conditions"], 0, None),
    "a threshold beyond float32": lambda d, l, m, t: put(t["split_conditions"], 0, 1e39),
    "a gain beyond float32": lambda d, l, m, t: put(t["loss_changes"], 0, -1e308),
    "a base score beyond float32": lambda d, l, m, t: put(l["learner_model_param"], "base_score", "[1e39,0,0]"),
    "an index with a point": lambda d, l, m, t: put(t["left_children"], 0, 1.0),
    "an index that is true": lambda d, l, m, t: put(t["left_children"], 0, True),
    "a list in a list": lambda d, l, m, t: put(t["left_children"], 0, [1]),
    "a categorical split": lambda d, l, m, t: put(t["split_type"], 0, 1),
    "categories": lambda d, l, m, t: t["categories"].append(1),
    "a deleted node": lambda d, l, m, t: put(t["tree_param"], "num_deleted", "1"),
    "another number of nodes": lambda d, l, m, t: put(t["tree_param"], "num_nodes", "9999"),
    "another number of features in the tree": lambda d, l, m, t: put(t["tree_param"], "num_feature", "4"),
    "another tree number": lambda d, l, m, t: put(t, "id", 7),
    "no trees": lambda d, l, m, t: put(m, "trees", []),
    "a tree missing": lambda d, l, m, t: m["trees"].pop(),
    "trees counted otherwise": lambda d, l, m, t: put(m["gbtree_model_param"], "num_trees", "900"),
    "random forest": lambda d, l, m, t: put(m["gbtree_model_param"], "num_parallel_tree", "2"),
    "classes in another order": lambda d, l, m, t: put(m, "tree_info", m["tree_info"][::-1]),
    "a class too many": lambda d, l, m, t: put(m["tree_info"], 0, 3),
    "rounds of another size": lambda d, l, m, t: put(m, "iteration_indptr", [0, 9]),
    "another booster": lambda d, l, m, t: put(l["gradient_booster"], "name", "dart"),
    "another objective": lambda d, l, m, t: put(l["objective"], "name", "binary:logistic"),
    "five classes": lambda d, l, m, t: put(l["learner_model_param"], "num_class", "5"),
    "another number of features": lambda d, l, m, t: put(l["learner_model_param"], "num_feature", "4"),
    "a base score that is text": lambda d, l, m, t: put(l["learner_model_param"], "base_score", "[a,b,c]"),
    "a base score that is not finite": lambda d, l, m, t: put(l["learner_model_param"], "base_score", "[nan,0,0]"),
    "two base scores": lambda d, l, m, t: put(l["learner_model_param"], "base_score", "[1,2]"),
    "a feature name twice": lambda d, l, m, t: put(l["feature_names"], 0, "f1"),
    "a feature name that is a number": lambda d, l, m, t: put(l["feature_names"], 0, 1),
    "a feature name missing": lambda d, l, m, t: l["feature_names"].pop(),
    "another version": lambda d, l, m, t: put(d, "version", [99, 0, 0]),
    "no learner": lambda d, l, m, t: d.pop("learner"),
    "a learner that is a list": lambda d, l, m, t: put(d, "learner", []),
    "a tree that is a list": lambda d, l, m, t: put(m["trees"], 0, []),
}


@pytest.mark.parametrize("fault", STRUCTURE)
def test_a_planted_fault_of_structure_is_found(fault):
    assert code_of(mutated(STRUCTURE[fault])) == "bundle/structure"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bundle/format"),
        (b"\x80\x04\x95", "bundle/format"),  # a pickle
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner", "bundle/structure"),  # XGBoost's binary JSON
        (b"{", "bundle/structure"),
        (FILE[:-10], "bundle/structure"),
        (FILE + b"x", "bundle/structure"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "bundle/structure"),
        (FILE.replace(b'"split_conditions":[', b'"split_conditions":[NaN,', 1), "bundle/structure"),
    ],
)
def test_what_is_no_such_file_is_refused(data, code):
    assert code_of(data) == code


def test_a_file_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("barsmith.models.boosting.reading.MAX_BYTES", 1000)
    assert code_of(FILE) == "bundle/structure"


def test_a_tree_deeper_than_any_of_ours_is_refused(monkeypatch):
    monkeypatch.setattr("barsmith.models.trees.forest.MAX_DEPTH", 2)
    assert code_of(FILE) == "bundle/structure"


def usable(data: bytes) -> None:
    """Refused with a typed error, or a forest whose every walk ends within its nodes."""
    try:
        forest = read_forest(data)
    except IntegrityError:
        return
    trees = FlatTrees.of(forest)
    children = trees.nodes[:, 2].astype(np.int64)
    assert children.max() < len(children)
    assert trees.nodes[:, 0].max() < len(forest.feature_names)
    probabilities = trees.answers(np.ascontiguousarray(np.resize(X, (50, len(forest.feature_names))))).probabilities
    assert probabilities.shape == (50, 3)


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
