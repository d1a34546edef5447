"""A model's folder: its card (`model.json`: name, parameters, features, classes) beside the files that the model itself writes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel as Pydantic
from pydantic import ConfigDict, ValidationError

from barsmith.artifacts import make_folder, parse_json, storage_errors, write_json
from barsmith.config import shown
from barsmith.errors import BarsmithError, IntegrityError, UsageError
from barsmith.models.base import BaseModel
from barsmith.models.fitting import reads
from barsmith.models.params import ModelParams
from barsmith.models.registry import ModelRegistry

CARD = "model.json"
SCHEMA = 1
CLASS_ORDER = (-1, 0, 1)


class Card(Pydantic):
    """What `model.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: int
    name: str
    family: str
    reads: str
    params: dict[str, Any]
    feature_names: list[str]
    input_shape: list[int]
    classes: list[int]


def save_model(model: BaseModel, folder: Path) -> None:
    """Write a fitted model of any kind, shipped or a user's, so that `load_model` finds it.

    Raises UsageError `models/no-save` for a user's model whose attributes are not plain and that has no `save` of its own.
    """
    folder = Path(folder)
    with storage_errors(folder, "make the folder"):
        make_folder(folder)
    model.save(folder)
    write_card(model, folder)  # a user's own save writes what it likes, the card is ours


def load_model(folder: Path, *, feature_names: Sequence[str] | None = None, input_shape: Sequence[int] | None = None) -> BaseModel:
    """The model that `save_model` wrote.

    feature_names: those it will be given, in their order. input_shape: of the windows it will be given, () where they are rows. Raises IntegrityError `bundle/...` for a folder that is not whole,
    `bundle/shape` for other features or another order; UsageError `config/unknown-name` for a model that is not registered here.
    """
    folder = Path(folder)
    card = read_card(folder)
    if feature_names is not None:
        check_names(tuple(card.feature_names), tuple(feature_names), str(folder))
    if input_shape is not None and tuple(card.input_shape) != tuple(input_shape):
        do = "give windows as the model was trained on"
        raise IntegrityError(
            "bundle/shape", expected=f"windows of {card.input_shape}", came=f"{list(input_shape)}", do=do, where=str(folder)
        )
    cls = ModelRegistry.get(card.name)
    try:
        if isinstance(inspect.getattr_static(cls, "load"), classmethod | staticmethod):
            model = cls.load(folder)
        else:  # a user's `def load(self, folder)`
            made = cls(params_of(cls, folder))
            model = made.load(folder) or made
    except BarsmithError:
        raise
    except Exception as error:  # a user's load may raise anything
        came = f"{type(error).__name__}: {error}"
        raise IntegrityError(
            "bundle/load-failed", expected=f"a {card.name} that loads", came=came, do="train and save it again", where=str(folder)
        ) from error
    model.feature_names, model.input_shape = tuple(card.feature_names), tuple(card.input_shape)
    return model


def write_card(model: BaseModel, folder: Path) -> None:
    """`model.json` of a fitted model."""
    card = Card(
        version=SCHEMA,
        name=model.info.name,
        family=model.info.family,
        reads=reads(model),
        params=model.params.sections(),
        feature_names=list(model.feature_names),
        input_shape=list(model.input_shape),
        classes=list(CLASS_ORDER),
    )
    write_json(folder / CARD, card.model_dump())


def read_card(folder: Path) -> Card:
    """Raises IntegrityError `bundle/missing-file`, `bundle/manifest`, `bundle/version`, `bundle/classes`."""
    where = str(folder / CARD)
    document = parse_json(read_file(folder / CARD), where, code="bundle/manifest")
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, int) and version != SCHEMA:
        raise IntegrityError(
            "bundle/version",
            expected=f"version {SCHEMA}",
            came=str(version)[:20],
            do="upgrade barsmith, or save the model again",
            where=where,
        )
    try:
        card = Card.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        came = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        raise IntegrityError("bundle/manifest", expected="a model's card", came=came, do="save the model again", where=where) from None
    if tuple(card.classes) != CLASS_ORDER:
        raise IntegrityError(
            "bundle/classes", expected="classes [-1, 0, 1]", came=shown(card.classes), do="save the model again", where=where
        )
    return card


def params_of(cls: type[BaseModel], folder: Path) -> ModelParams:
    """The parameters on the card."""
    sections = read_card(folder).params
    values = {**sections.get("training", {}), **{name: content for name, content in sections.items() if name != "training"}}
    return cls.Params.of(values, lambda keys: f"{folder / CARD}: {'.'.join(map(str, keys))}")


def read_names(folder: Path) -> tuple[str, ...]:
    """The feature names on the card."""
    return tuple(read_card(folder).feature_names)


def check_names(known: Sequence[str], given: Sequence[str], where: str) -> None:
    """Raises IntegrityError `bundle/shape` where the features a model knows are not those it is given, in that order."""
    if tuple(known) == tuple(given):
        return
    if len(known) != len(given):
        expected, came = f"{len(known)} features", f"{len(given)}"
    else:
        first = next(i for i, (a, b) in enumerate(zip(known, given, strict=True)) if a != b)
        expected, came = f"feature {first} to be {shown(known[first])}", shown(given[first])
    raise IntegrityError(
        "bundle/shape", expected=expected, came=came, do="give the features that the model was trained on, in that order", where=where
    )


def read_file(path: Path) -> bytes:
    """The bytes of a file of the model. Raises IntegrityError `bundle/missing-file`."""
    if not path.is_file():
        raise IntegrityError(
            "bundle/missing-file", expected=f"the file {path.name}", came="none", do="save the model again", where=str(path.parent)
        )
    with storage_errors(path, "read the file"):
        return path.read_bytes()


def not_fitted(model: BaseModel) -> UsageError:
    return UsageError(
        "models/not-fitted",
        expected="a fitted model",
        came="one that has seen no rows",
        do="call fit first, or load one",
        where=type(model).__name__,
    )
