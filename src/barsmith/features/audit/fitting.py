"""What learns is learned again with another market after its training slice: the same bits, or it has looked there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from barsmith.bars.minutes import Minutes
from barsmith.features.audit.findings import Findings, Leak
from barsmith.features.audit.history import History
from barsmith.features.audit.other_histories import another_market_after

Learn = Callable[[Minutes], Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True)
class Training:
    """slices: [first minute, minute past the last) of each stretch of training time. seed: of what is random in learning."""

    slices: tuple[tuple[int, int], ...]
    seed: int


def check_fit(
    history: History, training: Training, learn: Learn, users: Mapping[str, Iterable[str]], findings: Findings
) -> Mapping[str, Mapping[str, Any]]:
    """What `learn` gives for the history, by key. users: by key the features that read it; they are accused where its params move."""
    past = int(np.searchsorted(history.minutes.time, training.slices[-1][1]))
    known, altered = learn(history.minutes), learn(another_market_after(history.minutes, past))
    moved = [key for key, one in known.items() if not same(one, altered.get(key))]
    again = learn(history.minutes) if moved else {}
    row = int(np.clip(np.searchsorted(history.rung.end, training.slices[-1][1], "right"), 0, len(history) - 1))
    for key in moved:
        is_random = not same(known[key], again.get(key))
        size = apart(known[key], again.get(key) if is_random else altered.get(key))
        for name in users.get(key, ()):
            findings.add(Leak(name, "random" if is_random else "fit", history.bar(row), size))
    return known


def same(a: Mapping[str, Any], b: Mapping[str, Any] | None) -> bool:
    """Params with the same bits, of as many rows."""
    return b is not None and list(a["params"]) == list(b["params"]) and a["rows"] == b["rows"]


def apart(a: Mapping[str, Any], b: Mapping[str, Any] | None) -> float | None:
    if b is None or len(a["params"]) != len(b["params"]) or not len(a["params"]):
        return None
    return float(np.abs(np.array(a["params"]) - np.array(b["params"])).max())
