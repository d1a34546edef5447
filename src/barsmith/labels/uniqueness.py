"""How much of a label is its own: labels that live over the same bars say the same thing more than once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from barsmith.compiled import njit
from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.labels.outcomes import Labels


def label_spans(labels: Labels, bar_start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first, last): (m,) int64 numbers of the base bars over which each label lives, from the entry's to the one in which it was decided.

    bar_start: (m,) minutes since 1970, the base bars' opens. A row without a label has an empty span: last is first - 1.
    """
    first = np.arange(1, len(labels) + 1)
    last = np.searchsorted(bar_start, labels.label_end, "left") - 1
    return first, np.where(labels.has_label, last, first - 1)


def concurrency(first: np.ndarray, last: np.ndarray, bars: int) -> np.ndarray:
    """(bars,) int64: how many of the spans first .. last hold each bar. Source: Lopez de Prado (2018), snippet 4.1."""
    change = np.bincount(first, minlength=bars + 1)[: bars + 1] - np.bincount(last + 1, minlength=bars + 1)[: bars + 1]
    return np.cumsum(change)[:bars]


def average_uniqueness(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(n,) mean over each span's bars of one over the number of spans that hold the bar; NaN for an empty span.

    1 for a label that lives alone, 1/2 for two that live over the same bars. Source: Lopez de Prado (2018), snippet 4.2.

    >>> average_uniqueness(np.array([0, 2, 4]), np.array([2, 3, 5])).round(3)   # the table of section 4.5.3
    array([0.833, 0.75 , 1.   ])
    """
    bars = int(max(first.max(initial=-1), last.max(initial=-1))) + 1
    shared = concurrency(first, last, bars)
    out = np.full(len(first), np.nan)
    _mean_of(np.divide(1.0, shared, out=np.zeros(bars), where=shared > 0), first.astype(np.int64), last.astype(np.int64), out)
    return out


def uniqueness_factors(labels: Labels, bar_start: np.ndarray, train_rows: np.ndarray) -> np.ndarray:
    """(m,) what a sample weight is multiplied by: the row's average uniqueness over the mean of the labelled train rows; 1 for other rows.

    Only the labels of train rows are counted, so that no row outside changes a weight. train_rows: row numbers, or a mask.
    """
    is_train = np.zeros(len(labels), np.bool_)
    is_train[train_rows] = True
    rows = np.flatnonzero(is_train & labels.has_label)
    factors = np.ones(len(labels))
    if len(rows):
        first, last = (span[rows] for span in label_spans(labels, bar_start))
        mine = average_uniqueness(first, last)
        factors[rows] = mine / mine.mean()
    return factors


def sequential_bootstrap(first: np.ndarray, last: np.ndarray, draws: int | None = None, *, seed: int) -> np.ndarray:
    """(draws,) int64 places of rows, drawn with replacement, each draw preferring labels that share few bars with those drawn before.

    first, last: (n,) the bars over which each row's label lives, `first` in order, as `label_spans` gives them; none empty.
    draws: n where nothing is given. A tree of the probabilities makes a draw cost the bars around it and not the whole sample.
    Raises UsageError `labels/bootstrap`. Source: Lopez de Prado (2018), snippets 4.4 and 4.5.
    """
    first, last = np.ascontiguousarray(first, np.int64), np.ascontiguousarray(last, np.int64)
    if not len(first) or (np.diff(first) < 0).any() or (last < first).any() or first[0] < 0:
        raise UsageError(
            "labels/bootstrap",
            expected="rows in the order of their first bar, each with a label that lives over one bar or more",
            came="no rows" if not len(first) else "rows out of order, or without a label",
            do="hand over the spans of labelled rows, in the order of time",
        )
    count = len(first) if draws is None else draws
    luck = np.random.default_rng(np.random.SeedSequence(seed)).random(count)
    leaves = 1 << max(0, (len(first) - 1).bit_length())
    return _drawn(first, last, int((last - first).max()) + 1, luck, np.zeros(2 * leaves), np.zeros(int(last.max()) + 1, np.int64))


@njit
def _mean_of(value, first, last, out):  # type: ignore[no-untyped-def]
    for i in range(len(first)):
        if last[i] >= first[i]:
            total = 0.0
            for b in range(first[i], last[i] + 1):
                total += value[b]
            out[i] = total / (last[i] - first[i] + 1)


@njit
def _drawn(first, last, longest, luck, tree, drawn):  # type: ignore[no-untyped-def]
    """tree: sums of pairs, the root at 1, a leaf for each row holding the average uniqueness that it would have if it were drawn next.
    drawn: how often each bar is held by the rows drawn so far."""
    n, leaves = len(first), len(tree) // 2
    tree[leaves : leaves + n] = 1.0
    for node in range(leaves - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]
    out = np.empty(len(luck), np.int64)
    for d in range(len(luck)):
        rest, node = luck[d] * tree[1], 1
        while node < leaves:
            node *= 2
            if rest >= tree[node] and tree[node + 1] > 0.0:
                rest -= tree[node]
                node += 1
        chosen = node - leaves
        out[d] = chosen
        for b in range(first[chosen], last[chosen] + 1):
            drawn[b] += 1
        low = np.searchsorted(first, first[chosen] - longest + 1, "left")
        high = np.searchsorted(first, last[chosen], "right") - 1
        for i in range(low, high + 1):
            total = 0.0
            for b in range(first[i], last[i] + 1):
                total += 1.0 / (drawn[b] + 1.0)
            tree[leaves + i] = total / (last[i] - first[i] + 1)
        low, high = (leaves + low) // 2, (leaves + high) // 2
        while low > 0:
            for node in range(low, high + 1):
                tree[node] = tree[2 * node] + tree[2 * node + 1]
            low, high = low // 2, high // 2
    return out
