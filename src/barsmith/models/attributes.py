"""The default way to keep a fitted model: its attributes, where they are arrays and plain data; never pickle."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from barsmith.artifacts import parse_json, write_bytes, write_json
from barsmith.errors import IntegrityError, UsageError
from barsmith.models.base import BaseModel
from barsmith.models.storage import read_file, read_names, write_card

STATE = "state.json"
_OWN = ("params", "feature_names", "input_shape")  # attributes that stand on the card
_ARRAY = re.compile(r"array\.([A-Za-z_][A-Za-z0-9_]{0,80})\.npy")


def save_attributes(model: BaseModel, folder: Path) -> None:
    """Write every attribute that is an array of numbers or plain data. Raises UsageError `models/no-save` for any other."""
    plain = {}
    for name, value in vars(model).items():
        if name in _OWN:
            continue
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcU" and _ARRAY.fullmatch(f"array.{name}.npy"):
            write_array(folder / f"array.{name}.npy", np.asarray(value))
        elif is_plain(value):
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
    """The inverse of `save_attributes`."""
    for path in sorted(folder.iterdir()):
        if found := _ARRAY.fullmatch(path.name):
            setattr(model, found[1], read_array(path))
    state = parse_json(read_file(folder / STATE), str(folder / STATE), code="bundle/format")
    for name, value in state.items():
        setattr(model, name, value)
    model.feature_names = read_names(folder)


def is_plain(value: Any) -> bool:
    """True for what JSON gives back as it was: no tuples, no NaN, no keys that are not text."""
    try:
        return bool(orjson.loads(orjson.dumps(value)) == value) and not isinstance(value, tuple)
    except (TypeError, ValueError):
        return False


def write_array(path: Path, value: np.ndarray) -> None:
    file = BytesIO()
    np.save(file, value, allow_pickle=False)
    write_bytes(path, file.getvalue())


def read_array(path: Path) -> np.ndarray:
    """An array of numbers or text, or one number; its size is compared with the file's before anything is reserved for it."""
    try:
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))[()]
    except (ValueError, EOFError, SyntaxError) as error:
        raise IntegrityError(
            "bundle/format", expected="a NumPy array of numbers", came=str(error)[:120], do="save the model again", where=str(path)
        ) from None
