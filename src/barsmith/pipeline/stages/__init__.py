"""The stages, one file each, in the order that a user sees."""

from __future__ import annotations

from barsmith.pipeline.stage import Stage


def all_stages() -> list[Stage]:
    """Every stage in the order of `status`, the unlisted split calendar right after the sessions, the unlisted files of the user's before all."""
    from barsmith.pipeline.stages.calendar import calendar
    from barsmith.pipeline.stages.clean import clean
    from barsmith.pipeline.stages.datasets import datasets
    from barsmith.pipeline.stages.events import events
    from barsmith.pipeline.stages.features import features
    from barsmith.pipeline.stages.final_labels import final_labels
    from barsmith.pipeline.stages.ga_optimize import ga_optimize
    from barsmith.pipeline.stages.ingest import ingest
    from barsmith.pipeline.stages.labeling import labeling
    from barsmith.pipeline.stages.mtf import mtf
    from barsmith.pipeline.stages.primary_signal import primary_signal
    from barsmith.pipeline.stages.regime import regime
    from barsmith.pipeline.stages.reporting import reporting
    from barsmith.pipeline.stages.scaling import scaling
    from barsmith.pipeline.stages.sessions import sessions
    from barsmith.pipeline.stages.splits import splits
    from barsmith.pipeline.stages.validation import validation

    return [
        events,
        primary_signal,
        ingest,
        clean,
        sessions,
        calendar,
        features,
        regime,
        mtf,
        labeling,
        ga_optimize,
        final_labels,
        splits,
        scaling,
        datasets,
        validation,
        reporting,
    ]


STAGE_NAMES = (
    "ingest",
    "clean",
    "sessions",
    "features",
    "regime",
    "mtf",
    "labeling",
    "ga_optimize",
    "final_labels",
    "splits",
    "scaling",
    "datasets",
    "validation",
    "reporting",
)
"""What `status` lists and `rerun --from` takes."""
