"""LightGBM's text read by our own eyes: every index, length and number is checked before anything walks the trees.

The library's loader can crash the process on a mutated file, so it never sees one: what is served are the arrays of `Forest`.
"""

from __future__ import annotations

import numpy as np

from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES
from barsmith.models.trees import forest as limits
from barsmith.models.trees.forest import Forest, above, broken, check_links, check_sizes, checked_names, format_error, structure_error

BEGIN = b"tree\nversion=v4\n"
_HEADER = (
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_TREE = ("num_leaves", "num_cat", *_SPLITS, "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "is_linear", "shrinkage")  # fmt: skip
#: Numeric splits on rows without missing values: bit 0 would be a category, bits 2 and 3 how a missing value goes.
_NUMERIC = (0, 2)
_LARGEST = 2**31 - 1
#: What lies no farther from 0 is 0 to LightGBM, in rows and thresholds.
_ZERO = np.float32(1e-35)


def read_forest(data: bytes, where: str = "") -> Forest:
    """The trees in a file that `Booster.model_to_string()` wrote.

    Raises IntegrityError `bundle/format` for another kind of file, `bundle/structure` for anything that such a file never has.
    """
    if not data.startswith(BEGIN):
        raise format_error("a LightGBM model as text, version v4", data, where)
    try:
        if len(data) > limits.MAX_BYTES:
            broken(f"at most {limits.MAX_BYTES} bytes", f"{len(data)}")
        return forest_of(data.removeprefix(BEGIN).decode())
    except UnicodeDecodeError as error:
        raise structure_error("UTF-8 text", str(error)[:120], where) from None
    except IntegrityError as error:
        raise structure_error(error.expected, error.came, where) from None


def forest_of(text: str) -> Forest:
    """The checks, from the outside in; each raises IntegrityError `bundle/structure`."""
    text, end, _ = text.partition("\nend of trees\n")
    if not end:
        broken("a whole file", "one without the end of its trees")
    head, *blocks = text.split("\n\nTree=")
    header = fields(head, _HEADER, "the header")
    for name, wanted in {
        "num_class": str(CLASSES),
        "num_tree_per_iteration": str(CLASSES),
        "objective": f"multiclass num_class:{CLASSES}",
        "label_index": "0",
    }.items():
        if header[name] != wanted:
            broken(f"{name} {wanted}", header[name][:40])
    names = checked_names(header["feature_names"].split(" "))
    if header["max_feature_idx"] != str(len(names) - 1) or len(header["feature_infos"].split(" ")) != len(names):
        broken(f"{len(names)} features", header["max_feature_idx"][:20])
    if not blocks or len(blocks) % CLASSES or len(header["tree_sizes"].split(" ")) != len(blocks):
        broken(f"a multiple of {CLASSES} trees, as many as are counted", str(len(blocks)))
    trees = [tree_arrays(block, number, len(names)) for number, block in enumerate(blocks)]
    return Forest.joined(names, np.zeros(CLASSES), trees)


def tree_arrays(block: str, number: int, n_features: int) -> dict[str, np.ndarray]:
    """One tree, checked: its splits in the order in which they were made, then its leaves."""
    at = f"tree {number}"
    first, _, rest = block.partition("\n")
    if first != str(number):
        broken(f"{at} with its number", first[:20])
    tree = fields(rest, _TREE, at)
    for name in ("num_cat", "is_linear"):
        if tree[name] != "0":
            broken(f"{at} of numeric splits and constant leaves", f"{name} {tree[name][:20]}")
    leaves = int(numbers(tree["num_leaves"], 1, at)[0])
    splits = leaves - 1
    feature, decision, left, right = (
        whole(tree[name], splits, at) for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    if not np.isin(decision, _NUMERIC).all():
        broken(f"{at} with numeric splits, nothing missing", "others")
    children = np.concatenate([left, right])
    if (children < -leaves).any() or (children >= splits).any():
        broken(f"{at} of {leaves} leaves", "a child out of range")
    gain, threshold, value = (
        numbers(tree["split_gain"], splits, at),
        numbers(tree["threshold"], splits, at),
        numbers(tree["leaf_value"], leaves, at),
    )
    check_sizes(np.concatenate([gain, value]), at)
    left, right = (np.concatenate([np.where(side < 0, splits + ~side, side), np.full(leaves, -1)]) for side in (left, right))
    feature = np.concatenate([feature, np.zeros(leaves, np.int64)])
    check_links(left, right, feature, n_features, at)
    return {
        "left": left,
        "right": right,
        "feature": feature,
        "threshold": boundary(np.concatenate([threshold, np.zeros(leaves)])),
        "leaf": np.concatenate([np.zeros(splits), value])[:, None],
        "gain": np.concatenate([gain, np.zeros(leaves)]),
    }


def boundary(threshold: np.ndarray) -> np.ndarray:
    """The least float32 that goes right of each float64 threshold."""
    below = np.nextafter(_ZERO, np.float32(1.0)) * np.float32(-1.0)
    threshold = np.where((threshold >= -_ZERO) & (threshold < 0.0), below, threshold)
    return above(np.where((threshold >= 0.0) & (threshold <= _ZERO), _ZERO, threshold))


def fields(text: str, known: tuple[str, ...], at: str) -> dict[str, str]:
    """`name=value` lines, each of the known ones once and no other."""
    lines = [line.partition("=") for line in text.rstrip("\n").split("\n")]
    if sorted(name for name, _, _ in lines) != sorted(known):
        broken(f"{at} with {', '.join(known)}", "others, or one of them twice")
    return {name: value for name, _, value in lines}


def numbers(text: str, n: int, at: str) -> np.ndarray:
    """(n,) finite float64 of numbers with blanks between them."""
    parts = text.split(" ") if text else []
    try:
        found = np.array(parts, np.float64)
    except ValueError:
        found = np.empty(0)
    if len(parts) != n or len(found) != n or not np.isfinite(found).all():
        broken(f"{at}: {n} finite numbers", f"{len(parts)} values")
    return found


def whole(text: str, n: int, at: str) -> np.ndarray:
    """(n,) int64 of whole numbers with blanks between them."""
    found = numbers(text, n, at)
    if (found != np.floor(found)).any() or (np.abs(found) > _LARGEST).any():
        broken(f"{at}: {n} whole numbers", "others")
    return found.astype(np.int64)
