"""Nodes whose numbers are learned: from training bars alone, and with them the expression is a plain value again.

A learner gives the params of a step kernel. Until it has learned, its node cannot be read; afterwards the node is that kernel
with those params, so that training, live and a bundle read the same thing. In every fold it learns anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from barsmith.bars.base_bars import bar_minutes, clock_of, rungs
from barsmith.bars.minutes import Minutes
from barsmith.bars.sessions import Sessions
from barsmith.config import shown
from barsmith.errors import BarsmithError, DataError, UsageError
from barsmith.features.formula import formula
from barsmith.features.graph import Expr, On, Operand, Several, expr
from barsmith.features.kernels import Kernel, StepKernel
from barsmith.features.plain import source_hash
from barsmith.features.plan import Plan
from barsmith.features.registry import Feature, settling

Learning = Callable[[list[np.ndarray], tuple[float, ...], np.random.SeedSequence], Sequence[float]]
Key = TypeVar("Key")


@dataclass(frozen=True)
class Learner:
    """A way to learn the params of a kernel. Called with inputs and settings it is a node."""

    definition: StepKernel
    learning: Learning = field(compare=False)
    settling: Callable[..., int] = field(compare=False)
    source_hash: str

    @property
    def name(self) -> str:
        return self.learning.__name__

    def __call__(self, *inputs: Operand, **settings: float) -> Learned:
        return Learned(self, tuple(map(expr, inputs)), tuple((name, float(value)) for name, value in settings.items()))


@dataclass(frozen=True)
class Learned(Several):
    """A kernel whose params are not known yet. Its settling is what its learner expects; the params may say otherwise."""

    learner: Learner
    inputs: tuple[Expr, ...]
    settings: tuple[tuple[str, float], ...]

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.learner.definition.outputs

    @property
    def settling_bars(self) -> int:
        return int(self.learner.settling(*(value for _, value in self.settings)))

    @property
    def settling_sessions(self) -> int:
        return self.learner.definition.sessions

    def identity(self) -> str:
        return f"learned {self.learner.name} {self.learner.source_hash} {self.learner.definition.source_hash} {[v.hex() for _, v in self.settings]}"

    def written(self, inputs: Sequence[str]) -> str:
        return f"{self.learner.name}({', '.join([*inputs, *(f'{name}={value:g}' for name, value in self.settings)])})"

    def read(self, *history: Any) -> Any:
        raise UsageError(
            "features/not-learned",
            expected=f"the numbers that {self.learner.name} learns from training bars",
            came="none yet",
            do="learn them first: `taught(...)`",
        )

    def known(self, params: Sequence[float], inputs: tuple[Expr, ...]) -> Kernel:
        """The kernel that this node is once its params are known. Raises UsageError `features/definition` for params it cannot have."""
        if not fits(self.learner.definition, params):
            raise not_params(self, shown(params))
        return Kernel(self.learner.definition, inputs, tuple(params))


def fits(kernel: StepKernel, params: Sequence[float]) -> bool:
    """Whether these can be a kernel's params."""
    try:
        return all(map(math.isfinite, params)) and min(kernel.size(*params), kernel.settling(*params)) >= 0
    except (TypeError, ValueError, OverflowError, ArithmeticError):  # too few, too many, or of no meaning
        return False


def learner(kernel: StepKernel, settling: Callable[..., int]) -> Callable[[Learning], Learner]:
    """Make a learner of `function(sequences, settings, seed) -> params of the kernel`.

    sequences: for each stretch of training time (n, k) float64 rows of the k inputs, settled and finite, in the order of time.
    settings: the node's own, in the order given. seed: the only source of randomness. Returns finite floats.
    settling: bars, of the settings, that the kernel is expected to need; its own `settling` of the learned params decides.
    """

    def made(function: Learning) -> Learner:
        return Learner(kernel, function, settling, source_hash(function, with_file=not function.__module__.startswith("barsmith.")))

    return made


@dataclass(frozen=True)
class LearnedParams:
    """What a node learned. what: its formula. timeframe: of the bars it read. rows: how many. params: of its kernel."""

    what: str
    timeframe: str
    rows: int
    params: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "params": list(self.params)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> LearnedParams:
        return cls(str(given["what"]), str(given["timeframe"]), int(given["rows"]), tuple(map(float, given["params"])))


def is_learned(e: Expr) -> bool:
    """Whether the expression has a node that learns."""
    return isinstance(e, Learned) or any(map(is_learned, e.inputs))


def learned_nodes(e: Expr, timeframe: str) -> Iterator[tuple[str, str, Learned]]:
    """(key, timeframe, node) of each node that learns, those that others read first."""
    inner = e.timeframe if isinstance(e, On) else timeframe
    for each in e.inputs:
        yield from learned_nodes(each, inner)
    if isinstance(e, Learned):
        yield key_of(e, timeframe), timeframe, e


def key_of(e: Expr, timeframe: str) -> str:
    """A hash of an expression on a timeframe, the same in every process."""
    inner = e.timeframe if isinstance(e, On) else timeframe
    text = f"{e.identity()} {timeframe} {[key_of(each, inner) for each in e.inputs]}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def learn(
    features: Mapping[str, Expr],
    minutes: Minutes,
    *,
    base: str,
    sessions: Sessions,
    slices: Sequence[tuple[int, int]],
    seed: int,
) -> dict[str, LearnedParams]:
    """What the nodes of these features learn, by key.

    slices: the stretches of training time, each from its first minute to the one past its last (UTC minutes since 1970), in order.
    Each is read by itself, as if nothing had been before it: no bar outside is ever touched, not even by a window.
    Raises DataError `features/nothing-to-learn` where no row has settled, UsageError `features/definition` for a learner that fails.
    """
    found: dict[str, LearnedParams] = {}
    for e in features.values():
        for key, timeframe, node in learned_nodes(e, base):
            if key not in found:
                inputs = {str(i): with_learned(x, found, timeframe) for i, x in enumerate(node.inputs)}
                sequences = rows_of(Plan(inputs, base=timeframe, sessions=sessions), minutes, slices)
                rows = sum(map(len, sequences))
                if not rows:
                    raise nothing_to_learn(features, base, key, minutes, sessions, slices)
                params = learned_by(node, sequences, np.random.SeedSequence([seed, int(key, 16)]))
                found[key] = LearnedParams(formula(node), timeframe, rows, params)
    return found


def nothing_to_learn(
    features: Mapping[str, Expr], base: str, key: str, minutes: Minutes, sessions: Sessions, slices: Sequence[tuple[int, int]]
) -> DataError:
    """The bars that the node with this key asks for, those that there are in the longest stretch, and every feature that too few leave out."""
    nodes = [(name, *one) for name, e in features.items() for one in learned_nodes(e, base)]
    timeframe, node = next((timeframe, node) for _, its_key, timeframe, node in nodes if its_key == key)
    needs = needed(node, timeframe)
    longest = max(needs, key=lambda name: needs[name] * bar_minutes(name)[1])
    there = max(
        (len(rungs(part, sessions, [longest])[longest]) for part in (stretch(minutes, *one) for one in slices) if len(part)), default=0
    )
    out = dict.fromkeys(
        name for name, its_key, its, other in nodes if its_key == key or (there and needed(other, its).get(longest, 0) > there)
    )
    many = "up to " if clock_of(longest) else ""
    return DataError(
        "features/nothing-to-learn",
        expected=f"{many}{needs[longest]:,} training bars of {longest}, after which the inputs of {node.learner.name} have settled",
        came=f"{there:,}" + ("" if there < needs[longest] else ", in none of which all of them are numbers"),
        do=f"bring a longer file, leave train more rows (splits.train_pct, splits.purge_bars), or leave out what reads {node.learner.name}, "
        f"besides what is dropped already: --set 'features.drop=[{', '.join(out)}]'",
    )


def needed(node: Learned, timeframe: str) -> dict[str, int]:
    """Bars by timeframe until all inputs have settled."""
    found: dict[str, int] = {}
    for each in node.inputs:
        for name, bars in settling(each, timeframe).items():
            found[name] = max(found.get(name, 0), bars)
    return found


def taught(
    features: Mapping[str, Expr], minutes: Minutes, *, base: str, sessions: Sessions, slices: Sequence[tuple[int, int]], seed: int
) -> dict[str, Expr]:
    """The features as plain values: what `learn` finds stands in its places."""
    found = learn(features, minutes, base=base, sessions=sessions, slices=slices, seed=seed)
    return {name: with_learned(e, found, base) for name, e in features.items()}


def rows_of(plan: Plan, minutes: Minutes, slices: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """For each stretch (n, k) the settled and finite rows of the plan's features; stretches without any are left out."""
    sequences = []
    for first, past in slices:
        reading = plan.read(stretch(minutes, first, past))
        rows = reading.matrix[reading.settled]
        sequences.append(np.ascontiguousarray(rows[np.isfinite(rows).all(axis=1)]))
    return [rows for rows in sequences if len(rows)]


def stretch(minutes: Minutes, first: int, past: int) -> Minutes:
    """The minutes of [first, past), their roll factors counted from the first of them."""
    part = minutes[slice(*np.searchsorted(minutes.time, [first, past]))]
    return dataclasses.replace(part, factor=part.factor / part.factor[0]) if len(part) else part


def stretches(start: np.ndarray, end: np.ndarray, rows: np.ndarray) -> list[tuple[int, int]]:
    """Training rows as stretches of time. start, end: (n,) of every base bar, minutes. rows: (k,) ascending row numbers."""
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
    return [(int(start[run[0]]), int(end[run[-1]])) for run in runs]


def learned_by(node: Learned, sequences: list[np.ndarray], seed: np.random.SeedSequence) -> tuple[float, ...]:
    try:
        params = tuple(float(v) for v in node.learner.learning(sequences, tuple(value for _, value in node.settings), seed))
    except BarsmithError:
        raise
    except Exception as error:  # a user's learner may raise anything
        raise not_params(node, f"{type(error).__name__}: {shown(str(error))}") from error
    if not fits(node.learner.definition, params):
        raise not_params(node, shown(params))
    return params


def not_params(node: Learned, came: str) -> UsageError:
    return UsageError(
        "features/definition",
        expected=f"{node.learner.name}(sequences, settings, seed) to return finite params of {node.learner.definition.name}",
        came=came[:300],
        do="mend the learner",
    )


def with_learned(e: Expr, learned: Mapping[str, LearnedParams], timeframe: str) -> Expr:
    """The expression with the params in their places: a plain value. Raises UsageError `features/not-learned` where one is missing."""
    if not is_learned(e):
        return e
    inner = e.timeframe if isinstance(e, On) else timeframe
    inputs = tuple(with_learned(each, learned, inner) for each in e.inputs)
    if not isinstance(e, Learned):
        return dataclasses.replace(e, inputs=inputs)  # type: ignore[type-var]
    key = key_of(e, timeframe)
    if key not in learned:
        e.read()
    return e.known(learned[key].params, inputs)


def learned_features(features: Mapping[Key, Feature], learned: Mapping[str, LearnedParams], base: str) -> dict[Key, Feature]:
    """The features with what was learned in their expressions."""
    return {name: dataclasses.replace(one, expr=with_learned(one.expr, learned, base)) for name, one in features.items()}
