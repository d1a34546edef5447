"""XGBoost's JSON read by our own eyes: every index, length and number is checked before anything walks the trees.

The library's loader can crash the process on a mutated file, so it never sees one: what is served are the arrays of `Forest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import orjson

from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES

MAX_BYTES = 1 << 28
MAX_DEPTH = 64
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


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees that have been checked, laid end to end; tree i votes for class i % 3.

    base: (3,) float32 margins before the first tree. starts: (T + 1,) where each tree's nodes begin. left, right: children within
    the tree, -1 at a leaf. feature, threshold: go left where x < threshold; at a leaf the threshold is its value. gain: of each split.
    """

    feature_names: tuple[str, ...]
    base: np.ndarray
    starts: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    gain: np.ndarray

    @property
    def rounds(self) -> int:
        return (len(self.starts) - 1) // CLASSES


def read_forest(data: bytes, where: str = "") -> Forest:
    """The trees in a file that `Booster.save_raw("json")` wrote.

    Raises IntegrityError `bundle/format` for what is no JSON at all, `bundle/structure` for anything that such a file never has.
    """
    if not data.startswith(b"{"):
        raise IntegrityError(
            "bundle/format",
            expected="an XGBoost model in JSON",
            came=f"bytes that begin with {data[:8]!r}",
            do="save the model again",
            where=where,
        )
    try:
        if len(data) > MAX_BYTES:
            broken(f"at most {MAX_BYTES} bytes", f"{len(data)}")
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
    names = item(learner, "feature_names", list)
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names) or len(set(names)) != len(names):
        broken("feature names, each once", f"{len(names)} of them")
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
    joined = {name: np.concatenate([tree[name] for tree in arrays]) for name in arrays[0]}
    starts = np.concatenate([[0], np.cumsum([len(tree["left"]) for tree in arrays])]).astype(np.int64)
    return Forest(feature_names=tuple(names), base=base_margins(item(shape, "base_score", str)), starts=starts, **joined)


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
    inner = left != -1
    if ((right != -1) != inner).any():
        broken(f"{at} whose nodes have two children or none", "one child")
    where = np.arange(n)
    for child in (left[inner], right[inner]):
        if (child <= where[inner]).any() or (child >= n).any():
            broken(f"{at} whose children follow their parent", "a child out of range, or a cycle")
        if (parents[child] != where[inner]).any():
            broken(f"{at} whose children know their parent", "another parent")
    children = np.sort(np.concatenate([left[inner], right[inner]]))
    if parents[0] != _ROOT or len(children) != n - 1 or (children != np.arange(1, n)).any():
        broken(f"{at} that is one tree", "a node that is reached twice or never")
    feature = nodes["split_indices"]
    if (feature < 0).any() or (feature >= n_features).any():
        broken(f"{at} that splits on features 0 to {n_features - 1}", str(feature.max()))
    depth = np.zeros(n, np.int64)
    for parent in np.flatnonzero(inner):
        depth[left[parent]] = depth[right[parent]] = depth[parent] + 1
    if depth.max() > MAX_DEPTH:
        broken(f"{at} of at most {MAX_DEPTH} levels", str(depth.max()))
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused
        threshold, gain = nodes["split_conditions"].astype(np.float32), nodes["loss_changes"].astype(np.float32)
    if not (np.isfinite(threshold).all() and np.isfinite(gain).all()):
        broken(f"{at} with finite float32 numbers", "one that is too large")
    return {"left": left, "right": right, "feature": feature, "threshold": threshold, "gain": np.where(inner, gain.astype(np.float64), 0.0)}


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


def numbers(values: list[Any], n: int, *, whole: bool, at: str) -> np.ndarray:
    """(n,) int64 or float64 of a JSON list."""
    kinds = {int} if whole else {int, float}
    if len(values) != n or not set(map(type, values)) <= kinds:
        broken(f"{at}: {n} {'whole ' if whole else ''}numbers", f"{len(values)} values")
    try:
        return np.array(values, np.int64 if whole else np.float64)
    except OverflowError:
        broken(f"{at}: numbers of 64 bits", "a larger one")


def item(holder: Any, key: str, kind: type, at: str = "") -> Any:
    """The value of a key, of one kind."""
    if not isinstance(holder, dict) or type(holder.get(key)) is not kind:
        broken(
            f"{at + ': ' if at else ''}{key}, a {kind.__name__}",
            "none" if not isinstance(holder, dict) or key not in holder else "another kind",
        )
    return holder[key]


def same(holder: dict[str, Any], key: str, wanted: str, at: str = "") -> None:
    if holder.get(key) != wanted:
        broken(f"{at + ': ' if at else ''}{key} {wanted}", str(holder.get(key))[:40])


def broken(expected: str, came: str) -> NoReturn:
    raise structure_error(expected, came, "")


def structure_error(expected: str, came: str, where: str) -> IntegrityError:
    return IntegrityError(
        "bundle/structure", expected=expected, came=came, do="restore the file, or train and save the model again", where=where
    )


def total_gain(forest: Forest) -> dict[str, float]:
    """Share of the loss that the splits on each feature took away, sums to one; all zero where nothing was split."""
    gains = np.bincount(forest.feature, weights=np.maximum(forest.gain, 0.0), minlength=len(forest.feature_names))
    whole = float(gains.sum())
    return dict(zip(forest.feature_names, shares(gains.tolist(), whole), strict=True))


def shares(parts: Iterable[float], whole: float) -> list[float]:
    return [part / whole if whole > 0.0 else 0.0 for part in parts]
