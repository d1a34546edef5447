"""How good three-class probabilities are: hits, losses, calibration, and skill split into timing and direction."""

from __future__ import annotations

import numpy as np

from barsmith.errors import DataError

CLASSES = {"short": -1, "neutral": 0, "long": 1}
BINS = 15
EPSILON = float(np.finfo(np.float64).eps)
LOWER_IS_BETTER = ("log_loss", "brier", "ece")


def signals(probabilities: np.ndarray) -> np.ndarray:
    """(N,) int8: the strictly most probable class -1, 0 or +1 of each row [short, neutral, long]; 0 on a tie."""
    short, neutral, long = probabilities[:, 0], probabilities[:, 1], probabilities[:, 2]
    return ((long > short) & (long > neutral)).astype(np.int8) - ((short > long) & (short > neutral)).astype(np.int8)


def confidences(probabilities: np.ndarray) -> np.ndarray:
    """(N,) probability of the signal."""
    return probabilities[np.arange(len(probabilities)), signals(probabilities) + 1]


def timing_scores(probabilities: np.ndarray) -> np.ndarray:
    """(N,) probability that a barrier is touched at all."""
    return 1.0 - probabilities[:, 1]


def direction_scores(probabilities: np.ndarray) -> np.ndarray:
    """(N,) probability of long among the two touches; 1/2 where both have none."""
    touched = probabilities[:, 0] + probabilities[:, 2]
    return np.divide(probabilities[:, 2], touched, out=np.full(len(touched), 0.5), where=touched > 0)


def row_log_losses(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,) -log of the probability given to what happened, which counts as at least 2.2e-16."""
    given = probabilities[np.arange(len(y)), y.astype(np.intp) + 1] / probabilities.sum(axis=1)
    return -np.log(np.clip(given, EPSILON, 1.0))


def weighted_log_loss(y: np.ndarray, probabilities: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Mean of `row_log_losses`, weighted."""
    return float(np.average(row_log_losses(np.asarray(y), probabilities), weights=weight))


def row_briers(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,) squared distance to what happened, summed over the three classes: 0 to 2. Source: Brier (1950)."""
    happened = y[:, None] == np.array([-1, 0, 1])
    return np.asarray(((probabilities - happened) ** 2).sum(axis=1))


def calibration_bins(probabilities: np.ndarray) -> np.ndarray:
    """(N,) which of 15 equal bins (0, 1/15], ... (14/15, 1] the confidence falls into."""
    return np.clip(np.ceil(confidences(probabilities) * BINS).astype(np.intp) - 1, 0, BINS - 1)


def checked(y: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y as int8, probabilities as float64, whose rows sum to one within 1e-4. Raises DataError `metrics/input`."""
    y, probabilities = np.asarray(y), np.asarray(probabilities, np.float64)
    if y.ndim != 1 or probabilities.shape != (len(y), 3) or not len(y):
        raise _bad_input("N labels and (N, 3) probabilities [short, neutral, long]", f"shapes {y.shape} and {probabilities.shape}")
    if not np.isin(y, (-1, 0, 1)).all():
        raise _bad_input("labels -1, 0 and +1", f"{np.unique(y)[:5].tolist()}")
    total = probabilities.sum(axis=1)
    good = (probabilities.min(axis=1) >= 0.0) & (np.abs(total - 1.0) <= 1e-4)
    if not good.all():
        row = int(np.argmin(good))
        raise _bad_input("rows of probabilities that sum to one", f"row {row}: {probabilities[row].tolist()}")
    return y.astype(np.int8), probabilities


def _bad_input(expected: str, came: str) -> DataError:
    return DataError("metrics/input", expected=expected, came=came, do="score a model's probabilities against the labels of the same rows")


def scores(y: np.ndarray, probabilities: np.ndarray, *, log_return: np.ndarray | None = None) -> dict[str, float | None]:
    """Every score of N rows, unweighted; None where a score is not defined.

    y: (N,) -1, 0, +1. probabilities: (N, 3) [short, neutral, long]. log_return: (N,) from entry to exit.

    accuracy; precision_, recall_, f1_ of short, neutral, long; f1_macro (over the classes that were there or predicted);
    log_loss (natural logarithm); brier (0 to 2); ece (calibration error of the confidence, 15 bins); auc_macro (each class against
    the rest, mean); auc_timing (is a barrier touched?); auc_direction (up or down, among touched rows);
    gross_return_per_trade (mean of signal x log return over the rows with a signal, before costs) and trades, where returns are given.
    Raises DataError `metrics/input`.
    """
    from sklearn.metrics import log_loss

    y, probabilities = checked(y, probabilities)
    signal = signals(probabilities)
    out: dict[str, float | None] = {"accuracy": float((signal == y).mean()), **_per_class(y, signal)}
    out["log_loss"] = float(log_loss(y, probabilities / probabilities.sum(axis=1, keepdims=True), labels=[-1, 0, 1]))
    out["brier"] = float(row_briers(y, probabilities).mean())
    out["ece"] = _calibration_error(y, probabilities)
    by_class = [_auc(y == label, probabilities[:, label + 1]) for label in CLASSES.values()]
    known = [auc for auc in by_class if auc is not None]
    touched = y != 0
    out["auc_macro"] = float(np.mean(known)) if known else None
    out["auc_timing"] = _auc(touched, timing_scores(probabilities))
    out["auc_direction"] = _auc(y[touched] == 1, direction_scores(probabilities)[touched])
    if log_return is not None:
        traded = signal != 0
        out["gross_return_per_trade"] = float((signal * log_return)[traded].mean()) if traded.any() else None
        out["trades"] = float(traded.sum())
    return out


def _per_class(y: np.ndarray, signal: np.ndarray) -> dict[str, float | None]:
    """Precision, recall and F1; of a class that never came there is no recall, of one that was never predicted either nothing."""
    from sklearn.metrics import precision_recall_fscore_support

    table = precision_recall_fscore_support(y, signal, labels=list(CLASSES.values()), zero_division=0)
    out: dict[str, float | None] = {}
    known = []
    for i, (name, label) in enumerate(CLASSES.items()):
        came, said = bool((y == label).any()), bool((signal == label).any())
        out[f"precision_{name}"] = float(table[0][i]) if came or said else None
        out[f"recall_{name}"] = float(table[1][i]) if came else None
        out[f"f1_{name}"] = float(table[2][i]) if came or said else None
        known += [float(table[2][i])] if came or said else []
    return {**out, "f1_macro": float(np.mean(known))}


def _auc(happened: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve; None where only one of the two outcomes is there."""
    if not len(happened) or happened.all() or not happened.any():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(happened, score))


def _calibration_error(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean distance between confidence and hit rate over the bins, weighted by their rows. Source: Naeini et al. (2015)."""
    gap = confidences(probabilities) - (signals(probabilities) == y)
    return float(np.abs(np.bincount(calibration_bins(probabilities), gap, BINS)).sum() / len(y))
