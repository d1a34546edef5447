"""CatBoost's JSON read by our own eyes: every index, length and number is checked before anything walks the trees.

Its binary format is a flat buffer whose loader trusts every offset; the JSON says the same trees in words that can be checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES
from barsmith.models.trees import forest as limits
from barsmith.models.trees.forest import above, broken, check_sizes, checked_names, format_error, item, numbers, same, structure_error
from barsmith.models.trees.oblivious import ObliviousTrees

MAX_DEPTH = 16
#: What says nothing about the trees and differs between equal trainings.
_CHANCE = ("catboost_version_info", "model_guid", "train_finish_time", "training", "output_options")


def written(data: bytes) -> bytes:
    """A file of `save_model(format="json")` without the date, the number of threads and their like."""
    document = orjson.loads(data)
    about = {key: value for key, value in document["model_info"].items() if key not in _CHANCE}
    about["params"] = {"loss_function": about["params"]["loss_function"]}
    return orjson.dumps({**document, "model_info": about}, option=orjson.OPT_SORT_KEYS)


def read_trees(data: bytes, where: str = "") -> ObliviousTrees:
    """The trees in a file that `written` made.

    Raises IntegrityError `bundle/format` for what is no JSON at all, `bundle/structure` for anything that such a file never has.
    """
    if not data.startswith(b"{"):
        raise format_error("a CatBoost model in JSON", data, where)
    try:
        if len(data) > limits.MAX_BYTES:
            broken(f"at most {limits.MAX_BYTES} bytes", f"{len(data)}")
        return trees_of(orjson.loads(data))
    except orjson.JSONDecodeError as error:  # broken, nested without end, NaN
        raise structure_error("strict JSON", str(error)[:120], where) from None
    except IntegrityError as error:
        raise structure_error(error.expected, error.came, where) from None


def trees_of(document: Any) -> ObliviousTrees:
    """The checks, from the outside in; each raises IntegrityError `bundle/structure`."""
    about = item(document, "model_info", dict)
    same(item(about, "class_params", dict), "class_to_label", list(range(CLASSES)))
    same(item(item(about, "params", dict), "loss_function", dict), "type", "MultiClass")
    features = item(document, "features_info", dict)
    if set(document) != {"model_info", "features_info", "oblivious_trees", "scale_and_bias"} or set(features) != {"float_features"}:
        broken("oblivious trees of numeric features", "other parts")
    names = [feature_name(each, number) for number, each in enumerate(item(features, "float_features", list))]
    given = item(document, "oblivious_trees", list)
    if not given:
        broken("one tree or more", "none")
    trees = [tree_arrays(tree, number, len(names)) for number, tree in enumerate(given)]
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
    return ObliviousTrees(
        feature_names=checked_names(names),
        base=base_margins(item(document, "scale_and_bias", list)),
        starts=ends([len(tree["feature"]) for tree in trees]),
        leaf_starts=ends([len(tree["leaves"]) for tree in trees]),
        **joined,
    )


def feature_name(feature: Any, number: int) -> Any:
    at = f"feature {number}"
    for key in ("feature_index", "flat_feature_index"):
        if item(feature, key, int, at) != number:
            broken(f"{at} with its number", str(feature[key])[:20])
    if item(feature, "has_nans", bool, at):
        broken(f"{at} without missing values", "some")
    return item(feature, "feature_id", str, at)


def tree_arrays(tree: Any, number: int, n_features: int) -> dict[str, np.ndarray]:
    """One tree, checked: its questions, and a leaf for every row of answers."""
    at = f"tree {number}"
    splits = item(tree, "splits", list, at) if not (isinstance(tree, dict) and tree.get("splits") is None) else []
    if len(splits) > MAX_DEPTH:
        broken(f"{at} of at most {MAX_DEPTH} levels", str(len(splits)))
    for split in splits:
        same(split if isinstance(split, dict) else {}, "split_type", "FloatFeature", at)
    feature = numbers([split.get("float_feature_index") for split in splits], len(splits), whole=True, at=f"{at}: features")
    if ((feature < 0) | (feature >= n_features)).any():
        broken(f"{at} that splits on features 0 to {n_features - 1}", str(feature.max()))
    border = numbers([split.get("border") for split in splits], len(splits), whole=False, at=f"{at}: borders")
    leaves = 1 << len(splits)
    values = numbers(item(tree, "leaf_values", list, at), leaves * CLASSES, whole=False, at=f"{at}: leaf_values")
    weights = numbers(item(tree, "leaf_weights", list, at), leaves, whole=False, at=f"{at}: leaf_weights")
    check_sizes(np.concatenate([values, weights]), at)
    if not np.isfinite(border).all() or (weights < 0.0).any():
        broken(f"{at} with finite borders and weights >= 0", "others")
    return {"feature": feature, "threshold": above(border), "leaves": values.reshape(leaves, CLASSES), "leaf_weights": weights}


def base_margins(given: list[Any]) -> np.ndarray:
    """(3,) float64 of `[1, [a, b, c]]`."""
    if len(given) != 2 or given[0] != 1 or type(given[1]) is not list:
        broken("a scale of 1 and a bias for each class", str(given)[:60])
    base = numbers(given[1] or [0.0] * CLASSES, CLASSES, whole=False, at="scale_and_bias")
    check_sizes(base, "scale_and_bias")
    return base


def ends(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
