"""The hidden Markov model against hmmlearn and against chains whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM

from barsmith.errors import DataError
from barsmith.features.hmm import LEAST_MOVE, LEAST_VARIANCE, Chain, beginnings, expect, fit, grouped, improve, log_densities

TRUTH = Chain(
    start=np.array([0.5, 0.3, 0.2]),
    moves=np.array([[0.95, 0.04, 0.01], [0.05, 0.90, 0.05], [0.02, 0.08, 0.90]]),
    mean=np.array([[0.0, -1.0], [0.1, 0.0], [-0.2, 1.5]]),
    variance=np.array([[0.2, 0.1], [1.0, 0.15], [4.0, 0.3]]),
)
SEED = np.random.SeedSequence(5)


def simulated(chain: Chain, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, d) values and the (rows,) states behind them."""
    random = np.random.default_rng(seed)
    state = np.empty(rows, int)
    state[0] = random.choice(len(chain.start), p=chain.start)
    for t in range(1, rows):
        state[t] = random.choice(len(chain.start), p=chain.moves[state[t - 1]])
    return random.normal(chain.mean[state], np.sqrt(chain.variance[state])), state


@pytest.fixture(scope="module")
def sequences() -> list[np.ndarray]:
    x, _ = simulated(TRUTH, 6000, seed=1)
    return [np.ascontiguousarray(part) for part in np.split(x, [2500, 2600])]


def theirs(chain: Chain, implementation: str = "log", rounds: int = 1) -> GaussianHMM:
    """hmmlearn's model at this start, without its priors."""
    model = GaussianHMM(
        len(chain.start), covariance_type="diag", covars_prior=0, covars_weight=1, min_covar=0, init_params="",
        implementation=implementation, tol=0, n_iter=rounds,
    )  # fmt: skip
    model.startprob_, model.transmat_, model.means_ = chain.start, chain.moves, chain.mean
    model.n_features = chain.mean.shape[1]
    model.covars_ = chain.variance
    return model


@pytest.mark.parametrize("states", [2, 3, 4])
@pytest.mark.parametrize("implementation", ["log", "scaling"])
def test_twenty_rounds_from_the_same_start_are_those_of_hmmlearn(states, implementation, sequences):
    begun = beginnings(sequences, states, np.random.default_rng(3))[2]
    ours, likelihoods = improve(begun, sequences, 20, gain=-np.inf, least_move=0.0, least_variance=0.0)
    model = theirs(begun, implementation, 20)
    model.fit(np.concatenate(sequences), [len(each) for each in sequences])
    assert len(likelihoods) == 20
    np.testing.assert_allclose(likelihoods, model.monitor_.history, rtol=1e-12)
    np.testing.assert_allclose(ours.moves, model.transmat_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.mean, model.means_, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(ours.variance, np.diagonal(model.covars_, axis1=1, axis2=2), rtol=1e-8)
    np.testing.assert_allclose(ours.start, model.startprob_, rtol=1e-8, atol=1e-12)


def test_the_smoothed_chances_are_those_of_hmmlearn(sequences):
    x = sequences[0]
    weight, counts, begun = np.empty((len(x), 3)), np.zeros((3, 3)), np.zeros(3)
    expect(log_densities(x, TRUTH.mean, TRUTH.variance), TRUTH.start, TRUTH.moves, weight, counts, begun)
    np.testing.assert_allclose(weight, theirs(TRUTH).predict_proba(x), rtol=1e-9, atol=1e-12)
    assert counts.sum() == pytest.approx(len(x) - 1)
    assert begun.tolist() == weight[0].tolist()


def test_a_planted_chain_is_found_again():
    x, state = simulated(TRUTH, 40_000, seed=2)
    chain, likelihood = fit([x], 3, SEED)
    np.testing.assert_allclose(chain.moves, TRUTH.moves, atol=0.012)
    np.testing.assert_allclose(chain.mean, TRUTH.mean, atol=0.06)
    np.testing.assert_allclose(chain.variance, TRUTH.variance, rtol=0.06)
    np.testing.assert_allclose(chain.stationary(), np.bincount(state) / len(state), atol=0.03)
    assert likelihood >= theirs(TRUTH).score(x) / len(x) - 1e-4


def test_the_likelihood_a_row_is_that_of_hmmlearn_for_the_chain(sequences):
    chain, likelihood = fit(sequences, 3, SEED)
    score = theirs(chain).score(np.concatenate(sequences), [len(each) for each in sequences])
    assert likelihood == pytest.approx(score / 6000, abs=1e-6)


def test_the_best_of_several_starts_wins():
    """Three states a little apart: some starts end in a worse optimum, which the fit does not take."""
    x = simulated(TRUTH, 2000, seed=4)[0]
    standard = [(x - x.mean(axis=0)) / x.std(axis=0)]
    ends = [improve(chain, standard, 500)[1][-1] for chain in beginnings(standard, 4, np.random.default_rng(SEED))]
    _, likelihood = fit([x], 4, SEED)
    assert (likelihood + np.log(x.std(axis=0)).sum()) * 2000 == pytest.approx(max(ends), abs=0.01)
    assert min(ends) < max(ends) - 3, ends


def test_states_are_ordered_by_the_last_column_from_any_seed_and_stretch():
    x, _ = simulated(TRUTH, 12_000, seed=6)
    fits = [
        fit([x[part]], 3, np.random.SeedSequence(seed))[0] for part, seed in ((slice(6000), 1), (slice(6000, None), 2), (slice(None), 3))
    ]
    for chain in fits:
        assert (np.diff(chain.mean[:, 1]) > 0).all()
        assert (np.diff(chain.variance[:, 0]) > 0).all()
        np.testing.assert_allclose(chain.mean, TRUTH.mean, atol=0.15)


def test_the_same_seed_gives_the_same_bits_and_does_not_use_the_seed_up(sequences):
    seed = np.random.SeedSequence(9)
    one, two = fit(sequences, 3, seed)[0], fit(sequences, 3, seed)[0]
    for name in ("start", "moves", "mean", "variance"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_columns_of_any_size_give_the_same_chain(sequences):
    scale, shift = np.array([1e-6, 1e5]), np.array([3.0, -1e5])
    chain, likelihood = fit(sequences, 3, SEED)
    other, other_likelihood = fit([each * scale + shift for each in sequences], 3, SEED)
    np.testing.assert_allclose(other.moves, chain.moves, rtol=1e-5)
    np.testing.assert_allclose(other.mean, chain.mean * scale + shift, rtol=1e-5)
    np.testing.assert_allclose(other.variance, chain.variance * scale**2, rtol=1e-5)
    assert other_likelihood == pytest.approx(likelihood - np.log(scale).sum(), abs=1e-5)


def test_no_state_shrinks_on_to_one_value_and_no_move_is_impossible(sequences):
    x = sequences[0].copy()
    x[::3] = 0.125  # a third of the rows are one and the same value: a state of it alone would be infinitely likely
    chain, _ = fit([x], 4, SEED)
    assert (chain.variance >= 0.999 * LEAST_VARIANCE * x.var(axis=0)).all()
    assert (chain.variance <= 1.001 * LEAST_VARIANCE * x.var(axis=0)).any()
    assert chain.moves.min() >= 0.99 * LEAST_MOVE
    np.testing.assert_allclose(chain.moves.sum(axis=1), 1, rtol=1e-14)


def test_stretches_are_not_joined_into_one():
    """Each of a hundred stretches stays in one state, so no move out of a state was ever seen."""
    random = np.random.default_rng(3)
    stretches = [random.normal([0.0, 5.0 * (i % 2)], 0.1, size=(60, 2)) for i in range(100)]
    apart, _ = fit(stretches, 2, SEED)
    joined, _ = fit([np.concatenate(stretches)], 2, SEED)
    assert apart.moves[0, 1] < 1.01 * LEAST_MOVE
    assert joined.moves[0, 1] == pytest.approx(1 / 60, rel=0.05)


def test_rows_of_known_states_are_counted():
    x = np.array([[0.0], [2.0], [10.0], [14.0], [1.0], [3.0]])
    chain = grouped(x, np.array([0, 0, 1, 1, 0, 0]), np.array([0, 4, 6]), 2)
    assert chain.mean.tolist() == [[1.5], [12.0]]
    assert chain.variance.tolist() == [[1.25], [4.0]]
    # moves seen 0->0 twice, 0->1 and 1->1 once; 1->0 lies between stretches; each counts one more
    assert chain.moves.tolist() == [[3 / 5, 2 / 5], [1 / 3, 2 / 3]]
    assert chain.start.tolist() == pytest.approx([4 / 6, 2 / 6])


def test_too_few_rows_are_refused():
    with pytest.raises(
        DataError, match=r"expected 400 settled training rows or more .* of 4 states, came 399; bring a longer file"
    ) as caught:
        fit([np.random.default_rng(0).normal(size=(399, 2))], 4, SEED)
    assert caught.value.code == "features/too-few-rows"
    fit([np.random.default_rng(0).normal(size=(400, 2))], 4, SEED)


def test_rows_that_do_not_move_are_refused():
    x = np.random.default_rng(0).normal(size=(500, 2))
    x[:, 1] = 0.1
    with pytest.raises(DataError, match=r"came 0.1 in all 500 rows of input 2; check the bars") as caught:
        fit([x], 2, SEED)
    assert caught.value.code == "features/constant-rows"
