"""The default way to keep a fitted model: its attributes, where they are arrays and plain data; never pickle."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from barsmith.artifacts import parse_json, write_json
from barsmith.errors import UsageError
from barsmith.models.array_files import opened, write_arrays
from barsmith.models.base import BaseModel
from barsmith.models.refusals import broken
from barsmith.models.storage import read_file, read_names, write_card

STATE = "state.json"
_OWN = ("params", "info", "feature_names", "input_shape")  # attributes that stand on the card or on the class
_KINDS = "biufcU"  # of an array's numbers or text
_ARRAY = re.compile(r"array\.([A-Za-z_][A-Za-z0-9_]{0,80})\.npy")


def save_attributes(model: BaseModel, folder: Path) -> None:
    """Write every attribute that is an array of numbers or plain data. Raises UsageError `models/no-save` for any other."""
    plain = {}
    for name, value in vars(model).items():
        if name in _OWN:
            continue
        is_array = isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _KINDS
        if is_array and is_state(model, name) and _ARRAY.fullmatch(f"array.{name}.npy"):
            write_arrays(folder, {f"array.{name}": np.asarray(value)})
        elif is_plain(value) and is_state(model, name):
            plain[name] = value
        else:
            raise UsageError(
                "models/no-save",
                expected="attributes that are arrays, numbers, text, lists or dicts of them",
                came=f"{name}, a {type(value).__name__}",
                do="write `save(self, folder)` and `load(cls, folder)` in the class",
                where=type(model).__name__,
            )
    write_json(folder / STATE, plain)
    write_card(model, folder)


def load_attributes(model: BaseModel, folder: Path) -> None:
    """The inverse of `save_attributes`. Raises IntegrityError `bundle/format`, and `bundle/structure` for what it would not have written."""
    where = str(folder / STATE)
    state = parse_json(read_file(folder / STATE), where, code="bundle/format")
    if not isinstance(state, dict):
        broken("attributes by name", type(state).__name__, where)
    arrays = {found[1]: read_array(path) for path in sorted(folder.iterdir()) if (found := _ARRAY.fullmatch(path.name))}
    for name, value in [*arrays.items(), *state.items()]:
        if not is_state(model, name) or (name in arrays and name in state):
            broken("attributes that a fit sets, each once", ascii(name)[:80], where)
        setattr(model, name, value)
    model.feature_names = read_names(folder)


def is_state(model: BaseModel, name: str) -> bool:
    """May a fit set it: not what stands on the card or belongs to the house, no method, property or class of the model's own."""
    default = inspect.getattr_static(type(model), name, None)
    is_code = callable(default) or hasattr(type(default), "__get__")
    return name not in _OWN and not hasattr(BaseModel, name) and not is_code and name.isidentifier() and not name.startswith("__")


def is_plain(value: Any) -> bool:
    """True for what JSON gives back as it was: no tuples, no NaN, no keys that are not text."""
    try:
        return bool(orjson.loads(orjson.dumps(value)) == value) and not isinstance(value, tuple)
    except (TypeError, ValueError):
        return False


def read_array(path: Path) -> np.ndarray:
    """An array of numbers or text, or one number."""
    found = opened(path)
    if found.dtype.kind not in _KINDS:
        broken("an array of numbers or text", str(found.dtype), str(path))
    return np.array(found)[()]
