"""Names for expressions: the `feature` decorator, the shipped catalogue and a user's own modules."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from barsmith.config import TIMEFRAMES
from barsmith.errors import BarsmithError, UsageError, did_you_mean
from barsmith.features.graph import Expr, On
from barsmith.features.plain import plain_function

Variants = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Definition:
    """A decorated function: a family of features, one for each combination of its variants."""

    function: Callable[..., Any]
    group: str
    variants: tuple[tuple[str, tuple[Any, ...]], ...]
    lookback: int | None

    @property
    def family(self) -> str:
        return self.function.__name__


@dataclass(frozen=True)
class Feature:
    """One named feature: its expression and its catalogue entry."""

    name: str
    family: str
    group: str
    params: tuple[tuple[str, Any], ...]
    expr: Expr
    summary: str
    unit: str
    source: str

    @property
    def timeframes(self) -> frozenset[str]:
        """The timeframes that it reads besides the base."""
        return frozenset(timeframes_of(self.expr))

    def warmup(self, base: str) -> tuple[int, str]:
        """(bars, timeframe) that must be finished before the value has settled, in bars of the rung that takes longest."""
        needed = settling(self.expr, base)
        timeframe = max(needed, key=lambda t: needed[t] * TIMEFRAMES[t])
        return needed[timeframe], timeframe


#: Definitions by the module whose decorators made them.
definitions: dict[str, dict[str, Definition]] = {}


def feature(function: Callable[..., Any] | None = None, /, *, lookback: int | None = None, **variants: Any) -> Any:
    """Make a function a feature; its name is the feature's, its docstring the catalogue entry (`Unit: ... Source: ...`).

    Over a function that returns an expression: `@feature(n=(7, 14))` gives `name_7` and `name_14`.
    Over a function of `bars: Bars`: `@feature(lookback=50)`; it returns an array as long as the bars it was given.
    Raises UsageError `features/definition` for a decorator that fits neither.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        names = list(inspect.signature(function).parameters)
        wanted = {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in variants.items()}
        if lookback is None and set(names) != set(wanted):
            raise definition_error(function, f"variants for each of its parameters {names}", f"variants for {sorted(wanted)}")
        if lookback is not None and (wanted or len(names) != 1 or not isinstance(lookback, int) or lookback < 1):
            raise definition_error(
                function, "a function of one argument, bars, and a lookback of 1 bar or more", f"{names}, lookback={lookback!r}"
            )
        group = function.__module__.rpartition(".")[2] if function.__module__.startswith("barsmith.") else "user"
        known = definitions.setdefault(function.__module__, {})
        known[function.__name__] = Definition(function, group, tuple((n, wanted[n]) for n in names if n in wanted), lookback)
        return function

    return register(function) if function is not None else register


def definition_error(function: Callable[..., Any], expected: str, came: str) -> UsageError:
    return UsageError(
        "features/definition",
        expected=expected,
        came=came,
        do="write @feature(n=(7, 14)) or @feature(lookback=50)",
        where=f"feature {function.__name__}",
    )


@cache
def shipped() -> tuple[Definition, ...]:
    """The definitions of the catalogue that comes with barsmith, in the order of its files."""
    from barsmith.features import catalog

    found: list[Definition] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(catalog.__path__)):
        name = f"{catalog.__name__}.{module}"
        importlib.import_module(name)
        found += definitions.get(name, {}).values()
    return tuple(found)


def load_module(path: Path) -> tuple[Definition, ...]:
    """Run a user's feature file and return what it defines. Raises UsageError `features/module` when it cannot be run."""
    path = path.resolve()
    name = f"barsmith_user_{path.stem}_{abs(hash(str(path)))}"
    if not path.is_file():
        raise UsageError(
            "features/module", expected="a Python file with @feature functions", came="no such file", do="check the path", where=str(path)
        )
    definitions.pop(name, None)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BarsmithError:
        raise
    except Exception as error:  # a user's file may raise anything
        raise UsageError(
            "features/module",
            expected="a Python file that can be imported",
            came=f"{type(error).__name__}: {error}",
            do="mend the file",
            where=str(path),
        ) from error
    found = tuple(definitions.get(name, {}).values())
    if not found:
        raise UsageError(
            "features/module", expected="at least one function under @feature", came="none", do="decorate a function", where=str(path)
        )
    return found


def variants_of(definition: Definition, chosen: Mapping[str, Sequence[Any]]) -> list[Feature]:
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
    found = []
    for values in itertools.product(*(tuple(chosen.get(k, v)) for k, v in known.items())):
        name = "_".join([definition.family, *(f"{v:g}" if isinstance(v, float) else str(v) for v in values)])
        if definition.lookback is not None:
            made: Any = plain_function(definition.function, definition.lookback)
        else:
            made = definition.function(*values)
        if not isinstance(made, Expr):
            raise definition_error(definition.function, "a function that returns an expression", type(made).__name__)
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
            )
        )
    return found


def catalogue(
    modules: Iterable[Path] = (), params: Mapping[str, Mapping[str, Sequence[Any]]] | None = None, timeframes: Iterable[str] = TIMEFRAMES
) -> dict[str, Feature]:
    """All features by name: the shipped ones and those of `modules`, with the periods of `params` instead of the defaults.

    timeframes: a feature that reads another timeframe than these is left out.
    Raises UsageError `config/unknown-name` for a family in `params` that nobody defines, `features/duplicate-name` for a name defined twice.
    """
    params, allowed = params or {}, set(timeframes)
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
        for each in variants_of(definition, params.get(definition.family, {})):
            if each.name in found:
                raise UsageError(
                    "features/duplicate-name",
                    expected="each feature name once",
                    came=f"{each.name} twice",
                    do="rename one of the functions",
                    where=each.group,
                )
            if each.timeframes <= allowed:
                found[each.name] = each
    return found


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
        minutes = TIMEFRAMES[own_timeframe]
        own = e.settling_on(minutes)
        return {t: bars + -(-own * minutes // TIMEFRAMES[t]) for t, bars in needed.items()} if needed else {own_timeframe: own + 1}

    return visit(e, base)
