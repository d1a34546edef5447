"""The features that the verbs of `barsmith features` can name, under the settings of a workspace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from barsmith.config import Settings
    from barsmith.features.registry import Feature


@dataclass(frozen=True)
class KnownFeatures:
    """Features by name. every: the whole catalogue with the user's own. chosen: those of them that a data run with these settings computes.

    base: the name of its base bars.
    """

    settings: Settings
    base: str
    every: Mapping[str, Feature]
    chosen: Mapping[str, Feature]

    def named(self, name: str) -> Feature:
        """The feature of this name, chosen or not, else UsageError `config/unknown-name`."""
        if name in self.every:
            return self.every[name]
        raise UsageError("config/unknown-name", expected="a feature's name", came=ascii(name)[:80], do=nearest(name, self.every))

    def why_left_out(self, one: Feature) -> str:
        """What keeps a data run from computing it, empty where nothing does."""
        missing = sorted(one.timeframes.difference(self.settings.timeframes))
        if missing:
            return f"a data run here leaves it out: it reads {' and '.join(missing)}, which `timeframes` does not name"
        return "" if one.name in self.chosen else "a data run here leaves it out: features.set and features.drop choose others"


def known_features(workspace: Path, settings: Settings, modules: Sequence[Path] | None) -> KnownFeatures:
    """What a workspace with these settings has to choose among, and what it chooses. modules: more files of the user's."""
    from barsmith.bars.base_bars import base_name
    from barsmith.config import SHIPPED_SYMBOLS
    from barsmith.features.events import with_events
    from barsmith.features.registry import catalogue, reading_only
    from barsmith.features.sets import chosen_from
    from barsmith.instruments import instrument
    from barsmith.pipeline.feature_values import only_symbol
    from barsmith.pipeline.stages.events import events
    from barsmith.pipeline.workspace import users_file

    files = [*(workspace / path for path in settings.features.modules), *(modules or ())]
    scheduled = events(users_file(workspace, settings.events).value, settings.ingest)
    base = base_name(settings, instrument(only_symbol(workspace, settings) or SHIPPED_SYMBOLS[0], settings))
    every = with_events(catalogue(files, settings.features.params, base=base), scheduled)
    chosen = chosen_from(reading_only(settings.timeframes, every), settings.features)
    return KnownFeatures(settings, base, every, chosen)


def nearest(name: str, known: Collection[str]) -> str:
    near = did_you_mean(name, known)
    return near if near.startswith("did you mean") else "see `barsmith features list`"


def contract_asked(symbol: str, settings: Settings) -> str:
    """The contract that `--symbol` names, where there is such a one. Raises UsageError `cli/symbol`."""
    from barsmith.instruments import instrument

    instrument(symbol, settings, code="cli/symbol")
    return symbol
