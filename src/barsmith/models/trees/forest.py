"""Trees that somebody's file described, as arrays: what every reader checks before anything walks them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.compiled import njit
from barsmith.models.params import CLASSES
from barsmith.models.refusals import broken

MAX_DEPTH = 64


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

    @property
    def rounds(self) -> int:
        """How often the three classes were voted on."""
        return (len(self.starts) - 1) // (CLASSES if self.leaf.shape[1] == 1 else 1)

    def importance(self) -> dict[str, float]:
        """Share of the loss that the splits on each feature took away, sums to one; all zero where nothing was split."""
        gains = np.bincount(self.feature, weights=np.maximum(self.gain, 0.0), minlength=len(self.feature_names))
        return shares(self.feature_names, gains)


def shares(names: Sequence[str], parts: np.ndarray) -> dict[str, float]:
    """Each part of the whole by name; all zero where the whole is."""
    whole = float(parts.sum())
    return dict(zip(names, (parts / whole if whole > 0.0 else np.zeros(len(parts))).tolist(), strict=True))


def ends(lengths: Iterable[int]) -> np.ndarray:
    """(n + 1,) int64: where each of n pieces begins, laid end to end, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, np.int64))]).astype(np.int64)


def check_links(starts: np.ndarray, left: np.ndarray, right: np.ndarray, feature: np.ndarray, n_features: int) -> np.ndarray:
    """Which nodes of the trees that begin at `starts` are splits; raises IntegrityError `bundle/structure` unless each tree is one.

    Children follow their parent, each node but the first is reached once, no walk is longer than `MAX_DEPTH`.
    """
    inner, size = left != -1, np.diff(starts)
    if (size < 1).any():
        broken(f"tree {int(np.argmin(size))} with a root", "no node")
    begin, behind = np.repeat(starts[:-1], size), np.repeat(starts[1:], size)
    check_all((right != -1) == inner, starts, "whose nodes have two children or none", "one child")
    where = np.flatnonzero(inner)
    children = [side[inner].astype(np.int64) + begin[inner] for side in (left, right)]
    for child in children:
        fits = np.ones(len(left), np.bool_)
        fits[where] = (child > where) & (child < behind[inner])
        check_all(fits, starts, "whose children follow their parent", "a child out of range, or a cycle")
    reached = np.bincount(np.concatenate(children), minlength=len(left))
    reached[starts[:-1]] += 1
    check_all(reached == 1, starts, "that is one tree", "a node that is reached twice or never")
    check_all((feature >= 0) & (feature < n_features), starts, f"that splits on features 0 to {n_features - 1}", "another")
    check_all(depths(begin, left.astype(np.int64), right.astype(np.int64)) <= MAX_DEPTH, starts, f"of at most {MAX_DEPTH} levels", "more")
    return inner


def check_all(is_good: np.ndarray, starts: np.ndarray, expected: str, came: str) -> None:
    """Refuse the tree of the first node that is not good."""
    if not is_good.all():
        number = int(np.searchsorted(starts, int(np.argmin(is_good)), side="right")) - 1
        broken(f"tree {number} {expected}", came)


@njit(nogil=True)
def depths(begin: Any, left: Any, right: Any) -> Any:
    """(n,) steps to each node from the root of its tree, which begins at `begin`; children follow their parent."""
    depth = np.zeros(len(left), np.int64)
    for node in range(len(left)):
        if left[node] >= 0:
            depth[begin[node] + left[node]] = depth[begin[node] + right[node]] = depth[node] + 1
    return depth


def above(threshold: np.ndarray) -> np.ndarray:
    """The least float32 above each float64: for float32 x, `x <= threshold` is `x < above(threshold)`, to the last bit."""
    with np.errstate(over="ignore", under="ignore"):
        near = threshold.astype(np.float32)
        near = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
        return np.nextafter(near, np.float32(np.inf))
