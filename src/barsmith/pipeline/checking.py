"""`validate`: what the latest data run of a symbol left, checked again from the files themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from barsmith.artifacts import verify
from barsmith.bars.base_bars import base_name, base_rung
from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.bars.sessions import Sessions, load_sessions
from barsmith.config import Settings, canonical
from barsmith.datasets.roles import META
from barsmith.datasets.scaling import RobustScaler
from barsmith.instruments import Instrument, instrument
from barsmith.labels.making import asked_sides, make_labels, session_closes, unit_size
from barsmith.labels.outcomes import Barriers, Labels
from barsmith.labels.primary_signal import PrimarySignal
from barsmith.labels.weights import final_weights, label_columns, quality_columns
from barsmith.pipeline.remaking import made_again, searched_elsewhere
from barsmith.pipeline.run_data import RunData
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.ingest import RawData
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.stages.scaling import ScaledFrames
from barsmith.pipeline.stages.splits import SplitRows
from barsmith.pipeline.stages.validation import Validated, examined, misread
from barsmith.validation.checks import Finding
from barsmith.validation.feature_checks import columns_with_another_role, scaled_otherwise
from barsmith.validation.label_checks import dropped_by_outcome, reads_past_its_end

TRIES = 5  # labels of each horizon whose future is changed


def check_run(data: RunData) -> dict[str, Any]:
    """{run_id, symbol, files, is_ready, findings, not_checked}: files is the number whose hash was compared; a changed one is IntegrityError.

    Of the test split the times are looked at and whether it was scaled as train was; no label of it is made again.
    """
    files = {name: record for entry in data.entries.values() for name, record in entry.files.items()}
    verify(data.workspace, files)
    found = examined(
        data.value("scaling", ScaledFrames),
        data.value("mtf", FeatureTable),
        data.value("splits", SplitRows),
        data.field("validation", Validated, "feature_set")["kept"],
        data.settings.label_horizons,
        data.settings.validation,
        data.settings.labels,
    )
    made_elsewhere = [*misread(data.field("ingest", RawData, "quality")), *other_roles(data), *made_again(data), *searched_elsewhere(data)]
    found = [*made_elsewhere, *other_labels(data), *other_features(data), *relabelled(data), *found]
    return {
        "run_id": data.run_id,
        "symbol": data.symbol,
        "files": len(files),
        "is_ready": not any(finding.severity == "error" for finding in found),
        "findings": [finding.as_dict() for finding in found],
        "not_checked": list(not_checked(data)),
    }


def not_checked(data: RunData) -> Iterator[str]:
    """What is taken as the run left it, and why."""
    audit = f"`barsmith features audit --symbol {data.symbol}` looks for leaks in those of the catalogue"
    yield f"features, those of other timeframes and what regimes have learned were not made again: {audit}"
    of_test = "labels, label ends, returns, quality scores and weights of the test split were not made again: it stays closed"
    yield of_test + (", and with uniqueness neither were validation's weights" if data.settings.labels.uniqueness else "")
    yield "importance, clusters and the worth of the search were not made again: they are the report's, and no model reads them"
    outside = {"events": data.settings.events, "signals": data.settings.labels.primary_signal}
    files = " and ".join(what for what, file in outside.items() if file is not None)
    if files:
        yield f"your file of {files} was not read again"


def other_roles(data: RunData) -> Iterator[Finding]:
    """Leak 13: columns that the run's records call features although their names say what else they are."""
    roles = data.field("scaling", ScaledFrames, "roles") | data.field("mtf", FeatureTable, "roles")
    yield from columns_with_another_role([name for name, role in roles.items() if role == "feature"])


def other_labels(data: RunData) -> list[Finding]:
    """Leak 23: a split whose labels, weights, settled rows or sessions are not those that were made for its bars, or that lost rows."""
    labels: pl.DataFrame = data.field("final_labels", FinalLabels, "table")
    table: pl.DataFrame = data.field("mtf", FeatureTable, "features")
    stored = table.select(name for name in table.columns if name in META and name not in labels.columns).hstack(labels)
    rows = SplitRows(data.field("splits", SplitRows, "split"))
    found = []
    for name in ("train", "val"):
        mine = data.field("scaling", ScaledFrames, name).select(stored.columns)
        expected = stored[pl.Series(rows.of(name))]
        if len(mine) != len(expected) or not mine.equals(expected):
            other = abs(len(mine) - len(expected)) or (mine.hash_rows() != expected.hash_rows()).sum()
            what = f"{other} rows of {name} have other labels, label ends, returns, weights, sessions or settled rows than were made for their bars"
            found.append(Finding("datasets/labels", what, int(other)))
    return found


def other_features(data: RunData) -> list[Finding]:
    """Rows between the splits that are not what the stored scaler makes of their bars: windows read them. The splits' own are examined as such."""
    features: pl.DataFrame = data.field("mtf", FeatureTable, "features")
    rows = SplitRows(data.field("splits", SplitRows, "split"))
    scaler = RobustScaler.from_json(canonical(data.field("scaling", ScaledFrames, "scaler")))
    return list(scaled_otherwise(scaler, features[pl.Series(rows.between())], data.field("scaling", ScaledFrames, "between")))


def relabelled(data: RunData) -> list[Finding]:
    """The labels made again from the minutes before the test split: none reads past its end, none is left out for its outcome, none differs."""
    settings = data.settings
    contract = instrument(data.symbol, settings)
    sessions = load_sessions(contract.calendar, settings.sessions.hours)
    minutes: Minutes = data.field("clean", CleanMinutes, "minutes")
    table, quality = (data.field("final_labels", FinalLabels, name) for name in ("table", "quality"))
    stored: pl.DataFrame = table.hstack(quality.drop("datetime"))
    first_test_row = data.field("splits", SplitRows, "split")["test"][0]
    opens = as_minutes(stored["datetime"][first_test_row : first_test_row + 1])
    minutes = minutes[: int(np.searchsorted(minutes.time, opens[0]))]
    signal = data.value("primary_signal", PrimarySignal)
    base = base_rung(minutes, sessions, base_name(settings, contract), adjusted=False)
    scale = unit_size(contract.barrier_unit, minutes, base, contract.tick)
    closes = session_closes(sessions, base, settings.labels)
    side = asked_sides(minutes, base, settings.labels, signal)
    found: list[Finding] = []
    for horizon, barriers in data.field("final_labels", FinalLabels, "barriers").items():
        label = partial(_labels, settings, contract, sessions, signal, int(horizon), Barriers(**barriers))
        labels = label(minutes)
        least = settings.labels.trend_min_bars if settings.labels.method == "trend_scanning" else 1
        asked = np.isfinite(scale) if side is None else np.isfinite(scale) & (side != 0)
        found += dropped_by_outcome(labels, asked, base, int(horizon), closes=closes, min_bars=least)
        found += reads_past_its_end(label, minutes, base.end, seed=settings.random_seed, tries=TRIES)
        found += other_outcomes(stored, labels, base.start, int(horizon), data)
    return found


def other_outcomes(stored: pl.DataFrame, labels: Labels, opens: np.ndarray, horizon: int, data: RunData) -> Iterator[Finding]:
    """Labels, label ends, returns and quality that are not those that the minutes give; weights that are not ranked among the train rows alone.

    With uniqueness a weight depends on the labels beside it, of which those of the test split are not known here: then only train is compared.
    """
    train = np.arange(*data.field("calendar", Calendar, "split")["train"])
    uniqueness = data.settings.labels.uniqueness
    weights = final_weights(labels, opens, train, uniqueness=uniqueness)
    again = label_columns({horizon: labels}, {horizon: weights}).hstack(quality_columns({horizon: labels}, opens))
    sure = np.arange(len(labels)) < len(labels) - labels.max_bars  # the minutes after the last of these bars are the test split's
    for name, code, what in (
        ("label", "labels/other", "labels"),
        ("label_end", "labels/other-end", "label ends"),
        ("return", "labels/other-return", "returns"),
        ("sample_weight", "labels/other-weight", "sample weights"),
        ("mae", "labels/other-quality", "adverse excursions"),
        ("mfe", "labels/other-quality", "favourable excursions"),
        ("pain_to_gain", "labels/other-quality", "ratios of pain to gain"),
        ("quality", "labels/other-quality", "quality scores"),
        ("bars", "labels/other-quality", "lives in bars"),
    ):
        column = f"{name}_h{horizon}"
        told, right = (_numbers(frame[column])[: len(labels)] for frame in (stored, again))
        known = np.flatnonzero(labels.has_label | (np.isfinite(told) & sure))  # a label where none may be is another one too
        rows = np.intersect1d(known, train) if name == "sample_weight" and uniqueness else known
        other = int((~np.isclose(told[rows], right[rows], rtol=1e-9, atol=1e-12)).sum())  # NaN where one of the two is missing
        if other:
            basis = "the quality ranked among the train rows gives" if name == "sample_weight" else "the minutes give"
            yield Finding(code, f"{other} {what} of horizon {horizon} are not those that {basis}", other)


def _numbers(column: pl.Series) -> np.ndarray:
    return column.to_physical().cast(pl.Float64).to_numpy()


def _labels(
    settings: Settings,
    contract: Instrument,
    sessions: Sessions,
    signal: PrimarySignal,
    horizon: int,
    barriers: Barriers,
    minutes: Minutes,
) -> Labels:
    base = base_rung(minutes, sessions, base_name(settings, contract), adjusted=False)
    units = {"unit": contract.barrier_unit, "tick": contract.tick}
    return make_labels(minutes, base, sessions, settings.labels, {horizon: barriers}, **units, signal=signal)[horizon]  # type: ignore[arg-type]
