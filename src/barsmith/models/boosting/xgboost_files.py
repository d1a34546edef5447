"""XGBoost's JSON read by our own eyes: every index, length and number is checked before anything walks the trees.

The library's loader can crash the process on a mutated file, so it never sees one: what is served are the arrays of `Forest`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from barsmith.models.boosting.reading import checked_names, item, numbers, read_checked, same
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken
from barsmith.models.trees.forest import Forest, check_all, check_links, ends

MAJOR = 3
#: Arrays of each tree: name -> whether it holds whole numbers.
_TREE_ARRAYS = {
    "left_children": True,
    "right_children": True,
    "parents": True,
    "split_indices": True,
    "split_type": True,
    "default_left": True,
    "split_conditions": False,
    "base_weights": False,
    "loss_changes": False,
    "sum_hessian": False,
}
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_ROOT = 2**31 - 1  # the parent of a root, as XGBoost writes it


def read_forest(data: bytes, where: str = "") -> Forest:
    """The trees in a file that `Booster.save_raw("json")` wrote.

    Raises IntegrityError `bundle/format` for what is no JSON at all, `bundle/structure` for anything that such a file never has.
    """
    return read_checked(data, where, begin=b"{", what="an XGBoost model in JSON", trees_of=lambda data: forest_of(orjson.loads(data)))


def forest_of(document: Any) -> Forest:
    """The checks, from the outside in; each raises IntegrityError `bundle/structure`."""
    learner = item(document, "learner", dict)
    version = item(document, "version", list)
    if not (len(version) == 3 and all(type(part) is int for part in version) and version[0] == MAJOR):
        broken(f"a file of XGBoost {MAJOR}", f"version {str(version)[:40]}")
    objective = item(learner, "objective", dict)
    same(objective, "name", "multi:softprob")
    same(item(objective, "softmax_multiclass_param", dict), "num_class", str(CLASSES))
    shape = item(learner, "learner_model_param", dict)
    same(shape, "num_class", str(CLASSES))
    same(shape, "num_target", "1")
    names = checked_names(item(learner, "feature_names", list))
    same(shape, "num_feature", str(len(names)))
    booster = item(learner, "gradient_booster", dict)
    same(booster, "name", "gbtree")
    model = item(booster, "model", dict)
    trees = item(model, "trees", list)
    counts = item(model, "gbtree_model_param", dict)
    same(counts, "num_trees", str(len(trees)))
    same(counts, "num_parallel_tree", "1")
    if not trees or len(trees) % CLASSES:
        broken(f"a multiple of {CLASSES} trees", str(len(trees)))
    if item(model, "tree_info", list) != [i % CLASSES for i in range(len(trees))]:
        broken("trees that vote for the classes 0, 1, 2 in turn", "another order")
    if item(model, "iteration_indptr", list) != list(range(0, len(trees) + 1, CLASSES)):
        broken(f"{CLASSES} trees a round", "another number")
    return Forest(names, base_margins(item(shape, "base_score", str)), **joined(trees, len(names)))


def joined(trees: list[Any], n_features: int) -> dict[str, np.ndarray]:
    """The trees' nodes end to end, checked: children follow their parent, each node is reached once."""
    lengths = [nodes_of(tree, number, n_features) for number, tree in enumerate(trees)]
    nodes = {name: numbers([tree[name] for tree in trees], lengths, whole=whole, what=name) for name, whole in _TREE_ARRAYS.items()}
    starts, left, right, feature = ends(lengths), nodes["left_children"], nodes["right_children"], nodes["split_indices"]
    is_numeric = (nodes["split_type"] == 0) & ((nodes["default_left"] == 0) | (nodes["default_left"] == 1))
    check_all(is_numeric, starts, "with numeric splits", "others")
    inner = check_links(starts, left, right, feature, n_features)
    begin = np.repeat(starts[:-1], lengths)
    parent = np.full(len(left), _ROOT)
    for side in (left, right):
        parent[(side + begin)[inner]] = (np.arange(len(left)) - begin)[inner]
    check_all(nodes["parents"] == parent, starts, "whose children know their parent", "another parent")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused
        threshold, gain = nodes["split_conditions"].astype(np.float32), nodes["loss_changes"].astype(np.float32)
    check_all(np.isfinite(threshold) & np.isfinite(gain), starts, "with finite float32 numbers", "one that is too large")
    return {
        "starts": starts,
        "left": left,
        "right": right,
        "feature": feature,
        "threshold": threshold,
        "leaf": np.where(inner, 0.0, threshold.astype(np.float64))[:, None],
        "gain": np.where(inner, gain.astype(np.float64), 0.0),
    }


def nodes_of(tree: Any, number: int, n_features: int) -> int:
    """How many nodes a tree has, whose other parts are checked."""
    at = f"tree {number}"
    params = item(tree, "tree_param", dict, at)
    same(params, "num_feature", str(n_features), at)
    same(params, "num_deleted", "0", at)
    same(tree, "id", number, at)
    for name in _TREE_ARRAYS:
        item(tree, name, list, at)
    n = len(tree["left_children"])
    same(params, "num_nodes", str(n), at)
    for name in _CATEGORIES:
        if item(tree, name, list, at):
            broken(f"{at} without categories", name)
    return n


def base_margins(text: str) -> np.ndarray:
    """(3,) float64 of `[a,b,c]`, float32 numbers."""
    try:
        with np.errstate(over="ignore"):
            base = np.array([float(part) for part in text[:200].removeprefix("[").removesuffix("]").split(",")], np.float32)
    except ValueError:
        base = np.empty(0, np.float32)
    if len(base) == 1:
        base = np.repeat(base, CLASSES)
    if len(base) != CLASSES or not np.isfinite(base).all() or len(text) > 200:
        broken(f"{CLASSES} finite base scores", repr(text[:60]))
    return base.astype(np.float64)
