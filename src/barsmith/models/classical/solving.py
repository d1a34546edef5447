"""What the models that scikit-learn solves share: one thread, no unheard warning, and the two losses that a training tells."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from barsmith.metrics.classification import weighted_log_loss
from barsmith.models.base import BaseModel


@contextmanager
def solving(notes: list[str], note: str) -> Iterator[None]:
    """A solver at work in one thread: with more BLAS adds in another order. `note` is added to the notes where it did not converge."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ConvergenceWarning)
        yield
    if any(issubclass(each.category, ConvergenceWarning) for each in heard):
        notes.append(note)
    for each in heard:
        if not issubclass(each.category, ConvergenceWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def losses(model: BaseModel, train: tuple[Any, Any, Any], stop: tuple[Any, Any, Any]) -> dict[str, list[float]]:
    """The log loss on the training rows and, where X of `stop` is not None, on the inner slice; each (X, y, weight), weight may be None."""
    parts = {"train": train, "stop": stop}
    return {name: [weighted_log_loss(y, model.predict(X).probabilities, weight)] for name, (X, y, weight) in parts.items() if X is not None}
