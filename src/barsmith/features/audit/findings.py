"""What an audit found: leaks by feature and kind, each with its first bar, its size and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

#: What each kind means, and what its owner can do.
KINDS = {
    "future": "a value changes when later bars are known: take out what looks ahead (centred windows, negative shifts, statistics or transforms of the whole series)",
    "live": "bar by bar it gives another value than over the history: make the step continue exactly what the column computes",
    "lookback": "it needs more bars than it declares: raise lookback, or use a window that ends within it",
    "warmup": "it still depends on where history began after its declared warm-up: declare more bars (settling), or let it forget",
    "fit": "what it learns changes with bars after the training slice: learn from the sequences given, nothing else",
    "random": "the same bars give another value: seed what is random, or take it out",
    "stateful": "its value depends on what was computed before: keep nothing between calls",
    "outside": "it knows more than the bars: no files, no clock, no look-up by date; dated events belong in `events: events.csv`, learned numbers in a learner",
    "foresight": "it knows the returns to come as no feature can: take out the table, the weights or the peek that it has them from",
    "run": "it gives another value in `barsmith run` than in the audit: no look at arguments, environment, folders, the stack or earlier calls",
    "slow": "it cannot be checked at every bar in its time, and what is not checked does not pass: make it faster",
    "hang": "it did not answer in time: find the endless loop or the wait",
    "crash": "it failed: mend it",
    "exit": "it ended its process: take out the exit",
    "clean": "a cleaned minute changes when later bars are known: no interpolation, no outlier rule with later bars",
    "mtf": "a bar of the ladder is there before it is closed, or changes afterwards: join on the close",
    "sessions": "the session table moves with daylight saving: anchor it on the exchange's local time",
}


#: Kinds of which it follows that not every check was made.
UNCHECKED = ("slow", "hang", "crash", "exit")


@dataclass(frozen=True)
class Leak:
    """feature: its name, or the stage or file at fault. first_bar: ISO time of the base bar's open. difference: None where it is no number."""

    feature: str
    kind: str
    first_bar: str | None = None
    difference: float | None = None
    told: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"feature": self.feature, "kind": self.kind, "first_bar": self.first_bar, "difference": self.difference}


@dataclass
class Findings:
    """Collected on the way. rounding: {feature: largest difference within rounding}. settling: {feature: measured bars or None}.

    silent: features without a value anywhere, of which nothing can be said.
    """

    leaks: dict[tuple[str, str], Leak] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)
    settling: dict[str, dict[str, Any]] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def add(self, leak: Leak) -> None:
        """One of a feature and kind: the earliest."""
        known = self.leaks.get((leak.feature, leak.kind))
        first = min([each for each in (known, leak) if each is not None], key=lambda each: each.first_bar or "9")
        told = first.told or leak.told or (known.told if known is not None else "")
        self.leaks[leak.feature, leak.kind] = dataclasses.replace(first, told=told)

    def round(self, feature: str, size: float) -> None:
        self.rounding[feature] = max(self.rounding.get(feature, 0.0), size)

    def accused(self, *kinds: str) -> set[str]:
        return {feature for feature, kind in self.leaks if not kinds or kind in kinds}

    def take(self, other: Findings) -> None:
        for leak in other.leaks.values():
            self.add(leak)
        for feature, size in other.rounding.items():
            self.round(feature, size)
        self.settling |= other.settling
        self.did += other.did
        self.silent += other.silent


@dataclass(frozen=True)
class AuditReport:
    """The whole result. features: how many there are. checked_bars: base bars at which they were audited, but for those that are unchecked."""

    features: int
    checked_bars: int
    unchecked: tuple[str, ...]
    leaks: tuple[Leak, ...]
    rounding: dict[str, float]
    settling: dict[str, dict[str, Any]]
    audited: str
    did: tuple[str, ...]
    seconds: float

    @property
    def outside_warmup(self) -> dict[str, dict[str, Any]]:
        """Settling of the features that need more bars than they declare."""
        return {name: bars for name, bars in self.settling.items() if (bars["measured"] or 0) > (bars["declared"] or 0)}

    @property
    def is_clean(self) -> bool:
        return not self.leaks

    def as_dict(self) -> dict[str, Any]:
        return {
            "features": self.features,
            "checked_bars": self.checked_bars,
            "leaks": [leak.as_dict() for leak in self.leaks],
            "unchecked": list(self.unchecked),
            "told": [{"feature": leak.feature, "kind": leak.kind, "told": leak.told} for leak in self.leaks if leak.told],
            "rounding": self.rounding,
            "settling": self.settling,
            "audited": self.audited,
            "seconds": self.seconds,
        }


def in_order(leaks: Iterable[Leak]) -> tuple[Leak, ...]:
    """By feature, the gravest kind first."""
    kinds = list(KINDS)
    return tuple(sorted(leaks, key=lambda leak: (leak.feature, kinds.index(leak.kind))))
