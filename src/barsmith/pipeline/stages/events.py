"""The user's scheduled events."""

from __future__ import annotations

from pathlib import Path

from barsmith.config import IngestSettings
from barsmith.features.event_file import read_events
from barsmith.features.events import Events
from barsmith.pipeline.stage import stage


@stage(unlisted=True)
def events(event_file: tuple[Path, Path] | None, settings: IngestSettings) -> Events:
    """What the events file holds, none where there is none. event_file: the file and the workspace that it must lie in."""
    if event_file is None:
        return Events({})
    file, workspace = event_file
    return read_events(file, root=workspace, allow_outside=settings.allow_outside)
