"""Names for expressions: every definition's variants as features, and the catalogue of them all."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.bars.base_bars import bar_minutes
from barsmith.config import TIMEFRAMES, shown
from barsmith.errors import BarsmithError, UsageError, did_you_mean
from barsmith.features.definitions import ASKS, Definition, definition_error, load_module, shipped
from barsmith.features.graph import Expr, On, Several
from barsmith.features.plain import plain_function

#: Base bars where nobody says which.
BASE = "5m"
#: The longest period that TA-Lib knows.
LONGEST = 100_000

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
#: Columns of the bars and of the tables that features stand in.
_TAKEN = re.compile(
    r"datetime|decision|symbol|contract|open|high|low|close|volume|roll_ratio|roll_factor|is_settled|session_id|minutes_since_open"
    r"|last_direction|y_true|label_.*|sample_weight_.*|return_h[0-9]+"
)


@dataclass(frozen=True)
class Feature:
    """One named feature: its expression and its catalogue entry. defined: file:line of its function, empty where it has none."""

    name: str
    family: str
    group: str
    params: tuple[tuple[str, Any], ...]
    expr: Expr
    summary: str
    unit: str
    source: str
    defined: str = ""

    @property
    def timeframes(self) -> frozenset[str]:
        """The timeframes that it reads besides the base."""
        return frozenset(timeframes_of(self.expr))

    def warmup(self, base: str) -> tuple[int, str]:
        """(bars, timeframe) that must be finished before the value has settled, in bars of the rung that takes longest."""
        needed = settling(self.expr, base)
        timeframe = max(needed, key=lambda t: (needed[t] * bar_minutes(t)[1], t in TIMEFRAMES))  # how long a clock's bars are nobody knows
        return needed[timeframe], timeframe

    def entry(self, base: str) -> dict[str, Any]:
        """What the catalogue says of it, over base bars of this timeframe or clock."""
        bars, timeframe = self.warmup(base)
        return {
            "name": self.name,
            "group": self.group,
            "unit": self.unit,
            "source": self.source,
            "warmup_bars": bars,
            "timeframe": timeframe,
        }


def variants_of(definition: Definition, chosen: Mapping[str, Sequence[Any]], base: str = BASE) -> list[Feature]:
    """The features of a family over base bars of this name, with chosen values instead of the variants of the same name."""
    doc = inspect.cleandoc(definition.function.__doc__ or "")
    unit, source = (re.search(pattern, doc, re.S) for pattern in (r"Unit:\s*(.+?)\.(?:\s|$)", r"Source:\s*(.+?)\.?\s*$"))
    known = dict(definition.variants)
    for key in chosen:
        if key not in known:
            raise UsageError(
                "config/unknown-param",
                expected=f"parameters of {definition.family}",
                came=repr(key),
                do=did_you_mean(key, known),
                where="features.params",
            )
    wanted = {k: checked_values(f"features.params.{definition.family}.{k}", chosen[k], v) if k in chosen else v for k, v in known.items()}
    found = []
    for values in itertools.product(*wanted.values()):
        name = checked_name(definition, "_".join([definition.family, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)]))
        made = made_by(definition, dict(zip(known, values, strict=True)), base, f"features.params.{definition.family}" if chosen else "")
        if made is None:
            continue
        found.append(
            Feature(
                name=name,
                family=definition.family,
                group=definition.group,
                params=tuple(zip(known, values, strict=True)),
                expr=made,
                summary=re.split(r"\s*(?:Unit|Source):", doc)[0].strip().replace("\n", " "),
                unit=unit.group(1) if unit else "",
                source=" ".join(source.group(1).split()) if source else "",
                defined=place_of(definition.function),
            )
        )
    return found


def place_of(function: Callable[..., Any]) -> str:
    """file:line of a function, as an editor opens it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


def checked_values(where: str, values: Sequence[Any], defaults: Sequence[Any]) -> tuple[Any, ...]:
    """Chosen values of the kind that the defaults have. Raises UsageError `config/out-of-range`."""
    kinds, checked = {type(v) for v in defaults}, []
    if kinds == {int}:
        low = min(1, min(defaults)) if min(defaults) >= 0 else -LONGEST
        expected = f"whole numbers from {low} to {LONGEST}"
    elif kinds <= {int, float}:
        expected = "finite numbers"
    else:
        expected = "values as " + ", ".join(map(str, defaults))
    for value in values:
        if kinds == {int}:
            fits = type(value) is int and low <= value <= LONGEST
        elif kinds <= {int, float}:
            fits = type(value) in (int, float) and math.isfinite(value)
        else:
            fits = type(value) in kinds
        if not fits:
            raise UsageError("config/out-of-range", expected=expected, came=shown(value), do="correct the value", where=where)
        checked.append(float(value) if kinds == {float} else value)
    if not checked:
        do = "name values, or leave the features out with features.drop"
        raise UsageError("config/out-of-range", expected=f"one value or more, {expected}", came="none", do=do, where=where)
    return tuple(checked)


def checked_name(definition: Definition, name: str) -> str:
    """The name where it can be a column's; else UsageError `features/definition`."""
    if not _NAME.fullmatch(name):
        expected = "a name of 1 to 64 letters, digits, dots and underscores that starts with a letter"
        raise definition_error(definition.function, expected, shown(name), "rename the function, or choose other variants")
    if _TAKEN.fullmatch(name):
        raise definition_error(definition.function, "a name that no other column has", shown(name), "rename the function")
    return name


def made_by(definition: Definition, values: Mapping[str, Any], base: str, params: str) -> Expr | None:
    """The expression of one variant, None where it says nothing on such base bars. params: the settings' key where the values come from there; else it is the function's fault.

    Raises UsageError `features/definition`, `config/timeframe`, and what the nodes raise.
    """
    function, where = definition.function, params or f"feature {definition.family}"
    try:
        given = {ASKS: base, **values} if ASKS in inspect.signature(function).parameters else values
        made = plain_function(function, definition.lookback) if definition.lookback is not None else function(**given)
        strange = [t for t in timeframes_of(made) if t not in TIMEFRAMES] if isinstance(made, Expr) else []
    except UsageError as error:
        raise UsageError(error.code, expected=error.expected, came=error.came, do=error.do, where=error.where or where) from error
    except BarsmithError:
        raise
    except Exception as error:  # a user's function may raise anything, and so may any function for a strange value
        raise UsageError(
            "config/out-of-range" if params else "features/definition",
            expected=f"values that {definition.family} can be made of" if params else "a function that returns an expression",
            came=f"{type(error).__name__}: {shown(str(error))} for ({', '.join(map(shown, values.values()))})",
            do="correct the value" if params else "use + - * / and the functions of barsmith.features",
            where=where,
        ) from error
    if made is None and ASKS in given:
        return None
    if not isinstance(made, Expr):
        raise definition_error(function, "a function that returns an expression", type(made).__name__)
    if isinstance(made, Several) and len(made.outputs) > 1:
        raise definition_error(function, "a function that returns one column", f"{len(made.outputs)}", f"take one, as .{made.outputs[0]}")
    if strange:
        raise UsageError(
            "config/timeframe",
            expected=f"one of {', '.join(TIMEFRAMES)}",
            came=shown(strange[0]),
            do=did_you_mean(str(strange[0]), TIMEFRAMES),
            where=where,
        )
    return made


def catalogue(
    modules: Iterable[Path] = (),
    params: Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
    timeframes: Iterable[str] = TIMEFRAMES,
    base: str = BASE,
) -> dict[str, Feature]:
    """All features by name: the shipped ones and those of `modules`, with the periods of `params` instead of the defaults.

    timeframes: a feature that reads another rung of the ladder than these is left out. base: the name of the base bars, on which some
    features say nothing.
    Raises UsageError `config/unknown-name` for a family in `params` that nobody defines, `config/out-of-range` for a period that cannot be,
    `config/timeframe` for a timeframe that is no rung, `features/duplicate-name` for a name defined twice.
    """
    params = params or {}
    found: dict[str, Feature] = {}
    everything = [*shipped(), *(d for path in modules for d in load_module(Path(path)))]
    families = {d.family for d in everything}
    for family in params:
        if family not in families:
            raise UsageError(
                "config/unknown-name",
                expected="a feature family",
                came=repr(family),
                do=did_you_mean(family, families),
                where="features.params",
            )
    for definition in everything:
        for each in variants_of(definition, params.get(definition.family, {}), base):
            if each.name in found:
                raise UsageError(
                    "features/duplicate-name",
                    expected="each feature name once",
                    came=f"{each.name} twice",
                    do="rename one of the functions",
                    where=each.group,
                )
            found[each.name] = each
    return reading_only(timeframes, found)


def reading_only(timeframes: Iterable[str], features: Mapping[str, Feature]) -> dict[str, Feature]:
    """The features that read no other rung of the ladder than these."""
    allowed = set(timeframes)
    return {name: one for name, one in features.items() if one.timeframes <= allowed}


def timeframes_of(e: Expr) -> set[str]:
    inner = {t for i in e.inputs for t in timeframes_of(i)}
    return inner | {e.timeframe} if isinstance(e, On) else inner


def settling(e: Expr, base: str) -> dict[str, int]:
    """Finished bars by timeframe until the expression has settled: at least one, the bar itself."""

    def visit(e: Expr, own_timeframe: str) -> dict[str, int]:
        needed: dict[str, int] = {}
        for i in e.inputs:
            for timeframe, bars in visit(i, e.timeframe if isinstance(e, On) else own_timeframe).items():
                needed[timeframe] = max(needed.get(timeframe, 0), bars)
        if isinstance(e, On):
            return {e.timeframe: needed.get(e.timeframe, 1)}
        shortest, longest = bar_minutes(own_timeframe)
        own = e.settling_on(shortest)
        if not needed:
            return {own_timeframe: own + 1}
        return {t: bars + (own if t == own_timeframe else -(-own * longest // bar_minutes(t)[0])) for t, bars in needed.items()}

    return visit(e, base)
