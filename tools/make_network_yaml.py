"""Makes config/models/{name}.yaml of every network, and the same under src/barsmith/defaults: keys, defaults and words of the class.

    .venv/bin/python tools/make_network_yaml.py

A test compares the files with the classes, so whoever adds or changes a parameter of a network runs it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from barsmith.config_words import as_yaml
from barsmith.models.neural.params import NetworkParams
from barsmith.models.params import Device, EarlyStopping, ModelParams, RungParams
from barsmith.models.registry import SHIPPED, ModelRegistry

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "config" / "models", ROOT / "src" / "barsmith" / "defaults" / "models")
COLUMN = 28  # where the words begin
HEAD = (
    "{title} Copy to config/models/{name}.yaml of the workspace and change what you need: a key that is left out keeps its default. "
    "`--set training.max_epochs=30` wins over this file."
)
#: What the shared sections do for a network.
SECTIONS = {
    "use_gpu": "true is refused where PyTorch has no CUDA or the machine no GPU; auto takes one that can be used",
    "mixed_precision": "bfloat16 on a GPU; the CPU always computes in full precision",
    "deterministic": "true: on the CPU, whatever there is",
    "enabled": "whether training may end before its last epoch",
    "patience": "epochs without a gain on the inner stopping rows",
    "min_delta": "the least that counts as a gain",
}


def networks() -> list[str]:
    return [name for name in SHIPPED if ModelRegistry.info(name).family == "neural"]


def text(name: str) -> str:
    """The file of one network."""
    cls = ModelRegistry.get(name)
    title = (cls.__doc__ or "").partition(" Source:")[0].rstrip(".") + "."
    head = "\n".join(f"# {line}" for line in wrap(HEAD.format(title=title, name=name), 138))
    values, params = cls.Params(), cls.Params
    training = "\n".join(line(key, getattr(values, key), word(params, key)) for key in keys(params))
    parts = [f"model:\n  type: {name}\n  family: neural", f"training:\n{training}"]
    parts += [section("device", values.device, Device), section("early_stopping", values.early_stopping, EarlyStopping)]
    return head + "\n" + "\n\n".join(parts) + "\n"


def keys(params: type[ModelParams]) -> Iterator[str]:
    """What the network alone has, then its window, then what all networks have."""
    window = [key for key in RungParams.model_fields if key not in NetworkParams.model_fields]
    window = sorted(window, key=["seq_len", "strategy", "features", "timeframes"].index)
    shared = [key for key in NetworkParams.model_fields if key not in ModelParams.model_fields]
    yield from (key for key in params.model_fields if key not in (*window, *shared, *ModelParams.model_fields))
    yield from (key for key in (*window, *shared) if key in params.model_fields)


def word(params: type[ModelParams], key: str) -> str:
    """The nearest description of a field: a class that changes a default need not say again what it is for."""
    fields = (getattr(cls, "model_fields", {}).get(key) for cls in params.__mro__)
    return next((field.description for field in fields if field is not None and field.description), "")


def section(name: str, values: BaseModel, cls: type[BaseModel]) -> str:
    return "\n".join([f"{name}:", *(line(key, getattr(values, key), SECTIONS[key]) for key in cls.model_fields)])


def line(key: str, value: Any, what: str) -> str:
    plain = as_yaml(list(value) if isinstance(value, tuple) else value)
    return f"  {key}: {plain}".ljust(COLUMN - 2) + f"  # {what}"


def main() -> None:
    for name in networks():
        for folder in FOLDERS:
            (folder / f"{name}.yaml").write_text(text(name), encoding="utf-8")
    print(f"{len(networks())} networks -> {', '.join(map(str, FOLDERS))}")  # noqa: T201


if __name__ == "__main__":
    main()
