"""Stages made once more from what they were made of: what somebody changed afterwards, hash and all, is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from barsmith.bars.base_bars import base_name
from barsmith.bars.minutes import Minutes, as_minutes
from barsmith.errors import UsageError
from barsmith.instruments import instrument
from barsmith.labels.market import Prices
from barsmith.labels.outcomes import Barriers
from barsmith.labels.tuning import longest_patience, scores
from barsmith.pipeline.run_data import RunData
from barsmith.pipeline.runner import Step, plan
from barsmith.pipeline.stages import all_stages
from barsmith.pipeline.stages.calendar import Calendar
from barsmith.pipeline.stages.clean import CleanMinutes
from barsmith.pipeline.stages.final_labels import FinalLabels
from barsmith.pipeline.stages.ga_optimize import LEAST_ROWS, TunedBarriers, ground, why_not_searched
from barsmith.pipeline.stages.ingest import RawData
from barsmith.pipeline.stages.labeling import RawLabels
from barsmith.pipeline.stages.mtf import FeatureTable
from barsmith.pipeline.store import fields_of
from barsmith.pipeline.workspace import givens
from barsmith.validation.bar_checks import factors_of_later_rolls
from barsmith.validation.checks import Finding

REMADE = ("ingest", "clean", "sessions", "calendar", "splits")
"""Stages that are quick to make again; `features audit` is about those between, `relabelled` about the labels."""
SCORE_TOLERANCE = 1e-2
"""Another machine's linear algebra gives other last digits, and a trade more or less."""


def made_again(data: RunData) -> Iterator[Finding]:
    """Roll factors of the past alone (leak 12); bars, calendar and splits that are what their inputs give."""
    if data.settings.clean.gaps != "drop_session":  # then a ratio may be that of minutes which are gone: `clean` made again below tells
        ratios = given_ratios(data.field("ingest", RawData, "bars"))
        yield from factors_of_later_rolls(data.field("clean", CleanMinutes, "minutes"), ratios)
    try:
        steps = plan(all_stages(), data.settings, givens(data.workspace, data.settings))
    except UsageError as gone:
        yield Finding("ingest/no-raw", f"bars and splits were not made again: {gone}", severity="warning")
        return
    for step in steps:
        if step.stage.name == "ingest" and is_another_raw_file(data, step):
            what = "the raw file is another than this run has read: ingest was not made again"
            yield Finding("ingest/other-raw", what, severity="warning")
        elif step.stage.name in REMADE:
            yield from other_values(data, step)


def given_ratios(bars: pl.DataFrame) -> dict[int, float]:
    """Minute -> roll_ratio, where the raw file gives one."""
    if "roll_ratio" not in bars.columns:
        return {}
    told = bars.filter(pl.col("roll_ratio").is_not_null() & pl.col("roll_ratio").is_not_nan())
    return dict(zip(as_minutes(told["datetime"]).tolist(), told["roll_ratio"].to_list(), strict=True))


def is_another_raw_file(data: RunData, ingest: Step) -> bool:
    return bool(ingest.made_of["given"]["raw_file"] != data.field("ingest", RawData, "quality")["sha256"])


def other_values(data: RunData, step: Step) -> Iterator[Finding]:
    """Each field of a stage that is not what the stage makes of its inputs."""
    name, makes = step.stage.name, step.stage.makes
    value = step.stage(**{parameter: data.value(parameter, kind) for parameter, kind in inputs_of(step).items()}, **step.arguments)
    for field in fields_of(makes):
        stored, again = data.field(name, makes, field), getattr(value, field)
        if not same(stored, again):
            yield Finding(f"{name}/other", f"{field} of {name} is not what the stage makes of its inputs", differing(stored, again))


def inputs_of(step: Step) -> dict[str, type]:
    return {parameter: step.stage.parameters[parameter] for parameter in step.inputs}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Minutes):
        return a.names == b.names and same(a.to_frame(), b.to_frame())
    if isinstance(a, pl.DataFrame):
        return a.schema == b.schema and a.equals(b)
    if isinstance(a, Mapping) and a and isinstance(next(iter(a.values())), pl.DataFrame):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    return bool(a == b)


def differing(a: Any, b: Any) -> int:
    """Rows that differ, where both are tables of the same columns; else 0."""
    if isinstance(a, Minutes):
        return differing(a.to_frame(), b.to_frame())
    if isinstance(a, Mapping):
        return sum(differing(a[name], b[name]) for name in a if name in b)
    if not isinstance(a, pl.DataFrame) or a.schema != b.schema:
        return 0
    return len(a) - len(b) if len(a) > len(b) else len(b) - len(a) or int((a.hash_rows() != b.hash_rows()).sum())


def searched_elsewhere(data: RunData) -> Iterator[Finding]:
    """Leak 14: barriers whose recorded score the training rows do not give, that are not the best of their trials, or that no label was made with."""
    tuned = data.value("ga_optimize", TunedBarriers)
    used = data.field("final_labels", FinalLabels, "barriers")
    for h, barriers in tuned.barriers.items():
        if used.get(h) != barriers:
            yield Finding("ga_optimize/unused", f"the labels of horizon {h} were made with other barriers than were chosen")
    yield from not_searched(data, tuned)
    if not tuned.search:
        return
    for h, told in tuned.search.items():
        tried = tuned.trials.filter(pl.col("horizon") == int(h))["score"].to_list()
        if len(tried) != data.settings.labels.trials:
            what = f"{len(tried)} trials of horizon {h} are kept, and {data.settings.labels.trials} were asked for"
            yield Finding("ga_optimize/trials", what, len(tried))
        if tuned.barriers[h] != told["best"]["barriers"] or max([*tried, told["given"]["score"]]) > told["best"]["score"]:
            yield Finding("ga_optimize/not-best", f"the barriers of horizon {h} are not the best of its trials")
    yield from other_scores(data, tuned)


def not_searched(data: RunData, tuned: TunedBarriers) -> Iterator[Finding]:
    """Barriers that are neither the given ones nor found by a search."""
    labeling = data.value("labeling", RawLabels)
    contract, asked = instrument(data.symbol, data.settings), data.settings.labels
    for h, one in labeling.barriers.items():
        given = asdict(Barriers(contract.k_up, contract.k_down, asked.max_bars or int(h)))
        if asked.method == "triple_barrier" and one != given:
            yield Finding("labeling/barriers", f"the labels of horizon {h} began with other barriers than the settings give")
    if not tuned.search and tuned.barriers != labeling.barriers:
        yield Finding("ga_optimize/unsearched", "barriers other than the given ones, and no search that found them")
    if bool(tuned.search) != (not tuned.why_not) or (not tuned.why_not and why_not_searched(asked, contract.barrier_unit)):
        yield Finding("ga_optimize/unsearched", "the record says both that barriers were searched and that they were not")
    if tuned.why_not and asked.tune and not why_not_searched(asked, contract.barrier_unit) and "settled training rows" not in tuned.why_not:
        yield Finding("ga_optimize/unsearched", "the settings ask for a search of barriers, and none was made")


def other_scores(data: RunData, tuned: TunedBarriers) -> Iterator[Finding]:
    from threadpoolctl import threadpool_limits

    settings, calendar = data.settings, data.value("calendar", Calendar)
    labeling, table = data.value("labeling", RawLabels), data.value("mtf", FeatureTable)
    contract = instrument(data.symbol, settings)
    base = base_name(settings, contract)
    prices = Prices.of(data.field("clean", CleanMinutes, "minutes"), contract, settings.sessions, base, settings.labels)
    given = labeling.given()
    longest = longest_patience(given.values(), calendar.split["purge_bars"])
    rows = prices.decisions(calendar.drawn().train, longest, table.is_settled, labeling.is_event)
    if len(rows) < LEAST_ROWS:
        yield Finding(
            "ga_optimize/score", f"barriers were searched on {len(rows)} settled training rows, fewer than {LEAST_ROWS}", len(rows)
        )
        return
    market, probe = ground(prices, table, rows, given, longest)
    for h, told in tuned.search.items():
        tried = tuned.trials.filter(pl.col("horizon") == int(h)).select("k_up", "k_down", "max_bars", "score").rows()
        recorded = [(Barriers(**told[name]["barriers"]), told[name]["score"]) for name in ("best", "given", "fixed")]
        recorded += [(Barriers(up, down, bars), score) for up, down, bars, score in tried]
        wanted = [barriers for barriers, _ in recorded]
        if not all(reachable(one, market.passages.levels, longest) for one in wanted):
            yield Finding("ga_optimize/score", f"the barriers of horizon {h} lie outside what may be searched", len(rows))
            continue
        with threadpool_limits(1):
            again = scores(market, probe, wanted)
        far = [
            (score, trial.score) for (_, score), trial in zip(recorded, again, strict=True) if abs(score - trial.score) > SCORE_TOLERANCE
        ]
        if far:
            what = (
                f"the scores of horizon {h} are not those that the training rows alone give: recorded {far[0][0]:.3f}, came {far[0][1]:.3f}"
            )
            yield Finding("ga_optimize/score", what, len(rows))


def reachable(barriers: Barriers, levels: np.ndarray, longest: int) -> bool:
    return barriers.k_up in levels and barriers.k_down in levels and barriers.max_bars <= longest
