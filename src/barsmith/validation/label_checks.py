"""Checks of labels and splits: order, spans, balance, and whether a label reads past its end or was left out for its outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from barsmith.bars.minutes import as_minutes, moment
from barsmith.validation.checks import Finding

if TYPE_CHECKING:
    import polars as pl

    from barsmith.bars.ladder import Rung
    from barsmith.bars.minutes import Minutes
    from barsmith.config import LabelSettings
    from barsmith.labels.outcomes import Labels

RAREST = 0.01


def times_out_of_order(tables: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    """Leak 18: rows of a split that are shuffled or repeated, or splits that do not follow each other (train, val, test)."""
    before, last = None, None
    for name, table in tables.items():
        times = table["datetime"].to_physical().to_numpy()
        back = int((np.diff(times) <= 0).sum())
        if back:
            yield Finding("splits/order", f"{name} is not in the order of time, each row once: {back} steps back or in place", back)
        if last is not None and len(times) and times.min() <= last:
            early = int((times <= last).sum())
            yield Finding("splits/order", f"{early} rows of {name} are not later than all of {before}", early)
        known, times_s = table["decision"].dt.epoch("us").to_numpy(), table["datetime"].dt.epoch("us").to_numpy()
        late = int((known[:-1] > times_s[1:]).sum())
        if late and not back:
            yield Finding("splits/order", f"{late} rows of {name} are decided after the next bar has begun", late)
        before, last = name, times.max() if len(times) else last


def spans_overlap(tables: Mapping[str, pl.DataFrame], horizon: int) -> Iterator[Finding]:
    """Leak 17: labels that are still open when a later split's first decision is made; a shared moment counts."""
    names = list(tables)
    for i, name in enumerate(names):
        ends = as_minutes(tables[name][f"label_end_h{horizon}"].drop_nulls())
        for later in names[i + 1 :]:
            decisions = as_minutes(tables[later]["decision"])
            still_open = ends[ends >= decisions.min()] if len(decisions) else ends[:0]
            if len(still_open):
                begins, last = moment(int(decisions.min())), moment(int(still_open.max()))
                what = f"{len(still_open)} labels of {name} (horizon {horizon}) are known only when {later} has begun, "
                what += f"at {begins:%Y-%m-%d %H:%M} UTC: the last at {last:%Y-%m-%d %H:%M}"
                yield Finding("splits/overlap", what, len(still_open))


def impossible_labels(table: pl.DataFrame, horizon: int, where: str, settings: LabelSettings) -> Iterator[Finding]:
    """Labels that are none, ends that are not after the decision, weights outside 0.5 to 1.5 (with uniqueness: that are not above 0), and rows
    with a part of an outcome."""
    import polars as pl

    label, end = pl.col(f"label_h{horizon}"), pl.col(f"label_end_h{horizon}")
    outcome, weight = pl.col(f"return_h{horizon}"), pl.col(f"sample_weight_h{horizon}")
    has = label.is_not_null()
    classes = [0, 1] if settings.primary_signal is not None else [-1, 0, 1]
    light = (weight <= 0.0) | ~weight.is_finite() if settings.uniqueness else ~weight.is_between(0.5, 1.5)
    cases = {
        "labels/value": (
            ~label.is_in(classes),
            "labels other than 0 and +1, whether the trade paid"
            if settings.primary_signal is not None
            else "labels other than -1, 0 and +1",
        ),
        "labels/end": (end <= pl.col("decision"), "labels known before, or when, their decision is made"),
        "labels/weight": (light, "sample weights " + ("that are not above 0" if settings.uniqueness else "outside 0.5 to 1.5")),
        "labels/return": (has & ~outcome.is_finite(), "returns that are not finite"),
        "labels/partial": (
            (end.is_not_null() != has) | (outcome.is_not_null() != has) | (weight.is_not_null() != has),
            "rows with a part of label, label end, return and weight",
        ),
    }
    counts = table.select(**{code: condition.fill_null(False).sum() for code, (condition, _) in cases.items()}).row(0, named=True)
    for code, (_, what) in cases.items():
        if counts[code]:
            yield Finding(code, f"{counts[code]} {what} in {where}, horizon {horizon}", counts[code])


def unbalanced(table: pl.DataFrame, horizon: int, where: str, settings: LabelSettings) -> Iterator[Finding]:
    """A class of the method that is missing (an error in train, where it could never be learned) or below one in a hundred."""
    import polars as pl

    label = table.filter(pl.col("is_settled"))[f"label_h{horizon}"].drop_nulls()
    for value, name in settings.classes.items():
        rows = int((label == value).sum())
        if rows == 0:
            what = f"no {name} row in {where}, horizon {horizon}"
            yield Finding("labels/class-missing", what, len(label), severity="error" if where == "train" else "warning")
        elif rows < RAREST * len(label):
            what = f"{name} is rare in {where}, horizon {horizon}: {rows} of {len(label)} rows"
            yield Finding("labels/unbalanced", what, rows, severity="warning")


def dropped_by_outcome(
    labels: Labels, asked: np.ndarray, base: Rung, horizon: int, *, closes: np.ndarray | None = None, min_bars: int = 1
) -> Iterator[Finding]:
    """Leak 23: rows without a label although they were asked for one and the bars of their window are there, of one contract; or the reverse.

    asked: (m,) bool. closes: (m,) each bar's session's close, where a trade ends there. min_bars: the shortest window of a method.
    """
    n, should = len(labels), np.zeros(len(labels), np.bool_)
    rows = np.flatnonzero(asked[:-1])
    last = rows + labels.max_bars
    if closes is not None:
        after = np.searchsorted(base.session, base.session[rows + 1], "right")  # the first bar of the session after the entry's
        last = np.where((after < n) | (base.end[-1] >= closes[-1]), np.minimum(last, after - 1), last)
    inside = (last < n) & (last >= rows + min_bars)
    should[rows[inside]] = base.contract[last[inside]] == base.contract[rows[inside]]
    for count, what in (
        (int((should & ~labels.has_label).sum()), "rows have no label although their future is there: left out by their outcome?"),
        (int((~should & labels.has_label).sum()), "rows have a label although a bar of their future is missing or of another contract"),
    ):
        if count:
            yield Finding("labels/dropped", f"{count} {what} (horizon {horizon})", count)


def reads_past_its_end(
    relabel: Callable[[Minutes], Labels], minutes: Minutes, decision: np.ndarray, *, seed: int, tries: int = 20
) -> Iterator[Finding]:
    """Whether any label changes when every minute after its end is changed.

    relabel: minutes -> labels of the same base bars. decision: (m,) the bars' ends. The rows tried are drawn by `seed`.
    """
    labels, rng = relabel(minutes), np.random.default_rng(np.random.SeedSequence(seed))
    known = np.flatnonzero(labels.has_label)
    wrong = []
    for t in np.sort(rng.choice(known, min(tries, len(known)), replace=False)).tolist():
        later = minutes.time >= labels.label_end[t]
        bars = minutes.bars.copy()
        bars[later, :4] *= rng.uniform(0.5, 1.5, (int(later.sum()), 1))
        again = relabel(replace(minutes, bars=bars))
        if len(again) <= t or not again.has_label[t]:  # with a dollar clock other prices make other bars later, perhaps too few
            continue
        if any(getattr(again, name)[t] != getattr(labels, name)[t] for name in ("label", "label_end", "log_return", "mae", "mfe")):
            wrong.append(t)
    if wrong:
        at = moment(int(decision[wrong[0]]))
        yield Finding(
            "labels/future", f"{len(wrong)} labels of {tries} change with bars after their end, first {at:%Y-%m-%d %H:%M}", len(wrong)
        )
