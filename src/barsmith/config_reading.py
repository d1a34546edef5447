"""Settings from everywhere: command line over environment over file over defaults, the winner of each key recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from barsmith.config import SPLIT_KEYS, Settings, shown
from barsmith.config_errors import Keys, complaint, section_of
from barsmith.errors import UsageError
from barsmith.yaml_file import read_scalar_yaml, read_yaml

PREFIX = "BARSMITH__"
_SHORT_SPLIT_KEYS: dict[str, str] = {key.rsplit("_", 1)[0]: key for key in SPLIT_KEYS}  # splits.train is splits.train_pct
_SYMBOL_SECTIONS = ("barriers", "instruments", "rolls")


@dataclass(frozen=True)
class Layer:
    """One place that settings come from. `place` says where a key of it stands; `code` replaces an error's code."""

    name: str
    values: dict[str, Any]
    place: Callable[[Keys], str]
    code: str | None = None


@dataclass(frozen=True)
class Loaded:
    """Settings and, for each key, who won: `default`, a file's path and line, an environment variable or `--set`."""

    settings: Settings
    winners: dict[str, str]


def load_settings(
    workspace: Path,
    *,
    config: Path | None = None,
    stdin: bytes | None = None,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """The settings of a workspace.

    config: the file; default `config/pipeline.yaml` of the workspace where there is one. stdin: the file's bytes for `--config -`.
    overrides: `section.key=value` of the command line, values in YAML. environment: default os.environ.
    Raises UsageError `config/...`.
    """
    layers = [
        file_layer(workspace, config, stdin),
        *environment_layers(os.environ if environment is None else environment),
        *override_layers(overrides),
    ]
    return settings_of([layer for layer in layers if layer is not None])


def settings_of(layers: Sequence[Layer]) -> Loaded:
    """Later layers win, key by key; lists are replaced as a whole."""
    merged: dict[str, Any] = {}
    winners: dict[str, str] = {}
    by_key: dict[Keys, Layer] = {}
    for layer in layers:
        _merge(merged, _normal(layer), layer, (), by_key, winners)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        keys, code, expected, came, do = complaint(error)
        source = next((by_key[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in by_key), None)
        where = source.place(keys) if source else _dotted(keys)
        raise UsageError(source.code or code if source else code, expected=expected, came=came, do=do, where=where) from None
    for key in _leaves(settings.model_dump(mode="json")):
        winners.setdefault(key, "default")
    return Loaded(settings, dict(sorted(winners.items())))


def settings_from(**values: Any) -> Settings:
    """Settings from Python values, with the errors of a file: `settings_from(symbol="MES", splits={"purge_bars": 90})`."""
    return settings_of([Layer("arguments", values, _dotted)]).settings


def file_layer(workspace: Path, config: Path | None, stdin: bytes | None) -> Layer | None:
    if stdin is not None:
        data, name = stdin, "<stdin>"
    elif config is None and not (workspace / "config" / "pipeline.yaml").exists():
        return None
    else:
        path = workspace / "config" / "pipeline.yaml" if config is None else config
        data, name = _file_bytes(path), str(path) if config is not None else "config/pipeline.yaml"
    document = read_yaml(data, name)
    if document.value is None:
        return None
    if not isinstance(document.value, dict):
        came = "a list" if isinstance(document.value, list) else shown(document.value)
        raise UsageError("config/type", expected="keys and values at the top level", came=came, do="write `key: value` lines", where=name)
    return Layer(name, document.value, lambda keys: f"{name} line {_line(document.lines, keys)}, {_dotted(keys)}")


def environment_layers(environment: Mapping[str, str]) -> list[Layer]:
    """BARSMITH__SECTION__KEY=value, each variable a layer of its own, so that an error names it."""
    layers = []
    for name in sorted(environment):
        if not name.startswith(PREFIX):
            continue
        keys = [part.lower() for part in name[len(PREFIX) :].split("__")]
        if keys[0] in _SYMBOL_SECTIONS and len(keys) > 1:
            keys[1] = keys[1].upper()
        where = f"environment {name}"
        try:
            value = read_scalar_yaml(environment[name], where)
        except UsageError as error:
            raise UsageError("config/env", expected=error.expected, came=error.came, do=error.do, where=where) from None
        layers.append(Layer(where, _nested(keys, value), _always(where), "config/env"))
    return layers


def override_layers(overrides: Sequence[str]) -> list[Layer]:
    layers = []
    for text in overrides:
        dotted, equals, value = text.partition("=")
        keys = [part.strip() for part in dotted.split(".")]
        if not equals or not all(keys):
            raise UsageError("cli/usage", expected="--set section.key=value", came=shown(text), do="write it so", where="--set")
        where = f"--set {dotted.strip()}"
        layers.append(Layer("--set", _nested(keys, read_scalar_yaml(value, where)), _always(where)))
    return layers


def _always(where: str) -> Callable[[Keys], str]:
    return lambda keys: where


def _file_bytes(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise UsageError("cli/path", expected="a regular file or -", came="a device or pipe", do="name a file", where=shown(str(path)))
        if path.resolve().is_relative_to("/proc"):
            raise UsageError(
                "cli/path", expected="a regular file or -", came="a file of the system", do="name a file", where=shown(str(path))
            )
        with path.open("rb") as file:
            return file.read((1 << 20) + 1)
    except (OSError, ValueError, RuntimeError) as error:
        came = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            "config/not-found", expected="a settings file", came=came, do="check the path of --config", where=shown(str(path))
        ) from None


def _nested(keys: Sequence[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value


def _normal(layer: Layer) -> dict[str, Any]:
    """One spelling: split keys under `splits`, sections without content left out."""
    out: dict[str, Any] = {}
    splits: dict[str, Any] = {}
    for key, value in layer.values.items():
        if key == "splits" and isinstance(value, dict):
            found: list[tuple[str, Any, Keys]] = [
                (_SHORT_SPLIT_KEYS.get(str(name), str(name)), content, (key, str(name))) for name, content in value.items()
            ]
        elif key in SPLIT_KEYS:
            found = [(key, value, (key,))]
        else:
            if value is not None or key not in _sections():
                out[key] = value
            continue
        for name, content, keys in found:
            if name in splits:
                raise UsageError(
                    layer.code or "config/duplicate-key",
                    expected=f"{name} once",
                    came="two spellings of it",
                    do="keep one",
                    where=layer.place(keys),
                )
            splits[name] = content
    return {**out, "splits": splits} if splits else out


def _sections() -> list[str]:
    return [name for name, info in Settings.model_fields.items() if section_of(info.annotation) is not None]


def _merge(
    into: dict[str, Any], values: dict[str, Any], layer: Layer, at: Keys, by_key: dict[Keys, Layer], winners: dict[str, str]
) -> None:
    for key, value in values.items():
        keys = (*at, key)
        if isinstance(value, dict) and value:
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value, layer, keys, by_key, winners)
        else:
            into[key] = value
            winners[_dotted(keys)] = layer.name
        by_key[keys] = layer


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


def _line(lines: dict[Keys, int], keys: Keys) -> int:
    for n in range(len(keys), -1, -1):
        if keys[:n] in lines:
            return lines[keys[:n]]
        if keys[:n] and keys[0] == "splits" and keys[1:n] in lines:  # a flat split key
            return lines[keys[1:n]]
    return 1


def _leaves(values: dict[str, Any], at: Keys = ()) -> list[str]:
    out: list[str] = []
    for key, value in values.items():
        out += _leaves(value, (*at, key)) if isinstance(value, dict) and value else [_dotted((*at, key))]
    return out
