"""The features that a workspace knows, as the verbs of `barsmith features` name them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from barsmith.config import Settings
    from barsmith.features.registry import Feature


def known(workspace: Path, modules: list[Path] | None) -> tuple[dict[str, Feature], str]:
    """The features by name under the workspace's settings, where it has any, and its base bars' name."""
    from barsmith.bars.base_bars import base_name
    from barsmith.config import SHIPPED_SYMBOLS
    from barsmith.config_reading import load_settings
    from barsmith.instruments import instrument
    from barsmith.pipeline.api import users_file
    from barsmith.pipeline.feature_values import only_symbol
    from barsmith.pipeline.stages.events import events
    from barsmith.pipeline.stages.features import chosen_features

    settings = load_settings(workspace).settings
    files = [*(workspace / path for path in settings.features.modules), *(modules or ())]
    scheduled = events(users_file(workspace, settings.events).value, settings.ingest)
    base = base_name(settings, instrument(only_symbol(workspace, settings) or SHIPPED_SYMBOLS[0], settings))
    return chosen_features(settings.features, files, settings.timeframes, scheduled), base


def named(name: str, found: dict[str, Feature]) -> Feature:
    """The feature of this name, else UsageError `config/unknown-name`."""
    if name in found:
        return found[name]
    raise UsageError("config/unknown-name", expected="a feature's name", came=ascii(name)[:80], do=nearest(name, found))


def nearest(name: str, known: Collection[str]) -> str:
    near = did_you_mean(name, known)
    return near if near.startswith("did you mean") else "see `barsmith features list`"


def contract_asked(symbol: str, settings: Settings) -> str:
    """The contract that `--symbol` names, where there is such a one. Raises UsageError `cli/symbol`."""
    from barsmith.instruments import instrument

    instrument(symbol, settings, code="cli/symbol")
    return symbol
