"""The forward filter against hmmlearn's own forward pass; what it makes of outliers and holes, and how soon it forgets where it began."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn import _hmmc

from barsmith.errors import DataError
from barsmith.features.graph import Column, Expr
from barsmith.features.hmm import Chain, expect, fit, log_densities
from barsmith.features.hmm_filter import MARGIN, bars_to_forget, hmm, meeting, numbers_of
from barsmith.features.kernels import Kernel

INPUTS = (Column("open"), Column("close"))
SEED = np.random.SeedSequence(5)


def walked(rows: int, seed: int) -> np.ndarray:
    """(rows, 2) values of a market that is calm, ordinary or wild for about thirty bars at a time."""
    random = np.random.default_rng(seed)
    state = np.repeat(random.integers(0, 3, rows), random.geometric(1 / 30, rows))[:rows]
    return random.normal(np.array([[0.0, -1.0], [0.1, 0.0], [-0.2, 1.0]])[state], np.array([0.4, 0.6, 1.0])[state, None])


@pytest.fixture(scope="module", params=[2, 3, 4])
def filter_of(request) -> Kernel:
    """The filter as learned from 4000 rows."""
    return hmm(*INPUTS, states=request.param).known(hmm.learning([walked(4000, 1)], (float(request.param),), SEED), INPUTS)


def chain_of(node: Kernel) -> Chain:
    k, rest = int(node.params[0]), np.array(node.params[2:])
    start, moves, mean, variance = np.split(rest, np.cumsum([k, k * k, 2 * k]))
    return Chain(start, moves.reshape(k, k), mean.reshape(k, 2), variance.reshape(k, 2))


def columns(node: Expr, x: np.ndarray) -> np.ndarray:
    """(5, n) outputs."""
    return np.array(node.read(*x.T)[0])


def forward(chain: Chain, x: np.ndarray) -> np.ndarray:
    """(n, k) filtered chances by hmmlearn's C code, which it offers no public name for."""
    density = log_densities(x, chain.mean, chain.variance)
    _, lattice = _hmmc.forward_log(chain.start, chain.moves, density)
    lattice = np.exp(lattice - lattice.max(axis=1, keepdims=True))
    return lattice / lattice.sum(axis=1, keepdims=True)


def test_the_filter_is_the_forward_pass_of_hmmlearn(filter_of):
    x = walked(5000, 2)
    chance = forward(chain_of(filter_of), x)
    k = chance.shape[1]
    state, level, calm, wild, entropy = columns(filter_of, x)
    for found, expected in (
        (calm, chance[:, 0]),
        (wild, chance[:, -1]),
        (level, chance @ np.linspace(0, 1, k)),
        (entropy, -(chance * np.log(chance + 1e-300)).sum(axis=1) / np.log(k)),
    ):
        assert np.abs(found - expected).max() < 1e-9
    sure = np.sort(chance, axis=1)[:, -1] - np.sort(chance, axis=1)[:, -2] > 1e-9
    assert sure.mean() > 0.999
    assert (state[sure] == chance[sure].argmax(axis=1) / (k - 1)).all()
    assert len(np.unique(state)) == k


def test_the_params_are_those_of_the_fit(filter_of):
    k = int(filter_of.params[0])
    fitted, learned = fit([walked(4000, 1)], k, SEED)[0], chain_of(filter_of)
    assert learned.mean.tolist() == fitted.mean.tolist()
    assert learned.moves.tolist() == fitted.moves.tolist()
    assert learned.variance.tolist() == fitted.variance.tolist()
    np.testing.assert_allclose(learned.start @ learned.moves, learned.start, rtol=1e-12)
    assert filter_of.settling_bars == filter_of.params[1] == bars_to_forget(fitted, [walked(4000, 1)])


def test_a_step_gives_the_bits_of_the_column(filter_of):
    x = walked(700, 3)
    x[[100, 101, 300]] = np.nan
    whole = columns(filter_of, x)
    _, step = filter_of.read(*x[:200].T)
    found = np.array([step(*row) for row in x[200:].tolist()]).T
    assert found.tobytes() == np.ascontiguousarray(whole[:, 200:]).tobytes()


def test_the_first_row_starts_from_the_long_run(filter_of):
    chain, x = chain_of(filter_of), walked(1, 4)
    density = np.exp(log_densities(x, chain.mean, chain.variance)[0])
    assert columns(filter_of, x)[3, 0] == pytest.approx(chain.start[-1] * density[-1] / (chain.start * density).sum(), rel=1e-12)


def test_a_leading_gap_stays_empty_and_changes_nothing(filter_of):
    x = walked(300, 5)
    late = np.vstack([np.full((7, 2), np.nan), x])
    found = columns(filter_of, late)
    assert np.isnan(found[:, :7]).all()
    assert found[:, 7:].tobytes() == columns(filter_of, x).tobytes()


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf, 1e200])
def test_a_row_that_says_nothing_moves_the_chances_on_as_the_chain_does(hole, filter_of):
    chain, x = chain_of(filter_of), walked(200, 6)
    x[100:103] = hole
    before = forward(chain, x[:100])[-1]
    _, _, calm, wild, _ = columns(filter_of, x)
    for ahead in range(1, 4):
        before = before @ chain.moves
        assert calm[99 + ahead] == pytest.approx(before[0], rel=1e-9)
        assert wild[99 + ahead] == pytest.approx(before[-1], rel=1e-9)
    assert np.isfinite(columns(filter_of, x)).all()


@pytest.mark.parametrize("outlier", [30.0, -1e4, 1e9, 1e150])
def test_an_outlier_whose_density_is_nothing_in_every_state_still_says_which_is_likeliest(outlier, filter_of):
    chain, x = chain_of(filter_of), walked(200, 7)
    x[100, 0] = outlier
    found = columns(filter_of, x)
    assert np.isfinite(found).all()
    widest = int(chain.variance[:, 0].argmax())
    assert found[0, 100] == widest / (len(chain.start) - 1)
    assert (found[1:4] >= 0).all()
    assert (found[1:] <= 1 + 1e-15).all()


def test_a_filter_started_anywhere_is_the_same_after_the_bars_it_declares(filter_of):
    """Outside the training rows, from eight origins, within 1e-9 of the value or of the column's median size."""
    x = walked(20_000, 8)
    whole = columns(filter_of, x)
    size = np.maximum(np.abs(whole), np.median(np.abs(whole), axis=1, keepdims=True))
    needed = 0
    for origin in np.random.default_rng(9).integers(1, 18_000, 8):
        apart = (np.abs(columns(filter_of, x[origin:]) - whole[:, origin:]) > 1e-9 * size[:, origin:]).any(axis=0)
        needed = max(needed, int(np.flatnonzero(apart)[-1]) + 1)
    assert 5 < needed < filter_of.settling_bars / 1.5


def test_the_meeting_of_filters_is_measured_from_the_worst_beginnings(filter_of):
    chain, x = chain_of(filter_of), walked(3000, 10)
    density = log_densities(x, chain.mean, chain.variance)
    k = len(chain.start)
    chance = np.eye(k)
    bars = 0
    while bars == 0 or (chance.max(axis=0) > chance.min(axis=0) * (1 + 1e-11)).any():
        bars += 1
        chance = chance @ chain.moves * np.exp(density[40 + bars] - density[40 + bars].max())
        chance /= chance.sum(axis=1, keepdims=True)
    assert meeting(density, chain.moves, 40) == bars
    assert meeting(density[: 40 + bars], chain.moves, 40) == -1
    assert bars * MARGIN <= 3 * bars_to_forget(chain, [x])


def test_a_chain_that_never_changes_its_mind_is_refused():
    """Without the floor under its moves a filter remembers for ever; with few rows even a floored one has not met."""
    x = np.random.default_rng(1).normal(size=(900, 2))
    still = Chain(np.full(2, 0.5), np.eye(2), np.zeros((2, 2)), np.ones((2, 2)))
    with pytest.raises(DataError, match="at most 900 rows in one piece"):
        bars_to_forget(still, [x, x])


def test_numbers_that_are_no_chain_are_refused(filter_of):
    params = filter_of.params
    assert numbers_of(*params) == int(5 * params[0] + params[0] ** 2 + 4 * params[0])
    for wrong in (params[:-1], (*params, 1.0), (params[0] + 1, *params[1:]), (params[0], -1.0, *params[2:]), (*params[:-1], 0.0)):
        with pytest.raises(ValueError, match="are no chain"):
            numbers_of(*wrong)


def test_smoothing_would_have_known_the_future(filter_of):
    """The planted leak: the chances given the whole series change when its end is cut off; the filter's do not."""
    chain, x = chain_of(filter_of), walked(2000, 11)

    def smoothed(x: np.ndarray) -> np.ndarray:
        weight, k = np.empty((len(x), len(chain.start))), len(chain.start)
        expect(log_densities(x, chain.mean, chain.variance), chain.start, chain.moves, weight, np.zeros((k, k)), np.zeros(k))
        return weight[:, -1]

    filtered = columns(filter_of, x)[3]
    whole = smoothed(x)
    changed = max(np.abs(smoothed(x[:cut])[-20:] - whole[cut - 20 : cut]).max() for cut in range(1000, 1990, 5))
    assert changed > 0.1
    assert np.abs(whole - filtered).max() > 0.5
    for cut in range(1000, 1400, 25):
        assert columns(filter_of, x[:cut])[3].tobytes() == filtered[:cut].tobytes()
