"""Makes docs/model_settings.md: every model with its source and every parameter with type, limits, default and purpose.

    .venv/bin/python tools/make_model_settings.py

From the classes, their fields and the comments of their shipped YAML. A test compares the page with them, so whoever adds or changes a model runs it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from barsmith.config_words import as_yaml
from barsmith.models.describing import SHARED, Parameter, parameters, source_of
from barsmith.models.libraries import install_command
from barsmith.models.params import SECTIONS, ModelParams
from barsmith.models.registry import FAMILIES, SHIPPED, ModelRegistry

PAGE = Path(__file__).parents[1] / "docs" / "model_settings.md"
HEAD = """# Every model and its settings

Made by `tools/make_model_settings.py` from the code and `config/models/`. A key stands so in `config/models/{name}.yaml` of the workspace (nested under
`training`, `device` and `early_stopping`), and as `--set KEY=VALUE`, which wins over the file. `barsmith models describe NAME` prints the same with the values
that hold in a workspace. Your own models: `docs/add_a_model.md`.

## What all models take

| key | default | what it does |
|---|---|---|
"""
COLUMNS = "| key | type and limits | default | what it does |\n|---|---|---|---|\n"


def page() -> str:
    shared = ModelParams().sections()
    rows = [f"| `{key}` | `{as_yaml(shared[key.partition('.')[0]][key.partition('.')[2]])}` | {SHARED[key]} |" for key in shared_keys()]
    families = groupby(sorted(SHIPPED, key=lambda name: list(FAMILIES).index(ModelRegistry.info(name).family)), key=family_of)
    parts = [f"## {family}\n\n" + "\n".join(map(section, names)) for family, names in families]
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(parts)


def family_of(name: str) -> str:
    return ModelRegistry.info(name).family


def shared_keys() -> list[str]:
    return [key for key in SHARED if key.partition(".")[0] in SECTIONS]


def section(name: str) -> str:
    """One model: what it is, where it comes from, what it needs, and its own settings."""
    cls = ModelRegistry.get(name)
    summary = cls.info.summary.partition(" Source:")[0]
    facts = [f"reads {cls.info.reads}", f"needs {', '.join(cls.info.needs) or 'nothing more'}"]
    if "[" in (command := install_command(cls.info.needs)):  # an extra
        facts.append(f"`{command}`")
    source = source_of(cls.__doc__ or "")
    lead = f"{summary} {'Source: ' + source if source else ''}".strip()
    rows = "\n".join(map(line, own_parameters(name)))
    return f"### {name}\n\n{lead}\n\n*{'; '.join(facts)}*\n\n{COLUMNS}{rows}\n"


def own_parameters(name: str) -> Iterator[Parameter]:
    """The parameters of the model itself, and those shared ones that are not as everywhere."""
    shared = ModelParams().sections()
    for one in parameters(name):
        section, _, key = one.key.partition(".")
        if section not in SECTIONS or (key in shared[section] and one.default != shared[section][key]) or key not in shared[section]:
            yield one


def line(one: Parameter) -> str:
    return f"| `{one.key}` | {one.form} | `{as_yaml(one.default)}` | {one.what.replace(' | ', ' or ')} |"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{len(SHIPPED)} models -> {PAGE}")  # noqa: T201


if __name__ == "__main__":
    main()
