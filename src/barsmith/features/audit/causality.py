"""The checks that need no idea of the trick: known up to a moment against the whole, live against batch, later starts, other dates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from barsmith.features.audit.differences import Difference, Scale, differing, number
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.features.audit.readers import Columns, Reader

Shares = Callable[[float], None]


@dataclass(frozen=True)
class Whole:
    """Every feature over the whole history, and what is large in each column."""

    names: tuple[str, ...]
    columns: Columns
    scales: tuple[Scale, ...]

    @classmethod
    def of(cls, reader: Reader, history: History) -> Whole:
        return cls.known(reader.names, reader.read(history.raw))

    @classmethod
    def known(cls, names: tuple[str, ...], columns: Columns) -> Whole:
        return cls(names, columns, tuple(Scale.of(column) for column in columns.matrix.T))

    def against(self, found: np.ndarray, rows: slice | np.ndarray, *, same_origin: bool = True) -> Iterable[tuple[int, str, Difference]]:
        """Each feature whose values differ from those of `rows`. found: (k, f)."""
        for j, name in enumerate(self.names):
            expected = self.columns.matrix[rows, j]
            column = np.ascontiguousarray(found[:, j])
            if not np.array_equal(column.view(np.int64), np.ascontiguousarray(expected).view(np.int64)):
                yield j, name, differing(column, expected, self.scales[j], same_origin=same_origin)


def note(findings: Findings, kind: str, name: str, difference: Difference, bar: Callable[[int], str]) -> None:
    """A leak, or rounding, of one feature."""
    if difference:
        findings.add(Leak(name, kind, bar(difference.first), difference.at_first))
    if difference.rounds.any():
        findings.round(name, float(difference.size[difference.rounds].max()))


def prefixes(reader: Reader, history: History, whole: Whole, cuts: Sequence[int], findings: Findings, tell: Shares) -> None:
    """What is known when each of these minutes begins, from raw rows on, against the same bars of the whole history."""
    for i, cut in enumerate(cuts):
        now = int(history.minutes.time[cut])
        found = reader.read(history.known_by(now), now)
        rows = int(np.searchsorted(whole.columns.end, now, "right"))
        if not np.array_equal(found.end, whole.columns.end[:rows]):
            first = first_apart(found.end, whole.columns.end[:rows])
            findings.add(Leak("bars", "mtf", history.bar(min(first, len(history) - 1))))
        else:
            for _, name, difference in whole.against(found.matrix, slice(0, rows)):
                note(findings, "future", name, difference, history.bar)
        tell((i + 1) / len(cuts))


def first_apart(a: np.ndarray, b: np.ndarray) -> int:
    n = min(len(a), len(b))
    return int(np.argmax(a[:n] != b[:n])) if (a[:n] != b[:n]).any() else n


def lived(reader: Reader, history: History, first: int, last: int, tell: Shares = lambda share: None) -> np.ndarray:
    """(last - first, f) the base bars [first, last) one at a time, each asked for before the next one's minutes are handed over.

    The reader must stand at the first minute of bar `first`. A bar that it does not finish is NaN.
    """
    rung, time = history.rung, history.minutes.time
    out = np.full((last - first, len(reader.names)), np.nan)
    own_close = history.minutes.bars[:, 3:4]
    for k in range(first, last):
        a, b, now = int(rung.last[k - 1]) + 1 if k > first else int(rung.first[k]), int(rung.last[k]) + 1, int(rung.end[k])
        ends, values = reader.feed(time[a:b], np.hstack((history.adjusted[a:b], own_close[a:b])), now)
        if len(ends) and ends[-1] == now:
            out[k - first] = values[-1]
        if not (k - first) % 1000:
            tell((k - first) / (last - first))
    return out


def restored(reader: Reader, history: History, whole: Whole, cuts: Sequence[int], bars: int, findings: Findings, tell: Shares) -> int:
    """A live session restored at each of these minutes' bars and fed on, against the whole; how many bars were compared."""
    compared = 0
    for i, cut in enumerate(cuts):
        first = max(0, int(np.searchsorted(history.rung.first, cut, "right")) - 1)
        last = min(first + bars, len(history))
        reader.begin(history.minutes[: int(history.rung.first[first])])
        found = lived(reader, history, first, last)
        for _, name, difference in whole.against(found, slice(first, last)):
            note(findings, "live", name, difference, lambda row, first=first: history.bar(first + row))  # type: ignore[misc]
        compared += last - first
        tell((i + 1) / len(cuts))
    return compared


def later_starts(reader: Reader, history: History, whole: Whole, rows: Sequence[int], findings: Findings, tell: Shares) -> None:
    """Histories that begin later, against the whole: how many bars each feature needs until it is the same, and how many it declares."""
    needed, declared = np.zeros(len(whole.names), np.int64), np.zeros(len(whole.names), np.int64)
    judged = np.zeros(len(whole.names), bool)
    for i, row in enumerate(rows):
        later = reader.read_minutes(history.minutes[row:])
        m, first = len(later.end), np.minimum(later.first_settled, len(later.end))
        at = np.minimum(np.searchsorted(whole.columns.end, later.end), len(history) - 1)
        is_other = whole.columns.end[at] != later.end  # the bars of a clock may be others until it has settled
        for j, name, difference in whole.against(later.matrix, at, same_origin=False):
            apart = np.flatnonzero(difference.leaks | is_other)
            needed[j] = max(needed[j], apart[-1] + 1 if len(apart) else 0)
            unsettled = apart[apart >= first[j]]
            if len(unsettled):
                findings.add(Leak(name, "warmup", history.bar(int(at[unsettled[0]])), number(difference.size[unsettled[0]])))
            rounds = difference.size[first[j] :][difference.rounds[first[j] :]]
            if len(rounds):
                findings.round(name, float(rounds.max()))
        declared = np.maximum(declared, np.where(later.first_settled <= m, later.first_settled, 0))
        judged |= later.first_settled < m
        tell((i + 1) / len(rows))
    for j, name in enumerate(whole.names):
        bars = int(needed[j]) if judged[j] else None
        findings.settling[name] = {"measured": bars, "declared": int(declared[j]) if judged[j] else None, "starts": len(rows)}


def other_dates(moved: Columns, history: History, whole: Whole, kind: str, findings: Findings) -> set[str]:
    """The same bars on other dates against the whole: the features that differ. moved: the reading of the shifted rows."""
    differ = set()
    for _, name, difference in whole.against(moved.matrix, slice(0, len(moved.matrix))):
        note(findings, kind, name, difference, history.bar)
        differ |= {name} if difference else set()
    return differ
