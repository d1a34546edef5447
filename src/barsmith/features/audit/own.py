"""The audit of features whose code is trusted to run in this process: the shipped catalogue, on what `clean` and the ladder make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from barsmith.bars.minutes import Minutes
from barsmith.config import TIMEFRAMES
from barsmith.features.audit import causality
from barsmith.features.audit.bars_checks import check_cleaning, check_joins, check_ladder
from barsmith.features.audit.causality import Whole
from barsmith.features.audit.findings import Findings
from barsmith.features.audit.fitting import Training, check_fit
from barsmith.features.audit.foresight import check_foresight
from barsmith.features.audit.history import History
from barsmith.features.audit.moments import moments, starts
from barsmith.features.audit.other_histories import same_calendar
from barsmith.features.audit.readers import OwnReader
from barsmith.features.audit.session_table import check_anchors, check_sessions
from barsmith.features.graph import Expr
from barsmith.features.learned import LearnedParams, is_learned, learn, learned_nodes, with_learned

Steps = Callable[[str, float | None], None]
#: Values that the prefix test may read, and how many prefixes there are at least and at most.
VALUES, FEWEST, MOST = 800_000_000, 12, 160
#: Live sessions that are restored, and the base bars that each is fed.
RESTORED, FED = 12, 400


def audit_bars(history: History, findings: Findings, tell: Steps) -> None:
    """clean, sessions and the ladder, before any feature."""
    tell("bars: cleaning, sessions and every rung", None)
    table = history.sessions
    near = moments(history.minutes, table, 400)
    check_cleaning(history, near, [near[i] for i in np.linspace(0, len(near) - 1, 6).astype(int)] if near else [], findings)
    check_ladder(history, near, list(TIMEFRAMES), findings)
    check_joins(history, list(TIMEFRAMES), findings)
    check_sessions(history, findings)
    check_anchors(history, list(TIMEFRAMES), findings)
    findings.did.append(f"cleaning and {len(TIMEFRAMES)} rungs at {len(near)} moments, joins at every bar, sessions at every clock change")


def audit_own(
    features: Mapping[str, Expr], history: History, training: Training | None, findings: Findings, tell: Steps, *, dated: Sequence[str] = ()
) -> int:
    """Every check over these features; how many there were. dated: those that may know dates, as scheduled events do."""
    known = with_what_it_learns(features, history, training, findings, tell)
    reader = OwnReader(known, base=history.base, sessions=history.sessions, rolls=history.rolls)
    whole = Whole.of(reader, history)
    cuts = moments(history.minutes, history.sessions, prefixes_for(len(history), len(known)))
    has_honest_bars = not findings.accused("clean")  # else every feature would be accused of it
    if has_honest_bars:
        what = f"{len(known)} features at {len(cuts)} moments"
        tell(what, None)
        causality.prefixes(reader, history, whole, cuts, findings, lambda share: tell(what, share))
    tell("live against batch", None)
    restores = moments(history.minutes, history.sessions, RESTORED, seed=5)
    bars = causality.restored(reader, history, whole, restores, FED, findings, lambda share: tell("live against batch", share))
    rows = starts(history.minutes, history.sessions)
    tell(f"{len(rows)} later starts", None)
    causality.later_starts(reader, history, whole, rows, findings, lambda share: tell("later starts", share))
    check_foresight(dict(zip(whole.names, whole.columns.matrix.T, strict=True)), history, findings)
    tell("the same bars on other dates", None)
    shifted(known, history, whole, findings, dated)
    findings.did.append(
        f"{len(known)} features: {len(cuts)} prefixes from raw rows on, {bars:,} bars live after {len(restores)} restores, {len(rows)} later starts, other dates, foresight"
    )
    return len(known)


def prefixes_for(bars: int, features: int) -> int:
    """How many prefixes the same effort allows."""
    return int(np.clip(VALUES // max(1, bars * max(features, 1) // 2), FEWEST, MOST))


def shifted(known: Mapping[str, Expr], history: History, whole: Whole, findings: Findings, dated: Sequence[str]) -> None:
    shift = same_calendar(int(history.minutes.time[0]), int(history.minutes.time[-1]))
    reader = OwnReader(known, base=history.base, sessions=shift.sessions(history.sessions), rolls=shift.minutes(history.rolls))
    found = Findings()
    causality.other_dates(reader.read(shift.raw(history.raw)), history, whole, "outside", found)
    for leak in found.leaks.values():
        if leak.feature not in dated:
            findings.add(leak)


def with_what_it_learns(
    features: Mapping[str, Expr], history: History, training: Training | None, findings: Findings, tell: Steps
) -> dict[str, Expr]:
    """The features with what they learn in their places; without a training slice those that learn are left out."""
    learning = {name: e for name, e in features.items() if is_learned(e)}
    if not learning:
        return dict(features)
    if training is None:
        findings.did.append(f"not audited, since nothing can be learned from so few bars: {', '.join(learning)}")
        return {name: e for name, e in features.items() if name not in learning}
    tell("learning twice, with another market after the training slice", None)

    def fitted(minutes: Minutes) -> dict[str, dict[str, object]]:
        found = learn(learning, minutes, base=history.base, sessions=history.sessions, slices=training.slices, seed=training.seed)
        return {key: one.as_dict() for key, one in found.items()}

    users: dict[str, list[str]] = {}
    for name, e in learning.items():
        for key, _, _ in learned_nodes(e, history.base):
            users.setdefault(key, []).append(name)
    known = {key: LearnedParams.from_dict(one) for key, one in check_fit(history, training, fitted, users, findings).items()}
    findings.did.append(f"{len(known)} learned nodes learned twice")
    return {name: with_learned(e, known, history.base) for name, e in features.items()}
