"""The leak audit of a data run: what was looked for, over what and with which result, and what was not looked for here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from barsmith.pipeline.data_facts import Facts


@dataclass(frozen=True)
class Search:
    """leak: what would be wrong. how: what was done to see it. codes: the findings that tell of it."""

    leak: str
    how: str
    codes: tuple[str, ...]


SEARCHES = (
    Search(
        "a label, return, weight, label end or time among the features",
        "the name of each of the {features} features",
        ("datasets/role",),
    ),
    Search(
        "a feature that says what the label, return, weight or label end of its own row says",
        "rank correlation of each of the {features} features with each of them, {horizons}, over train rows spread evenly",
        ("datasets/answer", "datasets/answer-suspected"),
    ),
    Search(
        "a scaler that has seen other rows than train",
        "median and interquartile range of {features} features taken again from the settled train rows, compared bit for bit",
        ("scaling/not-train",),
    ),
    Search(
        "rows scaled by another scaler, or other rows than were to be scaled",
        "all {rows} rows of train, validation and test scaled again",
        ("scaling/other-values", "scaling/other-rows"),
    ),
    Search(
        "features kept or dropped by what other rows than train say",
        "chosen again from the settled train rows: {kept} of {features}",
        ("validation/selection-not-train",),
    ),
    Search(
        "a label that is known only when a later split has begun",
        "every label end of train and validation, {horizons}, against the first decision of each later split",
        ("splits/overlap",),
    ),
    Search(
        "rows shuffled, repeated or decided after the next bar has begun",
        "the times of all {rows} rows of the three splits",
        ("splits/order",),
    ),
)
NOT_HERE = (
    ("features that know later bars; cleaning, sessions or higher timeframes that do", "features audit --symbol"),
    ("a regime or another learned feature that was fitted on more than train", "features audit --symbol"),
    ("labels that the minutes do not give, that change with later bars, or that were dropped for their outcome", "validate --symbols"),
    ("barriers whose recorded scores train alone does not give", "validate --symbols"),
    ("prices adjusted by the ratio of a later roll", "validate --symbols"),
    ("files changed after the run", "validate --symbols"),
)
"""What this run did not look for, and the command that does."""


def leak_rows(facts: Facts) -> list[dict[str, Any]]:
    """One row for each search of the run with its result, then one for each thing that another command looks for."""
    what = {
        "features": f"{len(facts.features):,}",
        "kept": f"{len(facts.feature_set['kept']):,}",
        "horizons": f"{len(facts.barriers)} horizon{'s' if len(facts.barriers) > 1 else ''}",
        "rows": f"{sum(facts.split['counts'].values()):,}",
    }
    rows = [{"leak": one.leak, "result": result(facts, one.codes), "how it was looked for": one.how.format(**what)} for one in SEARCHES]
    ask = [(leak, f"barsmith {command} {facts.symbol}") for leak, command in NOT_HERE]
    return rows + [
        {"leak": leak, "result": "not looked at", "how it was looked for": f"not in this run; ask: {command}"} for leak, command in ask
    ]


def result(facts: Facts, codes: tuple[str, ...]) -> str:
    """Errors are found, warnings suspected."""
    found = [finding for finding in facts.findings if finding["code"] in codes]
    sure = [finding for finding in found if finding["severity"] == "error"]
    if sure:
        return f"FOUND {len(sure)} (see Findings)"
    return f"suspected {len(found)} (see Findings)" if found else "none found"
