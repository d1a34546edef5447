"""CatBoost's JSON read by our own eyes: every index, length and number is checked before anything walks the trees.

Its binary format is a flat buffer whose loader trusts every offset; the JSON says the same trees in words that can be checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from barsmith.models.boosting.reading import checked_names, item, margins, numbers, read_checked, same
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken, check_sizes
from barsmith.models.trees.forest import above, check_all, ends
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


def of_frequencies(names: Sequence[str], frequencies: np.ndarray) -> bytes:
    """The file of a model that asks nothing and answers each row with these three frequencies."""
    features = [{"feature_index": i, "flat_feature_index": i, "has_nans": False, "feature_id": name} for i, name in enumerate(names)]
    about = {"class_params": {"class_to_label": list(range(CLASSES))}, "params": {"loss_function": {"type": "MultiClass"}}}
    tree = {"splits": None, "leaf_values": np.log(frequencies).tolist(), "leaf_weights": [1.0]}
    document = {"model_info": about, "features_info": {"float_features": features}, "oblivious_trees": [tree], "scale_and_bias": [1, []]}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def read_trees(data: bytes, where: str = "") -> ObliviousTrees:
    """The trees in a file that `written` made.

    Raises IntegrityError `bundle/format` for what is no JSON at all, `bundle/structure` for anything that such a file never has.
    """
    return read_checked(data, where, begin=b"{", what="a CatBoost model in JSON", trees_of=lambda data: trees_of(orjson.loads(data)))


def trees_of(document: Any) -> ObliviousTrees:
    """The checks, from the outside in; each raises IntegrityError `bundle/structure`."""
    about = item(document, "model_info", dict)
    same(item(about, "class_params", dict), "class_to_label", list(range(CLASSES)))
    same(item(item(about, "params", dict), "loss_function", dict), "type", "MultiClass")
    features = item(document, "features_info", dict)
    if set(document) != {"model_info", "features_info", "oblivious_trees", "scale_and_bias"} or set(features) != {"float_features"}:
        broken("oblivious trees of numeric features", "other parts")
    names = checked_names([feature_name(each, number) for number, each in enumerate(item(features, "float_features", list))])
    trees = item(document, "oblivious_trees", list)
    if not trees:
        broken("one tree or more", "none")
    base = base_margins(item(document, "scale_and_bias", list))
    return ObliviousTrees(feature_names=names, base=base, **joined(trees, len(names)))


def feature_name(feature: Any, number: int) -> Any:
    at = f"feature {number}"
    for key in ("feature_index", "flat_feature_index"):
        if item(feature, key, int, at) != number:
            broken(f"{at} with its number", str(feature[key])[:20])
    if item(feature, "has_nans", bool, at):
        broken(f"{at} without missing values", "some")
    return item(feature, "feature_id", str, at)


def joined(trees: list[Any], n_features: int) -> dict[str, np.ndarray]:
    """The trees end to end, checked: of each its questions, and a leaf for every row of answers."""
    questions = [questions_of(tree, number) for number, tree in enumerate(trees)]
    levels = [len(each) for each in questions]
    leaves = [1 << each for each in levels]
    starts = ends(levels)
    asked = [[split.get(key) for split in each] for key in ("float_feature_index", "border") for each in questions]
    feature = numbers(asked[: len(trees)], levels, whole=True, what="float_feature_index")
    border = numbers(asked[len(trees) :], levels, whole=False, what="border")
    check_all((feature >= 0) & (feature < n_features), starts, f"that splits on features 0 to {n_features - 1}", "another")
    values = numbers([tree["leaf_values"] for tree in trees], [CLASSES * each for each in leaves], whole=False, what="leaf_values")
    weights = numbers([tree["leaf_weights"] for tree in trees], leaves, whole=False, what="leaf_weights")
    check_sizes(np.concatenate([values, weights]), "leaves")
    if not np.isfinite(border).all() or (weights < 0.0).any():
        broken("finite borders and weights >= 0", "others")
    return {
        "starts": starts,
        "feature": feature,
        "threshold": above(border),
        "leaf_starts": ends(leaves),
        "leaves": values.reshape(-1, CLASSES),
        "leaf_weights": weights,
    }


def questions_of(tree: Any, number: int) -> list[dict[str, Any]]:
    """The splits of a tree, none where its one leaf answers all, after checking that it has leaves."""
    at = f"tree {number}"
    for name in ("leaf_values", "leaf_weights"):
        item(tree, name, list, at)
    splits = [] if tree.get("splits") is None else item(tree, "splits", list, at)
    if len(splits) > MAX_DEPTH:
        broken(f"{at} of at most {MAX_DEPTH} levels", str(len(splits)))
    for split in splits:
        same(split if isinstance(split, dict) else {}, "split_type", "FloatFeature", at)
    return list(splits)


def base_margins(given: list[Any]) -> np.ndarray:
    """(3,) float64 of `[1, [a, b, c]]`."""
    if len(given) != 2 or given[0] != 1 or type(given[1]) is not list:
        broken("a scale of 1 and a bias for each class", str(given)[:60])
    base = margins(given[1] or [0.0] * CLASSES, "scale_and_bias")
    check_sizes(base, "scale_and_bias")
    return base
