"""LightGBM's text read by our own eyes: every index, length and number is checked before anything walks the trees.

The library's loader can crash the process on a mutated file, so it never sees one: what is served are the arrays of `Forest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from barsmith.models.boosting.reading import checked_names, read_checked, same
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken, check_sizes
from barsmith.models.trees.forest import Forest, above, check_links, ends

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
_MOST_LEAVES = 131_072
#: What lies no farther from 0 is 0 to LightGBM, in rows and thresholds.
_ZERO = np.float32(1e-35)


def read_forest(data: bytes, where: str = "") -> Forest:
    """The trees in a file that `Booster.model_to_string()` wrote.

    Raises IntegrityError `bundle/format` for another kind of file, `bundle/structure` for anything that such a file never has.
    """
    return read_checked(data, where, begin=BEGIN, what="a LightGBM model as text, version v4", trees_of=forest_of)


def forest_of(data: bytes) -> Forest:
    """The checks, from the outside in; each raises IntegrityError `bundle/structure`."""
    text, end, _ = data.removeprefix(BEGIN).decode().partition("\nend of trees\n")
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
        same(header, name, wanted)
    names = checked_names(header["feature_names"].split(" "))
    if header["max_feature_idx"] != str(len(names) - 1) or len(header["feature_infos"].split(" ")) != len(names):
        broken(f"{len(names)} features", header["max_feature_idx"][:20])
    if not blocks or len(blocks) % CLASSES or len(header["tree_sizes"].split(" ")) != len(blocks):
        broken(f"a multiple of {CLASSES} trees, as many as are counted", str(len(blocks)))
    return Forest(names, np.zeros(CLASSES), **joined([tree_of(block, number) for number, block in enumerate(blocks)], len(names)))


def tree_of(block: str, number: int) -> dict[str, str]:
    """The fields of one tree, of numeric splits and constant leaves."""
    first, _, rest = block.partition("\n")
    if first != str(number):
        broken(f"tree {number} with its number", first[:20])
    tree = fields(rest, _TREE, f"tree {number}")
    for name in ("num_cat", "is_linear"):
        same(tree, name, "0", f"tree {number}")
    return tree


def joined(trees: list[dict[str, str]], n_features: int) -> dict[str, np.ndarray]:
    """The trees' nodes end to end, checked: of each tree its splits in the order in which they were made, then its leaves."""
    leaves = whole([tree["num_leaves"] for tree in trees], [1] * len(trees), "num_leaves")
    if (leaves < 1).any() or (leaves > _MOST_LEAVES).any():
        broken(f"trees of 1 to {_MOST_LEAVES} leaves", "others")
    splits = leaves - 1
    texts = {name: [tree[name] for tree in trees] for name in _TREE}
    feature, decision, *sides = (
        whole(texts[name], splits.tolist(), name) for name in ("split_feature", "decision_type", "left_child", "right_child")
    )
    if not np.isin(decision, _NUMERIC).all():
        broken("numeric splits, nothing missing", "others")
    gain, threshold = (numbers(texts[name], splits.tolist(), name) for name in ("split_gain", "threshold"))
    value = numbers(texts["leaf_value"], leaves.tolist(), "leaf_value")
    check_sizes(np.concatenate([gain, value]), "trees")
    starts = ends((splits + leaves).tolist())
    is_leaf = np.arange(starts[-1]) - np.repeat(starts[:-1], splits + leaves) >= np.repeat(splits, splits + leaves)
    own, most = np.repeat(splits, splits), np.repeat(leaves, splits)
    for side in sides:
        if (side < -most).any() or (side >= own).any():
            broken("children among a tree's splits and leaves", "one out of range")
    left, right = (placed(is_leaf, np.where(side < 0, own + ~side, side), -1) for side in sides)
    feature = placed(is_leaf, feature, 0)
    check_links(starts, left, right, feature, n_features)
    return {
        "starts": starts,
        "left": left,
        "right": right,
        "feature": feature,
        "threshold": boundary(placed(is_leaf, threshold, 0.0)),
        "leaf": placed(~is_leaf, value, 0.0)[:, None],
        "gain": placed(is_leaf, gain, 0.0),
    }


def placed(is_other: np.ndarray, values: np.ndarray, other: float) -> np.ndarray:
    """An array that is `other` where that is so, and the values, in their order, elsewhere."""
    whole = np.full(len(is_other), other, values.dtype)
    whole[~is_other] = values
    return whole


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


def numbers(texts: Sequence[str], lengths: Sequence[int], what: str) -> np.ndarray:
    """Finite float64 of one text a tree, numbers with blanks between them, of these lengths, end to end."""
    parts = [text.split(" ") if text else [] for text in texts]
    if [len(each) for each in parts] != list(lengths):
        broken(f"{what} of as many numbers as the tree has", "more or fewer")
    try:
        found = np.fromiter(map(float, chain.from_iterable(parts)), np.float64)
    except ValueError:
        broken(f"{what}: numbers", "others")
    if not np.isfinite(found).all():
        broken(f"{what}: finite numbers", "others")
    return found


def whole(texts: Sequence[str], lengths: Sequence[int], what: str) -> np.ndarray:
    """The same, int64 of whole numbers."""
    found = numbers(texts, lengths, what)
    if (found != np.floor(found)).any() or (np.abs(found) > _LARGEST).any():
        broken(f"{what}: whole numbers", "others")
    return found.astype(np.int64)
