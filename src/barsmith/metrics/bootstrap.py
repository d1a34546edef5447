"""How sure a score is: whole sessions drawn with replacement, because the rows of one session are not independent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from barsmith.compiled import njit
from barsmith.metrics.classification import (
    BINS,
    CLASSES,
    calibration_bins,
    checked,
    confidences,
    direction_scores,
    row_briers,
    row_log_losses,
    signals,
    timing_scores,
)

Interval = list[float] | None


def session_intervals(
    y: np.ndarray,
    probabilities: np.ndarray,
    session: np.ndarray,
    *,
    seed: int | np.random.SeedSequence,
    statistics: Sequence[str] | None = None,
    log_return: np.ndarray | None = None,
    draws: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """{score: [low, high]} for the scores of `classification.scores`, by default all of them.

    session: (N,) the session of each row. The interval holds the middle `level` of the draws in which the score is defined;
    None with a single session, or where it is undefined in half of the draws. Source: Efron & Tibshirani (1993), clusters as units.
    """
    drawn = session_draws(y, probabilities, session, seed=seed, log_return=log_return, draws=draws)
    return intervals(drawn if statistics is None else {name: drawn[name] for name in statistics}, level)


def difference_intervals(
    y: np.ndarray,
    probabilities: np.ndarray,
    others: np.ndarray,
    session: np.ndarray,
    *,
    seed: int | np.random.SeedSequence,
    log_return: np.ndarray | None = None,
    draws: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval]:
    """{score: [low, high]} of the first probabilities' score minus the others', each draw over the same sessions."""
    pair = [session_draws(y, p, session, seed=seed, log_return=log_return, draws=draws) for p in (probabilities, others)]
    return intervals({name: pair[0][name] - pair[1][name] for name in pair[0]}, level)


def intervals(drawn: Mapping[str, np.ndarray], level: float = 0.95) -> dict[str, Interval]:
    """The middle `level` of each score's defined draws; None where half or more are undefined."""
    out: dict[str, Interval] = {}
    for name, values in drawn.items():
        known = values[~np.isnan(values)]
        tails = (50.0 * (1.0 - level), 50.0 * (1.0 + level))
        out[name] = np.percentile(known, tails).tolist() if 2 * len(known) > len(values) else None
    return out


def session_draws(
    y: np.ndarray,
    probabilities: np.ndarray,
    session: np.ndarray,
    *,
    seed: int | np.random.SeedSequence,
    log_return: np.ndarray | None = None,
    draws: int = 1000,
) -> dict[str, np.ndarray]:
    """{score: (draws,)}, NaN where undefined. Equal seeds and sessions draw the same sessions, so that two models can be compared in pairs."""
    y, probabilities = checked(y, probabilities)
    number, counts = session_counts(session, seed, draws)
    signal = signals(probabilities)

    def summed(values: np.ndarray) -> np.ndarray:
        """(draws,) or (draws, k) sums of a row's values over the drawn sessions; einsum adds in one order on every machine."""
        by_session = np.zeros((counts.shape[1], *values.shape[1:]))
        np.add.at(by_session, number, values)
        return np.asarray(np.einsum("bs,s...->b...", counts, by_session))

    rows = summed(np.ones(len(y)))
    out = _counted(summed(_indicators((signal + 1) * 3 + (y + 1), 9)).reshape(-1, 3, 3), rows)
    out["log_loss"] = _share(summed(row_log_losses(y, probabilities)), rows)
    out["brier"] = _share(summed(row_briers(y, probabilities)), rows)
    gap = confidences(probabilities) - (signal == y)
    out["ece"] = _share(np.abs(summed(_indicators(calibration_bins(probabilities), BINS) * gap[:, None])).sum(axis=1), rows)
    by_class = np.stack([_aucs(y == label, probabilities[:, label + 1], number, counts) for label in CLASSES.values()])
    known = ~np.isnan(by_class)
    out["auc_macro"] = _share(np.where(known, by_class, 0.0).sum(axis=0), known.sum(axis=0))
    touched = y != 0
    out["auc_timing"] = _aucs(touched, timing_scores(probabilities), number, counts)
    out["auc_direction"] = _aucs(y[touched] == 1, direction_scores(probabilities)[touched], number[touched], counts)
    if log_return is not None:
        traded = (signal != 0).astype(np.float64)
        out["gross_return_per_trade"] = _share(summed(np.where(signal != 0, signal * log_return, 0.0)), summed(traded))
        out["trades"] = summed(traded)
    if counts.shape[1] < 2:  # one session says nothing about another
        return {name: np.full(draws, np.nan) for name in out}
    return out


def session_counts(session: np.ndarray, seed: int | np.random.SeedSequence, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """(N,) number of each row's session, and (draws, S) float64 how often each session was drawn."""
    names, number = np.unique(session, return_inverse=True)
    rng = np.random.default_rng(seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed))
    drawn = rng.integers(0, len(names), (draws, len(names)))
    flat = np.bincount((drawn + np.arange(draws)[:, None] * len(names)).ravel(), minlength=draws * len(names))
    return number.astype(np.int64), flat.reshape(draws, len(names)).astype(np.float64)


def _indicators(which: np.ndarray, k: int) -> np.ndarray:
    """(N, k): 1 in the column that each row names."""
    return (which[:, None] == np.arange(k)).astype(np.float64)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _counted(table: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy, precision, recall and F1 from (draws, said, came) counts, undefined as in `classification.scores`."""
    out = {"accuracy": _share(np.einsum("bii->b", table), rows)}
    f1 = np.empty((3, len(rows)))
    for i, name in enumerate(CLASSES):
        hits, said, came = table[:, i, i], table[:, i].sum(axis=1), table[:, :, i].sum(axis=1)
        out[f"precision_{name}"] = np.where((said == 0) & (came > 0), 0.0, _share(hits, said))
        out[f"recall_{name}"] = _share(hits, came)
        out[f"f1_{name}"] = f1[i] = _share(2.0 * hits, said + came)
    known = ~np.isnan(f1)
    out["f1_macro"] = _share(np.where(known, f1, 0.0).sum(axis=0), known.sum(axis=0))
    return out


def _aucs(happened: np.ndarray, score: np.ndarray, number: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(draws,) area under the ROC curve of each draw, NaN where it holds only one of the two outcomes."""
    order = np.argsort(score, kind="stable")
    score = score[order]
    is_last = np.r_[score[1:] != score[:-1], np.ones(min(1, len(score)), np.bool_)]
    return np.asarray(_weighted_aucs(happened[order], is_last, number[order], counts))


@njit
def _weighted_aucs(happened, is_last, number, counts):  # type: ignore[no-untyped-def]
    """Pairs ranked rightly over all pairs, a tie counting half; a row weighs as often as its session was drawn."""
    out = np.full(len(counts), np.nan)
    for b in range(len(counts)):
        right, ups, downs, tied_up, tied_down = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(len(happened)):
            if happened[i]:
                tied_up += counts[b, number[i]]
            else:
                tied_down += counts[b, number[i]]
            if is_last[i]:
                right += tied_up * (downs + 0.5 * tied_down)
                ups, downs, tied_up, tied_down = ups + tied_up, downs + tied_down, 0.0, 0.0
        if ups > 0.0 and downs > 0.0:
            out[b] = right / (ups * downs)
    return out
