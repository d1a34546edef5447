"""Scheduled events, known in advance and so no leak: hours to the next one and since the last, as features."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barsmith.errors import UsageError
from barsmith.features.graph import Expr, Step, end_
from barsmith.features.registry import Feature

#: Hours beyond which all is the same, so that no value remembers where the history or the list of events began.
CAP_HOURS = 24
CAP = 60 * CAP_HOURS


@dataclass(frozen=True)
class Events:
    """times: for each kind of event its minutes since 1970 UTC, ascending, each once."""

    times: dict[str, list[int]]

    @property
    def rows(self) -> int:
        return sum(map(len, self.times.values()))

    @property
    def last(self) -> int | None:
        """The minute of the latest event."""
        return max((times[-1] for times in self.times.values()), default=None)

    @property
    def all(self) -> tuple[int, ...]:
        """The minutes at which anything happens, ascending, each once."""
        return tuple(sorted({time for times in self.times.values() for time in times}))


NONE = Events({})


@dataclass(frozen=True)
class HoursToEvent(Expr):
    """Hours from the bar's end to the first of these events after it, at most `CAP_HOURS`.

    times: minutes since 1970 UTC, ascending. kind: what a reader calls these events.
    """

    times: tuple[int, ...]
    kind: str = field(compare=False)
    inputs: tuple[Expr, ...] = (end_,)

    def identity(self) -> str:
        return f"hours to event {hash_of(self.times)}"

    def written(self, inputs: Sequence[str]) -> str:
        return f'hours_to_event({inputs[0]}, "{self.kind}")'

    def read(self, *history: Any) -> tuple[Any, Step]:
        (end,), times = history, (*self.times, float("inf"))
        minutes = np.array(times)[np.searchsorted(times, end, "right")] - end
        return np.minimum(minutes, CAP) / 60, lambda end: min(times[bisect_right(times, end)] - end, CAP) / 60


@dataclass(frozen=True)
class HoursSinceEvent(Expr):
    """Hours to the bar's end from the last of these events by then, 0 where they are one moment, at most `CAP_HOURS`."""

    times: tuple[int, ...]
    kind: str = field(compare=False)
    inputs: tuple[Expr, ...] = (end_,)

    def identity(self) -> str:
        return f"hours since event {hash_of(self.times)}"

    def written(self, inputs: Sequence[str]) -> str:
        return f'hours_since_event({inputs[0]}, "{self.kind}")'

    def read(self, *history: Any) -> tuple[Any, Step]:
        (end,), times = history, (float("-inf"), *self.times)
        minutes = end - np.array(times)[np.searchsorted(times, end, "right") - 1]
        return np.minimum(minutes, CAP) / 60, lambda end: min(end - times[bisect_right(times, end) - 1], CAP) / 60


def hash_of(times: tuple[int, ...]) -> str:
    return hashlib.sha256(",".join(map(str, times)).encode()).hexdigest()[:16]


def event_features(events: Events) -> dict[str, Feature]:
    """Two features of all events together, and two of each kind: `event_hours_to_next`, `event_cpi_hours_since` ..."""
    return {one.name: one for one in _event_features(events)}


def _event_features(events: Events) -> Iterator[Feature]:
    if events.rows:
        yield _feature("event_hours_to_next", HoursToEvent(events.all, "any"), "Time until the next scheduled event of any kind")
        yield _feature("event_hours_since_last", HoursSinceEvent(events.all, "any"), "Time since the last scheduled event of any kind")
    for kind, times in sorted(events.times.items()):
        yield _feature(f"event_{kind}_hours_to", HoursToEvent(tuple(times), kind), f"Time until the next scheduled {kind}")
        yield _feature(f"event_{kind}_hours_since", HoursSinceEvent(tuple(times), kind), f"Time since the last scheduled {kind}")


def _feature(name: str, node: HoursToEvent | HoursSinceEvent, summary: str) -> Feature:
    return Feature(
        name=name,
        family=name,
        group="events",
        params=(),
        expr=node,
        summary=f"{summary}, at most {CAP_HOURS} hours; one at the moment of decision has happened.",
        unit="hours",
        source="the events file",
    )


def with_events(known: dict[str, Feature], events: Events) -> dict[str, Feature]:
    """The features of a catalogue and those of the events. Raises UsageError `features/duplicate-name` for a name in both."""
    own = event_features(events)
    for name in sorted(own.keys() & known.keys()):
        raise UsageError(
            "features/duplicate-name",
            expected="each feature name once",
            came=f"{name} twice",
            do="rename the function, or the event",
            where="events",
        )
    return known | own
