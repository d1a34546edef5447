"""Which state of a hidden Markov model the market is in, from the bars so far: a step kernel, and the learner of its params."""

from __future__ import annotations

import math

import numpy as np

from barsmith.compiled import njit
from barsmith.errors import DataError
from barsmith.features.hmm import Chain, fit, log_densities
from barsmith.features.kernels import kernel
from barsmith.features.learned import learner

#: Filters that began differently are one when no chance differs by a larger share of itself; from how many training rows on that is
#: measured, and the margin.
MET, MEETINGS, MARGIN = 1e-11, 400, 3.0
#: Bars that a filter of MES and MGC needs at most, shown before anything is learned.
EXPECTED_TO_FORGET = 250


def numbers_of(states: float, forgets: float, *chain: float) -> int:
    """Length of the filter's state: the chances now and ahead, each state's constant, and the params unfolded."""
    k = int(states)
    if k != states or k < 2 or forgets < 0 or len(chain) != k + k * k + 4 * k or min(chain[-2 * k :]) <= 0:
        raise ValueError(f"{len(chain)} numbers are no chain of {states} states")
    return 5 * k + k * k + 4 * k


@kernel(size=numbers_of, settling=lambda states, forgets, *chain: int(forgets), outputs=("state", "level", "calm", "wild", "entropy"))
def hmm_filter(state: np.ndarray, params: tuple[float, ...], x: float, y: float) -> tuple[float, float, float, float, float]:
    """What the bars so far say about the state of a Gaussian chain (forward filter, never smoothed).

    params: number of states, bars to forget, and of a `Chain`: long-run shares, moves, means and variances, row by row.
    A row that is not finite says nothing: the chances move on as the chain does. Source: Rabiner (1989).
    """
    k = int(params[0])
    start, moves = 3 * k, 4 * k
    mean, variance = moves + k * k, moves + k * k + 2 * k
    if np.isnan(state[start]):  # the first bar: an indexed tuple is slow, and is read only now
        for i in range(2, len(params)):
            state[start + i - 2] = params[i]
        for j in range(k):
            state[2 * k + j] = -0.5 * (math.log(state[variance + 2 * j]) + math.log(state[variance + 2 * j + 1]))
    top = -np.inf
    for j in range(k):
        dx, dy = x - state[mean + 2 * j], y - state[mean + 2 * j + 1]
        density = state[2 * k + j] - 0.5 * (dx * dx / state[variance + 2 * j] + dy * dy / state[variance + 2 * j + 1])
        state[k + j] = density
        top = max(top, density)
    says_something, has_begun = np.isfinite(x + y) and np.isfinite(top), not np.isnan(state[0])
    if not (says_something or has_begun):
        return np.nan, np.nan, np.nan, np.nan, np.nan
    total = 0.0
    for j in range(k):
        ahead = state[start + j]
        if has_begun:
            ahead = 0.0
            for i in range(k):
                ahead += state[i] * state[moves + i * k + j]
        state[k + j] = ahead * math.exp(state[k + j] - top) if says_something else ahead
        total += state[k + j]
    likeliest, level, entropy = 0, 0.0, 0.0
    for j in range(k):
        chance = state[k + j] / total
        state[j] = chance
        level += j * chance
        if chance > 0.0:
            entropy -= chance * math.log(chance)
        if chance > state[likeliest]:
            likeliest = j
    return likeliest / (k - 1.0), level / (k - 1.0), state[0], state[k - 1], entropy / math.log(k)


@learner(kernel=hmm_filter, settling=lambda states: EXPECTED_TO_FORGET)
def hmm(sequences: list[np.ndarray], settings: tuple[float, ...], seed: np.random.SeedSequence) -> tuple[float, ...]:
    """A chain of so many states over two inputs, the second of which is the level that the states are ordered by.

    Outputs of its filter: `state`, the most likely one, and `level`, the average of all by their chances, both 0 for the lowest and 1
    for the highest; `calm` and `wild`, the chances of the lowest and of the highest; `entropy`, 0 when sure, 1 when all are as likely.
    """
    chain, _ = fit(sequences, int(settings[0]), seed)
    numbers = np.concatenate([each.ravel() for each in (chain.stationary(), chain.moves, chain.mean, chain.variance)])
    return (settings[0], float(bars_to_forget(chain, sequences)), *numbers.tolist())


@njit
def meeting(density, moves, at):  # type: ignore[no-untyped-def]
    """Rows from `at` until filters that were sure of different states there agree; -1 where the sequence ends before."""
    n, k = density.shape
    sure, ahead = np.eye(k), np.empty(k)
    for t in range(at + 1, n):
        likely = np.exp(density[t] - density[t].max())
        for s in range(k):
            for j in range(k):
                ahead[j] = 0.0
                for i in range(k):
                    ahead[j] += sure[s, i] * moves[i, j]
            ahead *= likely
            sure[s] = ahead / ahead.sum()
        apart = 0.0
        for j in range(k):
            apart = max(apart, sure[:, j].max() - (1.0 + MET) * sure[:, j].min())
        if apart <= 0.0:
            return t - at
    return -1


def bars_to_forget(chain: Chain, sequences: list[np.ndarray]) -> int:
    """Bars after which the filter no longer knows where it began: the longest that it took from many training rows on, with a margin.

    What a filter began with lies between being sure of each state, and stays between what became of those.
    """
    rows, longest = sum(map(len, sequences)), -1
    for x in sequences:
        density = log_densities(x, chain.mean, chain.variance)
        for at in range(0, len(x), max(1, rows // MEETINGS)):
            longest = max(longest, meeting(density, chain.moves, at))
    if longest < 0:
        raise DataError(
            "features/too-few-rows",
            expected="stretches of training rows in which a hidden Markov model forgets where it began",
            came=f"at most {max(map(len, sequences))} rows in one piece",
            do="bring a longer file, ask for fewer states, or leave these features out (features.drop)",
        )
    return int(np.ceil(MARGIN * longest))
