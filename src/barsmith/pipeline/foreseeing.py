"""What a run would refuse, found without reading a minute: for a dry run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from barsmith.bars.zones import check_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from barsmith.config import Settings
    from barsmith.pipeline.runner import Step


def refuse_foreseen(settings: Settings, steps: Sequence[Step], made: Mapping[str, bool]) -> None:
    """Raises what the stages that would be made raise for a zone, a file of the user's or a feature's name.

    made: by stage, whether it would be. The files of events and signals are read, the user's feature modules are loaded, as `run` would.
    """
    from barsmith.pipeline.stages.features import chosen_features

    arguments = {step.stage.name: step for step in steps}
    if made.get("ingest") and settings.ingest.timezone is not None:
        check_zone(settings.ingest.timezone)
    if made.get("primary_signal"):
        value_of(arguments["primary_signal"])
    if made.get("features") or made.get("events"):
        asked = arguments["features"].arguments
        events = value_of(arguments["events"])
        chosen_features(asked["settings"], asked["feature_files"], asked["timeframes"], asked["base"], events)


def value_of(step: Step) -> Any:
    """What a stage without inputs makes."""
    return step.stage(**step.arguments)
