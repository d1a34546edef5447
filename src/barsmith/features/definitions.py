"""Functions that are features: the `feature` decorator, and the modules of definitions, the catalogue's and a user's own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from barsmith.config import shown
from barsmith.errors import BarsmithError, UsageError

#: The name under which a feature's function may ask for the name of the base bars.
ASKS = "base_timeframe"


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


#: Definitions by the module whose decorators made them.
definitions: dict[str, dict[str, Definition]] = {}


def feature(function: Callable[..., Any] | None = None, /, *, lookback: int | None = None, **variants: Any) -> Any:
    """Make a function a feature; its name is the feature's, its docstring the catalogue entry (`Unit: ... Source: ...`).

    Over a function that returns an expression: `@feature(n=(7, 14))` gives `name_7` and `name_14`.
    A parameter `base_timeframe` without variants is given the name of the base bars; where the feature says nothing on them it returns None.
    Over a function of `bars: Bars`: `@feature(lookback=50)`; it returns an array as long as the bars it was given.
    Raises UsageError `features/definition` for a decorator that fits neither, `features/duplicate-name` for a second function of a name.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        names = list(inspect.signature(function).parameters)
        wanted = {k: tuple(v) if isinstance(v, list | tuple) else (v,) for k, v in variants.items()}
        if lookback is None and (set(names) - {ASKS} != set(wanted) - {ASKS} or not all(wanted.values())):
            raise definition_error(function, f"variants for each of its parameters {names}", f"variants for {sorted(wanted)}")
        if lookback is not None and (wanted or len(names) != 1 or not isinstance(lookback, int) or lookback < 1):
            raise definition_error(
                function, "a function of one argument, bars, and a lookback of 1 bar or more", f"{names}, lookback={lookback!r}"
            )
        group = function.__module__.rpartition(".")[2] if function.__module__.startswith("barsmith.") else "user"
        known = definitions.setdefault(function.__module__, {})
        if function.__name__ in known and function.__module__ != "__main__":  # a cell of a notebook may run again
            raise UsageError(
                "features/duplicate-name",
                expected="each function under @feature once in a file",
                came=f"{function.__name__} twice",
                do="rename one of them",
                where=f"feature {function.__name__}",
            )
        known[function.__name__] = Definition(function, group, tuple((n, wanted[n]) for n in names if n in wanted), lookback)
        return function

    return register(function) if function is not None else register


def definition_error(
    function: Callable[..., Any], expected: str, came: str, do: str = "write @feature(n=(7, 14)) or @feature(lookback=50)"
) -> UsageError:
    return UsageError("features/definition", expected=expected, came=came, do=do, where=f"feature {function.__name__}")


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
    try:
        path, came = path.resolve(), "no such file"
        is_file = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a name that no file can have
        is_file, came = False, f"{type(error).__name__}: {error}"
    name = f"barsmith_user_{path.stem}_{hashlib.sha256(ascii(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path) if is_file else None
    if spec is None or spec.loader is None:
        raise UsageError(
            "features/module",
            expected="a Python file (.py) with @feature functions",
            came="another kind of file" if is_file else came,
            do="check the path",
            where=shown(str(path)).strip("'"),
        )
    definitions.pop(name, None)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BarsmithError:
        raise
    except (Exception, SystemExit) as error:  # a user's file may raise anything
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
