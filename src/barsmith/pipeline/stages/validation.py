"""Is it fit to be learned from: columns that say something of their own, and the checks of the finished tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from barsmith.config import LabelSettings, SessionSettings, ValidationSettings, canonical
from barsmith.datasets.scaling import RobustScaler
from barsmith.datasets.selection import correlations, uncorrelated
from barsmith.instruments import Instrument
from barsmith.labels.market import Prices
from barsmith.labels.outcomes import Barriers
from barsmith.metrics.permutation import Importance
from barsmith.pipeline.stage import stage
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.datasets import DataSets
from barsmith.pipeline.stages.ga_optimize import MOST_ROWS, TunedBarriers
from barsmith.pipeline.stages.ingest import RawData
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.validation.checks import Finding, examine, settled_matrix
from barsmith.validation.feature_checks import Drift, drifts
from barsmith.validation.importance import clusters, correlation_tree, in_tree_order, probe_importance
from barsmith.validation.tuned_barriers import OutOfSample, out_of_sample

LEAST_VALIDATION_ROWS = 100


@dataclass(frozen=True)
class Validated:
    """feature_set: kept (in order), constant, correlated {dropped: the kept one it repeats}. findings: errors first.

    barriers: what given, fixed 3/3 and tuned barriers earn out of sample, as `OutOfSample`; empty where nothing was tuned.
    importance: of each kept feature for a probe of the longest horizon's labels, highest first, as `Importance`.
    clusters: kept features that say much the same, by name. alike: their absolute correlations over the settled train rows, a column for each
    kept feature, columns and rows in the order in which the most alike stand together. drift: of each kept feature, furthest first, as `Drift`.
    """

    feature_set: dict[str, Any]
    findings: list[dict[str, Any]]
    barriers: list[dict[str, Any]]
    importance: list[dict[str, Any]]
    clusters: list[list[str]]
    alike: pl.DataFrame
    drift: list[dict[str, Any]]

    @property
    def rows(self) -> int:
        """The number of features kept."""
        return len(self.feature_set["kept"])

    @property
    def is_ready(self) -> bool:
        return not any(finding["severity"] == "error" for finding in self.findings)


@stage
def validation(
    ingest: RawData,
    clean: CleanMinutes,
    calendar: Calendar,
    labeling: RawLabels,
    ga_optimize: TunedBarriers,
    scaling: ScaledFrames,
    mtf: FeatureTable,
    splits: SplitRows,
    datasets: DataSets,
    instrument: Instrument,
    hours: SessionSettings,
    base: str,
    random_seed: int,
    settings: ValidationSettings,
    labels: LabelSettings,
) -> Validated:
    """Constants and near-copies dropped by what train says; then every check over train and validation; then what tuning was worth."""
    chosen = uncorrelated(settled_matrix(scaling.train, mtf.names), mtf.names, settings.max_correlation)
    horizons = [int(horizon) for horizon in datasets.manifest["horizons"]]
    moved = drifts(settled_matrix(scaling.train, chosen.kept), settled_matrix(scaling.val, chosen.kept), chosen.kept)
    found = [*misread(ingest.quality), *examined(scaling, mtf, splits, chosen.kept, horizons, settings, labels, moved)]
    feature_set = {"kept": list(chosen.kept), "constant": list(chosen.constant), "correlated": dict(chosen.correlated)}
    prices = Prices.of(clean.minutes, instrument, hours, base, labels)
    compared = worth_of_tuning(ga_optimize, prices, calendar, mtf, labeling, scaling, random_seed)
    seed = np.random.SeedSequence([random_seed, *b"importance"])
    important = importance(scaling, chosen.kept, max(horizons), seed)
    related = correlations(settled_matrix(scaling.train, chosen.kept))
    tree = correlation_tree(related)
    ordered, names = in_tree_order(tree, related, chosen.kept)
    alike = pl.DataFrame(ordered.astype(np.float32), schema=names)
    earned, leaned_on, drift = ([asdict(one) for one in some] for some in (compared, important, moved))
    return Validated(feature_set, [finding.as_dict() for finding in found], earned, leaned_on, clusters(tree, chosen.kept), alike, drift)


def misread(quality: Mapping[str, Any]) -> list[Finding]:
    """The warnings of the reader with which nobody should train: every bar is at another hour than it says."""
    found = [warning for warning in quality["warnings"] if warning["code"] == "bars/zone"]
    do = "ask `barsmith inspect` for the file's zone and stamps, and set ingest.timezone or ingest.timestamps"
    return [Finding(one["code"], f"{one['count']} {one['note']}; {do}", int(one["count"])) for one in found]


def importance(scaled: ScaledFrames, kept: Sequence[str], horizon: int, seed: np.random.SeedSequence) -> list[Importance]:
    """What a ridge probe, fitted on train, loses on validation with each kept feature shuffled; nothing where a split has no whole row."""
    label = f"label_h{horizon}"
    train, val = (part.filter(pl.col("is_settled") & pl.col(label).is_not_null()) for part in (scaled.train, scaled.val))
    if not len(train) or not len(val) or not kept:
        return []
    X, y = ([part.select(kept).to_numpy().astype(np.float32) for part in (train, val)], [part[label].to_numpy() for part in (train, val)])
    return probe_importance(X[0], y[0], X[1], y[1], val["session_id"].to_numpy(), kept, seed=seed)


def worth_of_tuning(
    tuned: TunedBarriers, prices: Prices, calendar: Calendar, table: FeatureTable, labeling: RawLabels, scaled: ScaledFrames, seed: int
) -> list[OutOfSample]:
    """Given, fixed 3/3 and tuned barriers side by side on validation; nothing where nothing was tuned."""
    if not tuned.search:
        return []
    split = calendar.drawn()
    choices = {int(h): {"given": barriers_of(one["given"]), "fixed 3/3": barriers_of(one["fixed"]), "tuned": barriers_of(one["best"])}
               for h, one in tuned.search.items()}  # fmt: skip
    longest = max(one.max_bars for named in choices.values() for one in named.values())
    rows = {name: prices.decisions(getattr(split, name), longest, table.is_settled, labeling.is_event) for name in ("train", "val")}
    if len(rows["val"]) < LEAST_VALIDATION_ROWS:
        return []
    rows["train"] = rows["train"][:: -(-len(rows["train"]) // MOST_ROWS)]
    flat = [one for named in choices.values() for one in named.values()]
    train, val = (prices.market(rows[name], flat, longest) for name in ("train", "val"))
    raw = table.features[pl.Series(np.concatenate((rows["train"], rows["val"])))].select(table.names).to_numpy()
    X = RobustScaler.from_json(canonical(scaled.scaler)).apply(raw).astype(np.float32)
    return out_of_sample(train, val, X, choices, np.random.SeedSequence([seed, *b"barriers out of sample"]))


def barriers_of(trial: Mapping[str, Any]) -> Barriers:
    return Barriers(**trial["barriers"])


def examined(
    scaled: ScaledFrames,
    table: FeatureTable,
    splits: SplitRows,
    kept: Sequence[str],
    horizons: Sequence[int],
    settings: ValidationSettings,
    labels: LabelSettings,
    moved: Sequence[Drift] | None = None,
) -> list[Finding]:
    """Every finding about the tables; of the test split only the times, and whether it was scaled as train was."""
    times = ["datetime", "decision", *(f"label_end_h{h}" for h in horizons)]
    return examine(
        scaled.train,
        scaled.val,
        features=table.names,
        kept=kept,
        horizons=horizons,
        scaler=RobustScaler.from_json(canonical(scaled.scaler)),
        unscaled_train=table.features[pl.Series(splits.of("train"))],
        others={
            name: (table.features[pl.Series(splits.of(name))], getattr(scaled, name).select("datetime", *table.names))
            for name in ("val", "test")
        },
        test_times=scaled.test.select(times),
        max_correlation=settings.max_correlation,
        labels=labels,
        moved=moved,
    )
