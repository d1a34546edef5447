"""The page of all models' settings says what the code and the shipped files say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from barsmith.models.describing import described, parameters, source_of
from barsmith.models.registry import SHIPPED

ROOT = Path(__file__).parents[2]


def imported(name: str) -> ModuleType:
    """A script of `tools`."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return imported("make_model_settings")


def test_the_files_of_the_networks_are_what_their_classes_say() -> None:
    maker = imported("make_network_yaml")
    assert len(maker.networks()) == 11
    for name in maker.networks():
        for folder in maker.FOLDERS:
            assert (folder / f"{name}.yaml").read_text() == maker.text(name), "run .venv/bin/python tools/make_network_yaml.py"


def test_the_page_is_what_code_and_files_give(tool: ModuleType) -> None:
    assert tool.PAGE.read_text() == tool.page(), "run .venv/bin/python tools/make_model_settings.py"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_parameter_of_a_shipped_model_says_what_it_does(name: str) -> None:
    silent = [one.key for one in parameters(name) if len(one.what) < 5]
    assert silent == [], f"write a comment behind these in config/models/{name}.yaml, or a description into the field"
    assert described(name)["source"], "the docstring names no Source:"


def test_limits_and_defaults_are_those_of_the_code(tool: ModuleType) -> None:
    told = {one.key: one for one in parameters("xgboost")}
    assert told["training.max_depth"].form == "whole number, at least 1, at most 16"
    assert told["training.n_jobs"].form == "whole number, at least 1, at most 512 or null"
    assert told["device.use_gpu"].form == "`true`, `false`, `auto`"
    assert (told["training.max_depth"].default, told["training.n_jobs"].default) == (6, None)
    assert "| `early_stopping.enabled` | `true` or `false` | `false` |" in tool.section("logistic")
    assert "early_stopping.enabled" not in tool.section("xgboost")  # as everywhere: it stands once, on top


def test_a_source_ends_with_its_paragraph() -> None:
    assert source_of("Trees. Source: Chen &\n    Guestrin (2016).\n\nMore.") == "Chen & Guestrin (2016)."
    assert source_of("Own idea.") is None
