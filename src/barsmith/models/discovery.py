"""A user's own models: the files under `models/` of the workspace, and those that `models: {modules: [...]}` names."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from barsmith.errors import BarsmithError, UsageError
from barsmith.models.registry import registered

FOLDER = "models"
#: How the modules begin that are made of a user's own files.
USERS = "barsmith_user_model_"


def discover(workspace: Path, modules: Iterable[str | Path] = ()) -> list[str]:
    """Load a workspace's model files and return the names they register; those of another workspace are forgotten.

    modules: files, relative to the workspace; each must register a model. Files under `models/` are found by themselves, but for
    those whose names begin with `_` or `.`; one that registers nothing is left alone (a helper).
    Raises UsageError `models/module`.
    """
    named = [(workspace / Path(module)).resolve() for module in modules]
    found = sorted(path.resolve() for path in (workspace / FOLDER).glob("*.py") if path.name[0] not in "_." and path.is_file())
    forget()
    names: list[str] = []
    for path in dict.fromkeys([*found, *named]):
        here = load_file(path)
        if not here and path in named:
            raise file_error(path, "at least one class under @register", "none", "decorate a class with @register(name=..., family=...)")
        names += here
    return names


def load_file(path: Path) -> list[str]:
    """Run one file and return the names of the models it registers. Raises UsageError `models/module`."""
    path = path.resolve()
    if not path.is_file():
        raise file_error(path, "a Python file with a model", "no such file", "check the path")
    name = f"{USERS}{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    forget(name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise file_error(path, "a Python file", f"a file that ends in {path.suffix!r}", "name a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BarsmithError:
        forget(name)
        raise
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        forget(name)
        raise file_error(path, "a Python file that can be imported", f"{type(error).__name__}: {error}", "mend the file") from error
    return [model for model, cls in registered.items() if cls.__module__ == name]


def forget(module: str = USERS) -> None:
    """Take the models of a user's module, by default of all of them, out of the register."""
    for model in [model for model, cls in registered.items() if cls.__module__.startswith(module)]:
        del registered[model]
    for name in [name for name in sys.modules if name.startswith(module)]:
        del sys.modules[name]


def file_error(path: Path, expected: str, came: str, do: str) -> UsageError:
    return UsageError("models/module", expected=expected, came=came, do=do, where=str(path))
