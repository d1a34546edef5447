"""Average uniqueness and the sequential bootstrap against the book's snippets and its numerical example."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rungs import random_minutes, rung_of

from barsmith.errors import UsageError
from barsmith.labels.barriers import triple_barrier, wilder_atr
from barsmith.labels.outcomes import default_barriers
from barsmith.labels.uniqueness import average_uniqueness, concurrency, label_spans, sequential_bootstrap, uniqueness_factors
from barsmith.labels.weights import final_weights, quality_scores, sample_weights


def indicator(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(bars, n): Lopez de Prado (2018), snippet 4.3."""
    matrix = np.zeros((int(last.max()) + 1, len(first)))
    for i, (a, b) in enumerate(zip(first, last, strict=True)):
        matrix[a : b + 1, i] = 1.0
    return matrix


def books_uniqueness(matrix: np.ndarray) -> np.ndarray:
    """Snippet 4.4."""
    shared = matrix.sum(axis=1)
    u = matrix / np.where(shared > 0, shared, 1)[:, None]
    return np.array([u[:, i][u[:, i] > 0].mean() for i in range(matrix.shape[1])])


def books_bootstrap(matrix: np.ndarray, luck: np.ndarray) -> list[int]:
    """Snippet 4.5; each draw is made by a given uniform number."""
    drawn: list[int] = []
    for u in luck:
        average = np.array([books_uniqueness(matrix[:, [*drawn, i]])[-1] for i in range(matrix.shape[1])])
        drawn.append(int(np.searchsorted(np.cumsum(average / average.sum()), u, "right")))
    return drawn


SPANS = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 6)), min_size=1, max_size=25)


def arrays(spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    first = np.array(sorted(a for a, _ in spans))
    return first, first + np.array([length for _, length in spans])


@given(spans=SPANS)
@settings(max_examples=60, deadline=None)
def test_concurrency_and_uniqueness_are_those_of_the_indicator_matrix(spans):
    first, last = arrays(spans)
    matrix = indicator(first, last)
    assert concurrency(first, last, len(matrix)).tolist() == matrix.sum(axis=1).tolist()
    assert average_uniqueness(first, last) == pytest.approx(books_uniqueness(matrix), rel=1e-12)


@given(spans=SPANS, seed=st.integers(0, 2**32 - 1), draws=st.integers(1, 15))
@settings(max_examples=25, deadline=None)
def test_the_bootstrap_draws_what_the_books_draws(spans, seed, draws):
    first, last = arrays(spans)
    luck = np.random.default_rng(np.random.SeedSequence(seed)).random(draws)
    assert sequential_bootstrap(first, last, draws, seed=seed).tolist() == books_bootstrap(indicator(first, last), luck)


def test_the_second_draw_of_the_books_example_has_its_odds():
    """Section 4.5.3: after the second label was drawn, the odds are 5/14, 3/14 and 6/14."""
    first, last = np.array([0, 2, 4]), np.array([2, 3, 5])
    seconds = np.zeros(3)
    for seed in range(6000):
        one, two = sequential_bootstrap(first, last, 2, seed=seed)
        if one == 1:
            seconds[two] += 1
    assert seconds / seconds.sum() == pytest.approx(np.array([5, 3, 6]) / 14, abs=0.03)


def test_sequential_draws_are_more_unique_than_blind_ones():
    """Section 4.5.4 finds medians of .7 against .6; on labels of 20 bars each a bar later the gain is of the same kind."""
    first = np.sort(np.random.default_rng(0).integers(0, 100, 10))
    last = first + np.random.default_rng(1).integers(1, 6, 10)
    matrix = indicator(first, last)
    chosen = [books_uniqueness(matrix[:, sequential_bootstrap(first, last, seed=seed)]).mean() for seed in range(200)]
    blind = [books_uniqueness(matrix[:, np.random.default_rng(seed).integers(0, 10, 10)]).mean() for seed in range(200)]
    assert np.median(chosen) > np.median(blind) + 0.02


def test_the_same_seed_draws_the_same_and_a_year_of_labels_is_a_matter_of_a_second():
    first = np.arange(20_000)
    last = first + np.random.default_rng(2).integers(0, 20, len(first))
    one, two = (sequential_bootstrap(first, last, seed=7) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, sequential_bootstrap(first, last, seed=8))
    assert len(np.unique(one)) > 0.64 * len(first), "blind draws reach 63 in a hundred"


@pytest.mark.parametrize(("first", "last"), [([], []), ([2, 1], [3, 3]), ([1, 2], [1, 1]), ([-1], [3])])
def test_rows_without_a_span_or_out_of_order_are_refused(first, last):
    with pytest.raises(UsageError) as caught:
        sequential_bootstrap(np.array(first, int), np.array(last, int), seed=1)
    assert caught.value.code == "labels/bootstrap"


def test_a_label_lives_from_the_bar_of_its_entry_to_the_bar_that_decides_it():
    minutes = random_minutes(12)
    base = rung_of(minutes)
    of = triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(1.0, 1.0, (6,)))[6]
    first, last = label_spans(of, base.start)
    for t in np.flatnonzero(of.has_label):
        inside = np.flatnonzero((base.end > base.end[t]) & (base.start < of.label_end[t]))
        assert (first[t], last[t]) == (inside[0], inside[-1])
    assert (last[~of.has_label] == first[~of.has_label] - 1).all()


def test_no_row_outside_train_changes_a_weight_and_their_own_are_times_one():
    minutes = random_minutes(13, n=900)
    base = rung_of(minutes)
    of = triple_barrier(minutes, base, wilder_atr(base), barriers=default_barriers(9.0, 9.0, (10,)))[10]  # every label lives for ten bars
    train = np.arange(100)
    before = final_weights(of, base.start, train, uniqueness=True)
    plain = sample_weights(quality_scores(of), of.has_label, train)
    assert uniqueness_factors(of, base.start, train)[train][of.has_label[train]].mean() == pytest.approx(1.0)
    assert np.array_equal(before[100:], plain[100:], equal_nan=True)
    assert not np.array_equal(before[:100], plain[:100], equal_nan=True)
    rng = np.random.default_rng(3)
    other = replace(
        of,
        label=np.r_[of.label[:100], rng.integers(-1, 2, len(of) - 100)].astype(np.int8),
        label_end=np.r_[of.label_end[:100], base.end[100:] + 1],
        mae=np.r_[of.mae[:100], rng.random(len(of) - 100)],
    )
    assert np.array_equal(final_weights(other, base.start, train, uniqueness=True)[:100], before[:100], equal_nan=True)
