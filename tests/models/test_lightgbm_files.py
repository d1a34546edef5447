"""A LightGBM file is checked in full before anything walks its trees."""

from __future__ import annotations

import re

import numpy as np
import pytest
from drawn_rows import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from barsmith.errors import IntegrityError
from barsmith.models import ModelRegistry
from barsmith.models.boosting.lightgbm_files import read_forest
from barsmith.models.trees.flat_trees import FlatTrees

X, Y, _ = drawn(n=120, features=3)


def booster_file() -> bytes:
    model = ModelRegistry.create("lightgbm", n_estimators=3, num_leaves=6, min_child_samples=3, n_jobs=1)
    model.fit(X, Y)
    return model._file


FILE = booster_file()
TREE_1 = FILE[FILE.index(b"Tree=1") : FILE.index(b"Tree=2")]


def swapped(name: str, change) -> bytes:
    """The file with the values of one line of tree 1 changed."""
    line = re.search(rf"^{name}=(.*)$".encode(), TREE_1, re.M)
    values = line[1].decode().split(" ")
    change(values)
    tree = TREE_1.replace(line[0], f"{name}={' '.join(map(str, values))}".encode())
    return FILE.replace(TREE_1, tree)


def put(key, value):
    return lambda values: values.__setitem__(key, value)


FAULTS = {
    "child out of range": swapped("left_child", put(0, 5)),
    "leaf out of range": swapped("right_child", put(0, -7)),
    "child beyond 32 bits": swapped("left_child", put(0, 2**40)),
    "child beyond 64 bits": swapped("left_child", put(0, 2**70)),
    "a cycle": swapped("left_child", put(1, 0)),
    "its own child": swapped("left_child", put(1, 1)),
    "a leaf reached twice": swapped("left_child", put(4, -1)),
    "a feature too many": swapped("split_feature", put(0, 3)),
    "a feature below zero": swapped("split_feature", put(0, -1)),
    "a feature with a fraction": swapped("split_feature", put(0, 0.5)),
    "a categorical split": swapped("decision_type", put(0, 1)),
    "a missing value that goes its own way": swapped("decision_type", put(0, 10)),
    "a threshold that is text": swapped("threshold", put(0, "x")),
    "a threshold that is not finite": swapped("threshold", put(0, "nan")),
    "a leaf that is not finite": swapped("leaf_value", put(0, "inf")),
    "a leaf beyond 64 bits": swapped("leaf_value", put(0, "1e999")),
    "leaves whose sum is infinite": swapped("leaf_value", put(0, "1e308")),
    "a leaf missing": swapped("leaf_value", list.pop),
    "a leaf too many": swapped("leaf_value", lambda values: values.append("0")),
    "a number of leaves that is no number": swapped("num_leaves", put(0, "x")),
    "leaves beyond memory": swapped("num_leaves", put(0, 2_000_000_000)),
    "no leaves": swapped("num_leaves", put(0, 0)),
    "fewer than no leaves": swapped("num_leaves", put(0, -3)),
    "categories": swapped("num_cat", put(0, 1)),
    "linear leaves": swapped("is_linear", put(0, 1)),
    "a line twice": FILE.replace(b"shrinkage=1\n", b"shrinkage=1\nshrinkage=1\n", 1),
    "a line missing": FILE.replace(b"shrinkage=1\n", b"", 1),
    "a tree missing": FILE.replace(b"\n" + TREE_1, b"\n"),
    "a tree twice": FILE.replace(b"\nTree=2\n", b"\nTree=1\n"),
    "five classes": FILE.replace(b"num_class=3", b"num_class=5"),
    "one tree a round": FILE.replace(b"num_tree_per_iteration=3", b"num_tree_per_iteration=1"),
    "another objective": FILE.replace(b"objective=multiclass num_class:3", b"objective=multiclassova num_class:3 sigmoid:1"),
    "a mean instead of a sum": FILE.replace(b"tree_sizes=", b"average_output\ntree_sizes="),
    "another number of features": FILE.replace(b"max_feature_idx=2", b"max_feature_idx=9"),
    "a feature name twice": FILE.replace(b"feature_names=f0 f1 f2", b"feature_names=f0 f1 f1"),
    "a feature without a name": FILE.replace(b"feature_names=f0 f1 f2", b"feature_names=f0  f2"),
    "cut off": FILE[: len(FILE) // 3],
    "no trees": FILE[: FILE.index(b"\n\nTree=0")] + b"\nend of trees\n",
    "no UTF-8": FILE.replace(b"shrinkage=1\n", b"shrinkage=\xff\n", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_of_structure_is_found(fault):
    assert FAULTS[fault] != FILE
    with pytest.raises(IntegrityError) as error:
        read_forest(FAULTS[fault], "bundle/model/booster.txt")
    assert (error.value.code, error.value.where) == ("bundle/structure", "bundle/model/booster.txt")


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95", b"tree\nversion=v3\n", b"{}"])
def test_what_is_no_such_file_is_refused(data):
    with pytest.raises(IntegrityError) as error:
        read_forest(data)
    assert error.value.code == "bundle/format"


@pytest.mark.parametrize("limit", ["boosting.reading.MAX_BYTES", "trees.forest.MAX_DEPTH"])
def test_what_is_larger_than_any_of_ours_is_refused(monkeypatch, limit):
    monkeypatch.setattr(f"barsmith.models.{limit}", 1)
    with pytest.raises(IntegrityError) as error:
        read_forest(FILE)
    assert error.value.code == "bundle/structure"


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
    assert trees.nodes[:, 3].max() < len(trees.leaves)
    assert trees.answers(np.ascontiguousarray(np.resize(X, (50, len(forest.feature_names))))).probabilities.shape == (50, 3)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, FILE.index(b"end of trees")), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_harmless(position, byte):
    usable(FILE[:position] + bytes([byte]) + FILE[position + 1 :])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(FILE)), st.integers(0, 40))
def test_a_cut_or_doubled_part_is_refused_or_harmless(position, length):
    usable(FILE[:position])
    usable(FILE[:position] + FILE[position + length :])
    usable(FILE[: position + length] + FILE[position:])


NUMBERS = [match.span() for match in re.finditer(rb"(?<=[ =])-?[0-9][0-9.e+-]*", FILE[: FILE.index(b"end of trees")])]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NUMBERS), st.integers(-(2**70), 2**70) | st.integers(-8, 8) | st.floats(), st.booleans())
def test_a_changed_number_is_refused_or_harmless(span, number, is_doubled):
    text = str(number).encode() * (1 + is_doubled)
    usable(FILE[: span[0]] + text + FILE[span[1] :])
