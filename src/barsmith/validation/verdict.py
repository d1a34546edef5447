"""What a score is worth, in a sentence, and an alarm when it is too good to be true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from barsmith.config import AlarmLevels
from barsmith.metrics.bootstrap import Interval
from barsmith.metrics.classification import LOWER_IS_BETTER
from barsmith.validation.known_best import BOUNDED

Scores = Mapping[str, float | None]
Intervals = Mapping[str, Interval]
LEAK_CHECKS = ("barsmith validate", "barsmith parity")
_SUSPECTS = {
    "auc_macro": "a feature that reads later bars, statistics over all rows, shuffled rows, or a label under another name",
    "accuracy": "a feature that reads later bars, or a label under another name",
    "auc_direction": "a feature that reads later bars, or a higher timeframe seen before its close",
}


@dataclass(frozen=True)
class Alarm:
    """A score beyond what honest systems reach. why: a sentence. checks: the commands that find the usual leaks."""

    score: str
    value: float
    limit: float
    why: str
    checks: tuple[str, ...] = LEAK_CHECKS

    def as_dict(self) -> dict[str, object]:
        return {**asdict(self), "checks": list(self.checks)}


def alarms(
    scores: Scores,
    baselines: Mapping[str, Scores],
    levels: AlarmLevels,
    *,
    intervals: Intervals | None = None,
    known_best: Scores | None = None,
) -> list[Alarm]:
    """The scores that are too good to be true.

    On real bars: macro AUC or direction AUC above its level, accuracy above the best baseline's by more than its level, and not by chance:
    the whole interval, where there is one, lies above.
    known_best: on a simulated market, the scores that the true probabilities get on the same rows. They replace the levels: a score is
    alarming when its whole interval (the score itself where there is none) is better than the best possible, and than every baseline: by
    luck an honest table of frequencies can be better on few rows than the truth.
    """
    if known_best is not None:
        limits = {name: _best(name, [known_best, *baselines.values()]) for name in BOUNDED if known_best.get(name) is not None}
        return [alarm for name, limit in limits.items() if (alarm := _beyond(name, scores, limit, intervals or {}))]
    spans = intervals or {}
    out = [_above(name, scores, spans, getattr(levels, name), "this timeframe and horizon") for name in ("auc_macro", "auc_direction")]
    crowd = max((row["accuracy"] for row in baselines.values() if row["accuracy"] is not None), default=None)
    if crowd is not None:
        share = levels.accuracy_over_majority
        out.append(_above("accuracy", scores, spans, crowd + share, f"baselines of at most {crowd:.3f}, {share:.0%} more"))
    return [alarm for alarm in out if alarm]


def _above(name: str, scores: Scores, intervals: Intervals, limit: float, of: str) -> Alarm | None:
    value = scores[name]
    if value is None or value <= limit or (intervals.get(name) or (value, value))[0] <= limit:
        return None
    why = f"{name} {value:.3f} is above {limit:.3f}, the most that is believable for {of}: suspect {_SUSPECTS[name]}"
    return Alarm(name, value, limit, why)


def _best(name: str, rows: Sequence[Scores]) -> float | None:
    known = [value for row in rows if (value := row.get(name)) is not None]
    return (min if name in LOWER_IS_BETTER else max)(known, default=None)


def _beyond(name: str, scores: Scores, best: float | None, intervals: Intervals) -> Alarm | None:
    value = scores.get(name)
    if value is None or best is None:
        return None
    low, high = intervals.get(name) or (value, value)
    if (high >= best) if name in LOWER_IS_BETTER else (low <= best):
        return None
    why = f"{name} {value:.3f} is better than {best:.3f}, the most that the true probabilities or a baseline reach: suspect a feature that reads later bars"
    return Alarm(name, value, best, why)


SKILLS = {"auc_timing": "timing", "auc_direction": "direction"}
LEAST_SESSIONS = 10
"""An interval by drawing whole sessions says nothing where there are fewer: of two, half of all draws are one of them twice."""
META_SKILLS = {"auc_timing": "picking the trades that pay"}
"""A meta-label is 1 or 0, so that the area under the curve that elsewhere is about timing is about payment."""


@dataclass(frozen=True)
class Verdict:
    """skill: what the intervals show: the words of `skills`, joined by `and`, or `none`. beats_the_clock: whether the log loss is below the time-of-day table's beyond doubt."""

    skill: str
    beats_the_clock: bool
    sentence: str
    trials: int

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def verdict(
    scores: Scores,
    intervals: Intervals,
    against_the_clock: Intervals,
    *,
    trials: int,
    sessions: int,
    raised: int = 0,
    skills: Mapping[str, str] = SKILLS,
) -> Verdict:
    """Which skill the intervals show, said plainly.

    scores, intervals: of the model. against_the_clock: `difference_intervals` of the model minus the time-of-day table.
    trials: configurations ever scored for this symbol and horizon, this one included. sessions: that were judged. raised: alarms.
    skills: {score: words}. A skill is shown when the whole interval of its AUC lies above one half, of `LEAST_SESSIONS` or more.
    """
    is_few = sessions < LEAST_SESSIONS
    if is_few:
        intervals, against_the_clock = {}, {}
    shown = {name: bool((interval := intervals.get(name)) and interval[0] > 0.5) for name in skills}
    loss = against_the_clock.get("log_loss")
    beats = bool(loss and loss[1] < 0.0)
    parts = [_part(skills[name], is_shown, scores.get(name), intervals.get(name)) for name, is_shown in shown.items()]
    is_worse = bool(loss and loss[0] > 0.0)
    is_what = "below" if beats else "above" if is_worse else "not shown to be below"
    clock = f"log loss is {is_what} that of a time-of-day table"
    clock += f" (difference {_span(loss)})" if loss else ""
    sentence = f"{'; '.join(parts)}; {clock}."
    sentence = sentence[0].upper() + sentence[1:]
    if is_few:
        sentence = (
            f"{sessions} session{'s' if sessions != 1 else ''} of validation show nothing, {LEAST_SESSIONS} are the least: "
            + sentence[0].lower()
            + sentence[1:]
        )
    if raised:
        sentence = (
            f"Not to be believed before the leak checks have run: {raised} score{'s are' if raised > 1 else ' is'} too good to be true. "
            + sentence
        )
    if trials > 1:
        sentence += f" {trials} configurations have been scored here: the best of them looks better than it is, and the intervals do not allow for that."
    else:
        sentence += " It is the only configuration scored here so far."
    skill = " and ".join(skills[name] for name, is_shown in shown.items() if is_shown) or "none"
    return Verdict(skill, beats, sentence, trials)


def _part(name: str, is_shown: bool, value: float | None, interval: Interval) -> str:
    if value is None:
        return f"{name} cannot be judged"
    return f"{'skill' if is_shown else 'no skill shown'} in {name} (AUC {value:.3f}{' ' + _span(interval) if interval else ''})"


def _span(interval: Interval) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "[unknown]"
