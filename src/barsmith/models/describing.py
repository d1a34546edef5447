"""A model described: its docstring, what it reads, its parameters with type, default, limits and purpose.

Its class is imported, and with it its library; a shipped model whose library is not installed is described from its source.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barsmith.config_words import comments, form_of, leaves
from barsmith.errors import UsageError
from barsmith.models.base import BaseModel
from barsmith.models.libraries import install_command
from barsmith.models.params import SECTIONS, ModelParams
from barsmith.models.registry import SHIPPED, ModelRegistry, shipped_class, source_file
from barsmith.models.yaml_params import DEFAULTS, YAML_SECTIONS, load_params
from barsmith.yaml_file import read_yaml

#: What settings that many models share are for, where neither a field nor the model's YAML says it.
SHARED = {
    "device.use_gpu": "true is refused where the model's library or the machine has none; auto takes one that can be used",
    "device.mixed_precision": "half precision on a GPU, for models that have it",
    "device.deterministic": "the same bytes in every run: on the CPU, whatever there is",
    "early_stopping.enabled": "whether training may end before its last round",
    "early_stopping.patience": "rounds without a gain on the inner stopping rows",
    "early_stopping.min_delta": "the least that counts as a gain",
    "training.reg_alpha": "L1 penalty",
    "training.reg_lambda": "L2 penalty",
    "training.max_bin": "values that a feature is rounded to",
    "training.n_jobs": "threads; null takes all that this process may use",
    "training.max_iter": "iterations of the solver at most",
    "training.learning_rate": "the size of a step",
    "training.strategy": "single timeframe, indicators of other rungs as columns, or ingestion of raw prices of several rungs",
}
#: Where a field's own schema does not say it.
FORMS = {"training.batch_size": "`auto` or whole number, at least 1, at most 65,536"}


@dataclass(frozen=True)
class Parameter:
    """One setting of a model. key: as `--set` takes it. form: type and limits in words. what: empty where nobody wrote it down."""

    key: str
    form: str
    default: Any
    value: Any
    what: str

    def as_dict(self) -> dict[str, Any]:
        return {"key": self.key, "type": self.form.replace("`", ""), "default": self.default, "value": self.value, "what": self.what}


def parameters(name: str, workspace: Path | None = None) -> list[Parameter]:
    """Every setting of a model in the order of its YAML and code, with the value that the workspace's own YAML gives it.

    Raises UsageError `config/...`, as a training with that YAML would.
    """
    cls, values = ModelRegistry.get(name), values_here(name, workspace)
    schema = cls.Params.model_json_schema()
    own = shipped_words(name)
    found = []
    for dotted, one in leaves(schema, schema.get("$defs", {})):
        key = dotted if dotted.partition(".")[0] in SECTIONS else f"training.{dotted}"
        what = own.get(key) or one.get("description") or SHARED.get(key, "")
        form = FORMS.get(key) or form_of(one, schema.get("$defs", {}))
        found.append(Parameter(key, form, default_of(cls.Params, dotted), at(values, key), what))
    return sorted(found, key=lambda one: YAML_SECTIONS.index(one.key.partition(".")[0]))


def described(name: str, workspace: Path | None = None) -> dict[str, Any]:
    """Everything about a model by name: what `barsmith models describe` prints. Raises UsageError `config/...`.

    A shipped model whose library is not installed is described from its source and its YAML: then limits and the workspace's own values
    are unknown.
    """
    info = ModelRegistry.info(name)
    if name in SHIPPED and not info.is_installed:
        text, file = ast.get_docstring(shipped_class(name)[0]) or "", str(source_file(name))
        more: dict[str, Any] = {"gpu": None, "takes_any_parameter": False}
        known = from_yaml(name)
    else:
        cls = ModelRegistry.get(name)
        info, text, file = cls.info, inspect.cleandoc(cls.__doc__ or ""), inspect.getfile(cls)
        more = {"gpu": cls.Params.gpu, "takes_any_parameter": takes_any(cls)}
        known = parameters(name, workspace)
    shipped = DEFAULTS / f"{name}.yaml"
    return {
        "name": name,
        "family": info.family,
        "reads": info.reads,
        "summary": info.summary,
        "description": text,
        "source": source_of(text),
        "file": file,
        "needs": list(info.needs),
        "installed": info.is_installed,
        "install": install_command(info.needs),
        "needs_scaling": info.needs_scaling,
        "deterministic_on_cpu": info.deterministic_on_cpu,
        "yaml": f"config/models/{name}.yaml",
        "defaults": str(shipped) if shipped.exists() else None,
        **more,
        "parameters": [one.as_dict() for one in known],
    }


def from_yaml(name: str) -> list[Parameter]:
    """The parameters of a shipped model as its YAML has them, which a test holds to be those of the class."""
    path, told = DEFAULTS / f"{name}.yaml", {**SHARED, **shipped_words(name)}
    values = read_yaml(path.read_bytes(), str(path)).value
    return [
        Parameter(f"{section}.{key}", "", value, value, told.get(f"{section}.{key}", ""))
        for section in YAML_SECTIONS
        for key, value in values[section].items()
    ]


def takes_any(cls: type[BaseModel]) -> bool:
    return cls.Params.model_config.get("extra") == "allow"


def source_of(text: str) -> str | None:
    """What follows `Source:` in a docstring, to the end of its paragraph."""
    found = re.search(r"Source: (.+?)(?:\n\s*\n|$)", text, re.S)
    return " ".join(found[1].split()) if found else None


def shipped_words(name: str) -> dict[str, str]:
    """The comments of the shipped YAML by key; of one without a comment nothing."""
    path = DEFAULTS / f"{name}.yaml"
    return comments(path.read_text(encoding="utf-8")) if path.exists() else {}


def default_of(params: type[ModelParams], dotted: str) -> Any:
    """The default in the code, ready for JSON; `required` where there is none."""
    section, _, name = dotted.rpartition(".")
    field = params.model_fields[section or name]
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    value = getattr(default, name) if section else default
    return list(value) if isinstance(value, tuple) else value


def values_here(name: str, workspace: Path | None) -> dict[str, dict[str, Any]]:
    """The values by section that a training here would have; none where a required one is still to be given."""
    try:
        return load_params(name, workspace)[1].sections()
    except UsageError as error:
        if error.code != "config/missing":
            raise
        return {}


def at(values: dict[str, dict[str, Any]], key: str) -> Any:
    section, _, name = key.partition(".")
    return values.get(section, {}).get(name)
