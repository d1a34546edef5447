"""The user's primary signal, for meta-labels."""

from __future__ import annotations

from pathlib import Path

from barsmith.config import IngestSettings
from barsmith.labels.primary_signal import PrimarySignal, read_primary_signal
from barsmith.pipeline.stage import stage


@stage(unlisted=True)
def primary_signal(signal_file: tuple[Path, Path] | None, settings: IngestSettings) -> PrimarySignal:
    """What the file holds, nothing where there is none. signal_file: the file and the workspace that it must lie in."""
    if signal_file is None:
        return PrimarySignal.none()
    file, workspace = signal_file
    return read_primary_signal(file, root=workspace, allow_outside=settings.allow_outside)
