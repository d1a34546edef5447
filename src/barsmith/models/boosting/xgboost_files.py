"""XGBoost's JSON read by our own eyes: every index, length and number is checked before anything walks the trees.

The library's loader can crash the process on a mutated file, so it never sees one: what is served are the arrays of `Forest`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES
from barsmith.models.trees import forest as limits
from barsmith.models.trees.forest import Forest, broken, check_links, checked_names, format_error, item, numbers, same, structure_error

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
_ROOT = 2**31 - 1  # the parent of a root, as XGBoost writes it


def read_forest(data: bytes, where: str = "") -> Forest:
    """The trees in a file that `Booster.save_raw("json")` wrote.

    Raises IntegrityError `bundle/format` for what is no JSON at all, `bundle/structure` for anything that such a file never has.
    """
    if not data.startswith(b"{"):
        raise format_error("an XGBoost model in JSON", data, where)
    try:
        if len(data) > limits.MAX_BYTES:
            broken(f"at most {limits.MAX_BYTES} bytes", f"{len(data)}")
        return forest_of(orjson.loads(data))
    except orjson.JSONDecodeError as error:  # broken, nested without end, NaN
        raise structure_error("strict JSON", str(error)[:120], where) from None
    except IntegrityError as error:
        raise structure_error(error.expected, error.came, where) from None


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
    arrays = [tree_arrays(tree, number, len(names)) for number, tree in enumerate(trees)]
    return Forest.joined(names, base_margins(item(shape, "base_score", str)), arrays)


def tree_arrays(tree: Any, number: int, n_features: int) -> dict[str, np.ndarray]:
    """One tree, checked: nodes in an order where children follow their parent, each node reached once."""
    at = f"tree {number}"
    params = item(tree, "tree_param", dict, at)
    same(params, "num_feature", str(n_features), at)
    same(params, "num_deleted", "0", at)
    if tree.get("id") != number:
        broken(f"{at} with its number", str(tree.get("id"))[:20])
    n = len(item(tree, "left_children", list, at))
    same(params, "num_nodes", str(n), at)
    for name in ("categories", "categories_nodes", "categories_segments", "categories_sizes"):
        if item(tree, name, list, at):
            broken(f"{at} without categories", name)
    nodes = {name: numbers(item(tree, name, list, at), n, whole=whole, at=f"{at}: {name}") for name, whole in _TREE_ARRAYS.items()}
    left, right, parents = nodes["left_children"], nodes["right_children"], nodes["parents"]
    if nodes["split_type"].any() or ((nodes["default_left"] != 0) & (nodes["default_left"] != 1)).any():
        broken(f"{at} with numeric splits", "others")
    feature = nodes["split_indices"]
    if (feature < 0).any() or (feature >= n_features).any():
        broken(f"{at} that splits on features 0 to {n_features - 1}", str(feature.max()))
    inner = check_links(left, right, feature, n_features, at)
    where = np.flatnonzero(inner)
    if parents[0] != _ROOT or (parents[left[inner]] != where).any() or (parents[right[inner]] != where).any():
        broken(f"{at} whose children know their parent", "another parent")
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused
        threshold, gain = nodes["split_conditions"].astype(np.float32), nodes["loss_changes"].astype(np.float32)
    if not (np.isfinite(threshold).all() and np.isfinite(gain).all()):
        broken(f"{at} with finite float32 numbers", "one that is too large")
    return {
        "left": left,
        "right": right,
        "feature": feature,
        "threshold": threshold,
        "leaf": np.where(inner, 0.0, threshold.astype(np.float64))[:, None],
        "gain": np.where(inner, gain.astype(np.float64), 0.0),
    }


def base_margins(text: str) -> np.ndarray:
    """(3,) float32 of `[a,b,c]`."""
    try:
        with np.errstate(over="ignore"):
            base = np.array([float(part) for part in text[:200].removeprefix("[").removesuffix("]").split(",")], np.float32)
    except ValueError:
        base = np.empty(0, np.float32)
    if len(base) == 1:
        base = np.repeat(base, CLASSES)
    if len(base) != CLASSES or not np.isfinite(base).all() or len(text) > 200:
        broken(f"{CLASSES} finite base scores", repr(text[:60]))
    return base
