"""Learned nodes: one of training rows alone, one that finds the other rows in the frames above it, one that draws lots."""

import sys

import numpy as np

from barsmith.features import close, feature, kernel, lag, learner, log


@kernel(size=lambda middle, spread: 0, settling=lambda middle, spread: 0)
def standard(state, params, x):
    """x in spreads from the middle."""
    return (x - params[0]) / params[1]


def scale(x):
    return float(np.median(x)), float(np.std(x)) + 1e-9


@learner(kernel=standard, settling=lambda: 0)
def of_training_rows(sequences, settings, seed):
    return scale(np.concatenate(sequences)[:, 0])


@learner(kernel=standard, settling=lambda: 0)
def of_all_rows(sequences, settings, seed):
    """Leak 7: fitted on every bar there is."""
    frame, longest = sys._getframe(1), np.concatenate(sequences)[:, 0]
    while frame is not None:
        minutes = frame.f_locals.get("minutes")
        if minutes is not None and len(minutes) > len(longest):
            longest = np.diff(np.log(minutes.bars[:, 3]))
        frame = frame.f_back
    return scale(longest)


@learner(kernel=standard, settling=lambda: 0)
def by_lot(sequences, settings, seed):
    return np.random.random(), 1.0


def change():
    return log(close / lag(close, 1))


@feature
def honest_learner():
    """The return in spreads of the training rows. Unit: standard deviations."""
    return of_training_rows(change())


@feature
def fitted_on_all_rows():
    """The same of all rows. Unit: standard deviations."""
    return of_all_rows(change())


@feature
def drawn_by_lot():
    """The same of no rows. Unit: standard deviations."""
    return by_lot(change())
