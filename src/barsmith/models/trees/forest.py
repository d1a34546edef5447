"""Trees that somebody's file described, as arrays: what every reader checks before anything walks them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from barsmith.compiled import njit
from barsmith.errors import IntegrityError
from barsmith.models.params import CLASSES

MAX_BYTES = 1 << 28
MAX_DEPTH = 64
LARGEST = 1e30


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees that have been checked, laid end to end.

    base: (3,) float64 margins before the first tree. starts: (T + 1,) where each tree's nodes begin. left, right: children within
    the tree, -1 at a leaf. feature, threshold: go left where x < threshold, float32. leaf: (n, 1) where tree i votes for class
    i % 3, (n, 3) where each leaf speaks of all classes; 0 at inner nodes. gain: of each split.
    """

    feature_names: tuple[str, ...]
    base: np.ndarray
    starts: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    leaf: np.ndarray
    gain: np.ndarray

    @classmethod
    def joined(cls, names: Sequence[str], base: np.ndarray, trees: Sequence[dict[str, np.ndarray]]) -> Forest:
        """Trees of equal arrays (left, right, feature, threshold, leaf, gain), one after the other."""
        starts = np.concatenate([[0], np.cumsum([len(tree["left"]) for tree in trees])]).astype(np.int64)
        parts = {name: np.concatenate([tree[name] for tree in trees]) for name in trees[0]}
        return cls(feature_names=tuple(names), base=np.asarray(base, np.float64), starts=starts, **parts)

    @property
    def rounds(self) -> int:
        """How often the three classes were voted on."""
        return (len(self.starts) - 1) // (CLASSES if self.leaf.shape[1] == 1 else 1)


def check_links(left: np.ndarray, right: np.ndarray, feature: np.ndarray, n_features: int, at: str) -> np.ndarray:
    """Which nodes of one tree are splits; raises IntegrityError `bundle/structure` unless the links make one tree.

    Children follow their parent, each node but the first is reached once, no walk is longer than `MAX_DEPTH`.
    """
    n, inner = len(left), left != -1
    if ((right != -1) != inner).any():
        broken(f"{at} whose nodes have two children or none", "one child")
    where = np.flatnonzero(inner)
    for child in (left[inner], right[inner]):
        if (child <= where).any() or (child >= n).any():
            broken(f"{at} whose children follow their parent", "a child out of range, or a cycle")
    children = np.sort(np.concatenate([left[inner], right[inner]]))
    if len(children) != n - 1 or (children != np.arange(1, n)).any():
        broken(f"{at} that is one tree", "a node that is reached twice or never")
    used = feature[inner]
    if (used < 0).any() or (used >= n_features).any():
        broken(f"{at} that splits on features 0 to {n_features - 1}", str(used.max()))
    depth = deepest(left.astype(np.int64), right.astype(np.int64))
    if depth > MAX_DEPTH:
        broken(f"{at} of at most {MAX_DEPTH} levels", str(depth))
    return inner


@njit(nogil=True)
def deepest(left: Any, right: Any) -> int:
    """Levels of one tree whose children follow their parent."""
    depth = np.zeros(len(left), np.int64)
    for node in range(len(left)):
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return int(depth.max())


def above(threshold: np.ndarray) -> np.ndarray:
    """The least float32 above each float64: for float32 x, `x <= threshold` is `x < above(threshold)`, to the last bit."""
    with np.errstate(over="ignore", under="ignore"):
        near = threshold.astype(np.float32)
        near = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
        return np.nextafter(near, np.float32(np.inf))


def check_sizes(values: np.ndarray, at: str) -> None:
    """Raises IntegrityError `bundle/structure` for numbers that are not finite, or whose sums might not be."""
    if not (np.abs(values) <= LARGEST).all():
        broken(f"{at} with finite numbers up to {LARGEST:g}", "others")


def checked_names(names: list[Any]) -> tuple[str, ...]:
    if not names or not all(isinstance(name, str) and 0 < len(name) <= 200 for name in names) or len(set(names)) != len(names):
        broken("feature names, each once", f"{len(names)} of them")
    return tuple(names)


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


def same(holder: dict[str, Any], key: str, wanted: Any, at: str = "") -> None:
    if holder.get(key) != wanted:
        broken(f"{at + ': ' if at else ''}{key} {wanted}", str(holder.get(key))[:40])


def broken(expected: str, came: str) -> NoReturn:
    raise structure_error(expected, came, "")


def structure_error(expected: str, came: str, where: str) -> IntegrityError:
    return IntegrityError(
        "bundle/structure", expected=expected, came=came, do="restore the file, or train and save the model again", where=where
    )


def format_error(expected: str, data: bytes, where: str) -> IntegrityError:
    came = f"bytes that begin with {data[:8]!r}"
    return IntegrityError("bundle/format", expected=expected, came=came, do="save the model again", where=where)


def total_gain(forest: Forest) -> dict[str, float]:
    """Share of the loss that the splits on each feature took away, sums to one; all zero where nothing was split."""
    gains = np.bincount(forest.feature, weights=np.maximum(forest.gain, 0.0), minlength=len(forest.feature_names))
    whole = float(gains.sum())
    return dict(zip(forest.feature_names, shares(gains.tolist(), whole), strict=True))


def shares(parts: Iterable[float], whole: float) -> list[float]:
    return [part / whole if whole > 0.0 else 0.0 for part in parts]
