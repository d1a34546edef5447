"""The page of all settings says what the code and the shipped file say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from barsmith.config import Settings
from barsmith.config_words import comments

ROOT = Path(__file__).parents[1]
AGAIN = "run .venv/bin/python tools/make_settings.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("make_settings", ROOT / "tools" / "make_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_settings"] = module  # which its dataclass asks for
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_code_and_file_give(tool: ModuleType) -> None:
    assert tool.PAGE.read_text() == tool.page(), AGAIN


def test_every_setting_has_its_line_with_words(tool: ModuleType) -> None:
    lines = {line.key: line for line in tool.lines()}

    def keys(values: dict[str, object], at: str = "") -> list[str]:
        return [
            key for name, one in values.items() for key in (keys(one, f"{at}{name}.") if isinstance(one, dict) and one else [f"{at}{name}"])
        ]

    assert set(keys(Settings().model_dump(mode="json"))) - {"version"} <= set(lines)
    assert {key for key, line in lines.items() if len(line.what) < 6 or not line.form or not line.default} == set()
    assert not [line for line in tool.page().splitlines() if line.startswith("|") and line.count("|") != 5]


def test_a_lines_limits_are_those_of_the_code(tool: ModuleType) -> None:
    lines = {line.key: line for line in tool.lines()}
    assert lines["labels.trials"].form == "whole number, at least 1, at most 10,000"
    assert lines["splits.train_pct"].form == "number, above 0, below 1"
    assert lines["labels.session"].form == "`hold`, `close`"
    assert (lines["labels.k_up"].default, lines["barriers.SYMBOL.k_up"].default) == ("`null`", "required")


def test_a_comment_is_read_with_the_lines_that_go_on_with_it() -> None:
    text = "# above\n# it\na: 1\nb:   # section\n  c: 2   # one | two,\n               # and three\n  d: 3\n\n# far\n\ne: 4\n"
    assert comments(text) == {"a": "above it", "b": "section", "b.c": "one | two, and three"}


def test_settings_that_docs_name_are_settings(tool: ModuleType) -> None:
    keys = {line.key for line in tool.lines()}
    sections = {key.partition(".")[0] for key in keys if "." in key}
    named = re.findall(r"`([a-z_]+\.[a-z_]+)(?:=[^`]*)?`", (ROOT / "docs" / "running.md").read_text())
    assert [name for name in named if name.partition(".")[0] in sections and name not in keys] == []
