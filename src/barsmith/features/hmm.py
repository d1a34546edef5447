"""A hidden Markov model with Gaussian states, fitted by expectation-maximisation (Baum-Welch) from several starts."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from barsmith.compiled import njit
from barsmith.config import shown
from barsmith.errors import DataError

FEWEST_STATES, MOST_STATES = 2, 4
#: Training rows that each state needs.
ROWS_A_STATE = 100
#: The least chance of any move from state to state: it keeps the filter forgetting, and no row can be impossible.
LEAST_MOVE = 1e-3
#: The least variance of a state, as a share of the column's: a state cannot shrink on to one value.
LEAST_VARIANCE = 0.01
#: Starts, rounds of EM for each, how many of the best then go on, for how many rounds at most, and the gain that ends them.
STARTS, SHORT, FINALISTS, LONG = 8, 10, 3, 500
GAIN = 1e-7  # log-likelihood a row


@dataclass(frozen=True)
class Chain:
    """A model of k states and d columns. start: (k,). moves: (k, k), from row to column. mean, variance: (k, d)."""

    start: np.ndarray
    moves: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def ordered(self, by: np.ndarray) -> Chain:
        order = np.argsort(by, kind="stable")
        return Chain(self.start[order], self.moves[np.ix_(order, order)], self.mean[order], self.variance[order])

    def stationary(self) -> np.ndarray:
        """(k,) share of time in each state in the long run."""
        k = len(self.start)
        equations = np.vstack([(self.moves.T - np.eye(k))[:-1], np.ones(k)])
        share = np.maximum(np.linalg.solve(equations, np.eye(k)[-1]), 0.0)
        return share / share.sum()


@njit
def log_densities(x, mean, variance):  # type: ignore[no-untyped-def]
    """(n, k) log density of each row in each state, but for the constant that all share."""
    n, d = x.shape
    k = len(mean)
    out = np.empty((n, k))
    for j in range(k):
        base = 0.0
        for c in range(d):
            base -= 0.5 * np.log(variance[j, c])
        for i in range(n):
            total = base
            for c in range(d):
                total -= 0.5 * (x[i, c] - mean[j, c]) * (x[i, c] - mean[j, c]) / variance[j, c]
            out[i, j] = total
    return out


@njit
def expect(density, start, moves, weight, counts, begun):  # type: ignore[no-untyped-def]
    """Forward and backward over one sequence, each row scaled by its own likelihood (Rabiner 1989, section V.A).

    density: (n, k) log densities, overwritten. Writes weight (n, k), the smoothed chance of each state, adds the expected moves to
    counts (k, k) and the first row's chances to begun (k,). Returns the log-likelihood.
    """
    n, k = density.shape
    scale, likelihood = np.empty(n), 0.0
    for t in range(n):
        top = density[t].max()
        total = 0.0
        for j in range(k):
            ahead = start[j]
            if t > 0:
                ahead = 0.0
                for i in range(k):
                    ahead += weight[t - 1, i] * moves[i, j]
            density[t, j] = np.exp(density[t, j] - top)
            weight[t, j] = ahead * density[t, j]
            total += weight[t, j]
        weight[t] /= total
        scale[t] = total
        likelihood += np.log(total) + top
    after, before = np.ones(k), np.ones(k)
    for t in range(n - 2, -1, -1):
        for j in range(k):
            after[j] = before[j] * density[t + 1, j] / scale[t + 1]
        for i in range(k):
            before[i] = 0.0
            for j in range(k):
                counts[i, j] += weight[t, i] * moves[i, j] * after[j]
                before[i] += moves[i, j] * after[j]
        for i in range(k):
            weight[t, i] *= before[i]
    begun += weight[0]
    return likelihood


@njit
def gaussians(x, weight, least):  # type: ignore[no-untyped-def]
    """Weighted mean and variance of every state, the variance measured about the new mean and not below `least`."""
    n, d = x.shape
    k = weight.shape[1]
    mean, variance = np.empty((k, d)), np.empty((k, d))
    for j in range(k):
        size = max(weight[:, j].sum(), 1e-300)
        for c in range(d):
            total = 0.0
            for i in range(n):
                total += weight[i, j] * x[i, c]
            mean[j, c] = total / size
            total = 0.0
            for i in range(n):
                total += weight[i, j] * (x[i, c] - mean[j, c]) * (x[i, c] - mean[j, c])
            variance[j, c] = max(total / size, least)
    return mean, variance


def floored(share: np.ndarray, least: float) -> np.ndarray:
    """Rows of counts as chances that sum to one, none of them under about `least`; a row of nothing is an even chance."""
    share = (share + 1e-300) / (share + 1e-300).sum(axis=-1, keepdims=True)
    share = np.maximum(share, least)
    return share / share.sum(axis=-1, keepdims=True)


def improve(
    chain: Chain,
    sequences: list[np.ndarray],
    rounds: int,
    *,
    gain: float = GAIN,
    least_move: float = LEAST_MOVE,
    least_variance: float = LEAST_VARIANCE,
) -> tuple[Chain, list[float]]:
    """Rounds of EM (Baum-Welch) until the log-likelihood a row gains less than `gain`; what it was before each round."""
    x = np.concatenate(sequences)
    edges = np.cumsum([0, *map(len, sequences)])
    k, likelihoods = len(chain.start), []
    for _ in range(rounds):
        density = log_densities(x, chain.mean, chain.variance)
        weight, counts, begun, likelihood = np.empty_like(density), np.zeros((k, k)), np.zeros(k), 0.0
        for first, past in itertools.pairwise(edges):
            likelihood += expect(density[first:past], chain.start, chain.moves, weight[first:past], counts, begun)
        likelihoods.append(likelihood - 0.5 * x.size * np.log(2 * np.pi))
        if len(likelihoods) > 1 and likelihoods[-1] - likelihoods[-2] < gain * len(x):
            break
        chain = Chain(floored(begun, least_move), floored(counts, least_move), *gaussians(x, weight, least_variance))
    return chain, likelihoods


def fit(sequences: list[np.ndarray], states: int, seed: np.random.SeedSequence) -> tuple[Chain, float]:
    """The most likely chain of several starts, states ordered by the mean of the last column, and its log-likelihood a row.

    sequences: stretches of (n, d) finite rows. Raises DataError `features/too-few-rows`, `features/constant-rows`.
    """
    x = np.concatenate(sequences)
    centre, spread = x.mean(axis=0), x.std(axis=0)
    check_rows(x, spread, states)
    standard = [np.ascontiguousarray((each - centre) / spread) for each in sequences]
    tried = [improve(chain, standard, SHORT) for chain in beginnings(standard, states, np.random.default_rng(seed))]
    tried.sort(key=lambda one: -one[1][-1])
    chain, likelihoods = max((improve(chain, standard, LONG) for chain, _ in tried[:FINALISTS]), key=lambda one: one[1][-1])
    chain = Chain(chain.start, chain.moves, chain.mean * spread + centre, chain.variance * spread**2)
    return chain.ordered(chain.mean[:, -1]), likelihoods[-1] / len(x) - float(np.log(spread).sum())


def check_rows(x: np.ndarray, spread: np.ndarray, states: int) -> None:
    if len(x) < ROWS_A_STATE * states:
        raise DataError(
            "features/too-few-rows",
            expected=f"{ROWS_A_STATE * states} settled training rows or more for a hidden Markov model of {states} states",
            came=str(len(x)),
            do="bring a longer file, ask for fewer states, or leave these features out (features.drop)",
        )
    if not (spread > 1e-10 * np.abs(x).max(axis=0)).all():
        still = int(np.argmin(spread > 1e-10 * np.abs(x).max(axis=0)))
        raise DataError(
            "features/constant-rows",
            expected="inputs of a hidden Markov model that move in the training rows",
            came=f"{shown(float(x[0, still]))} in all {len(x)} rows of input {still + 1}",
            do="check the bars of the training slice, or leave these features out (features.drop)",
        )


def beginnings(sequences: list[np.ndarray], states: int, random: np.random.Generator) -> list[Chain]:
    """Where EM starts: rows grouped by the ranks of each column, then by the nearest of rows drawn at random."""
    x = np.concatenate(sequences)
    ranks = np.argsort(np.argsort(x, axis=0, kind="stable"), axis=0, kind="stable")
    groups = [ranks[:, c] * states // len(x) for c in range(x.shape[1])]
    while len(groups) < STARTS:
        centres = x[random.choice(len(x), states, replace=False)]
        groups.append(((x[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1))
    edges = np.cumsum([0, *map(len, sequences)])
    return [grouped(x, group, edges, states) for group in groups]


def grouped(x: np.ndarray, group: np.ndarray, edges: np.ndarray, states: int) -> Chain:
    """The chain of rows whose states are known."""
    counts = np.ones((states, states))
    inside = np.setdiff1d(np.arange(1, len(x)), edges)  # no move leads from one stretch into the next
    np.add.at(counts, (group[inside - 1], group[inside]), 1)
    mean, variance = gaussians(x, np.eye(states)[group], LEAST_VARIANCE)
    return Chain(floored(np.bincount(group, minlength=states).astype(float), LEAST_MOVE), floored(counts, LEAST_MOVE), mean, variance)
