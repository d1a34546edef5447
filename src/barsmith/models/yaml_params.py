"""A model's YAML: the shipped file, the workspace's own and `--set`, merged into one Params."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from barsmith.config import shown
from barsmith.config_reading import Layer, file_layer, override_layers
from barsmith.errors import UsageError, did_you_mean
from barsmith.models.base import BaseModel
from barsmith.models.params import SECTIONS, Keys, ModelParams
from barsmith.models.registry import ModelRegistry

DEFAULTS = Path(__file__).parents[1] / "defaults" / "models"
#: What a model's YAML and `--set` may name; `model_params` is another word for `training`.
YAML_SECTIONS = ("training", *SECTIONS)
_ALIAS = "model_params"


def load_params(name: str, workspace: Path | None = None, overrides: Sequence[str] = ()) -> tuple[type[BaseModel], ModelParams]:
    """The class and the parameters of a model.

    Defaults, then `config/models/{name}.yaml` of the workspace, then overrides (`training.max_depth=8`), key by key.
    Raises UsageError `config/...` that names the file and line, or the override.
    """
    cls = ModelRegistry.get(name)
    layers = []
    for path in (DEFAULTS / f"{name}.yaml", *([] if workspace is None else [workspace / "config" / "models" / f"{name}.yaml"])):
        if path.exists():
            layer = file_layer(path.parent, path, None)
            layers += [] if layer is None else [layer]
    merged: dict[str, Any] = {}
    sources: dict[Keys, tuple[Layer, Keys]] = {}
    for layer in [*layers, *override_layers(overrides)]:
        check_model(cls, layer)
        for keys, value, origin in values_of(layer, cls.Params.names()):
            section, *rest = keys
            into = merged if section == "training" else merged.setdefault(str(section), {})
            into[str(rest[0])] = value
            sources[keys] = layer, origin

    def place(keys: Keys) -> str:
        for found in (keys[:2], next((k for k in sources if k[0] == keys[0]), ())):
            if found in sources:
                layer, origin = sources[found]
                return layer.place((*origin, *keys[2:]))
        return f"model {name}: {'.'.join(map(str, keys))}"

    return cls, cls.Params.of(merged, place)


def check_model(cls: type[BaseModel], layer: Layer) -> None:
    """`model: {type, family}` must be those of the class."""
    told = layer.values.get("model")
    if told is None:
        return
    known = {"type": cls.info.name, "family": cls.info.family}
    if not isinstance(told, dict):
        raise UsageError("config/type", expected="model: {type, family}", came=shown(told), do="write it so", where=layer.place(("model",)))
    for key, value in told.items():
        if key not in known:
            raise UsageError(
                "config/unknown-key",
                expected="type or family",
                came=shown(key),
                do=did_you_mean(key, known),
                where=layer.place(("model", key)),
            )
        if value != known[key]:
            do = "correct it, or name the file after its model"
            raise UsageError(
                "config/inconsistent", expected=f"{key}: {known[key]}", came=shown(value), do=do, where=layer.place(("model", key))
            )


def values_of(layer: Layer, names: Sequence[str]) -> list[tuple[Keys, Any, Keys]]:
    """(section and name, value, the keys it was written under) of everything that a layer sets."""
    found: dict[Keys, tuple[Any, Keys]] = {}
    for section, content in layer.values.items():
        if section == "model" or content is None:
            continue
        if section not in (*YAML_SECTIONS, _ALIAS):
            do = f"write training.{section}" if section in names else did_you_mean(section, ("model", *YAML_SECTIONS))
            raise UsageError(
                "config/unknown-key", expected="a section of a model's settings", came=shown(section), do=do, where=layer.place((section,))
            )
        if not isinstance(content, dict):
            raise UsageError(
                "config/type",
                expected="names and values",
                came=shown(content),
                do="write `name: value` lines",
                where=layer.place((section,)),
            )
        for name, value in content.items():
            keys: Keys = ("training" if section == _ALIAS else section, name)
            if keys in found:
                do = "keep one of the two sections"
                raise UsageError(
                    "config/duplicate-key",
                    expected=f"{name} once",
                    came="it under training and model_params",
                    do=do,
                    where=layer.place((section, name)),
                )
            found[keys] = value, (section, name)
    return [(keys, value, origin) for keys, (value, origin) in found.items()]
