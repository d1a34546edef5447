"""The data run as a page that a careful reader can check."""

from __future__ import annotations

from dataclasses import dataclass

from barsmith.config import LabelSettings, Unit
from barsmith.instruments import Instrument
from barsmith.pipeline.data_facts import Facts
from barsmith.pipeline.data_report import html_sections, lead, markdown
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.datasets import DataSets
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.ga_optimize import TunedBarriers
from barsmith.pipeline.stages.ingest import RawData
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.sessions import SessionBars
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.pipeline.stages.validation import Validated
from barsmith.pipeline.tuning_report import Tuning


@dataclass(frozen=True)
class Report:
    """lead: the first sentence. tuning: what the search for barriers was worth, a sentence a horizon. markdown: the whole report as text. sections: [heading, HTML fragments], for `page`."""

    lead: str
    tuning: list[str]
    markdown: str
    sections: list[list[object]]

    @property
    def rows(self) -> int | None:
        return None


@stage
def reporting(
    ingest: RawData,
    clean: CleanMinutes,
    sessions: SessionBars,
    mtf: FeatureTable,
    ga_optimize: TunedBarriers,
    final_labels: FinalLabels,
    splits: SplitRows,
    scaling: ScaledFrames,
    datasets: DataSets,
    validation: Validated,
    instrument: Instrument,
    barriers: tuple[float, float, Unit],
    base: str,
    settings: LabelSettings,
) -> Report:
    """Quality, sessions, labels, splits, features and findings, as text and as pictures."""
    facts = Facts(
        symbol=instrument.symbol,
        base=base,
        quality=ingest.quality,
        cleaned=clean.counts,
        rolls=clean.rolls,
        bars=sessions.bars,
        labels=final_labels.table,
        asked=settings,
        unit=barriers[2],
        barriers=final_labels.barriers,
        split=splits.split,
        features=mtf.names,
        catalogue=mtf.catalogue,
        first_settled=mtf.first_settled,
        feature_set=validation.feature_set,
        findings=validation.findings,
        data_sets=datasets.manifest,
        tuning=Tuning(ga_optimize.why_not, ga_optimize.trials, ga_optimize.search, validation.barriers),
        importance=validation.importance,
        clusters=validation.clusters,
        alike=validation.alike,
        drift=validation.drift,
        train=scaling.train,
    )
    return Report(lead(facts), facts.tuning.lines(), markdown(facts), [[heading, parts] for heading, parts in html_sections(facts)])
