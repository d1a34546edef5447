"""The catalogue as a Markdown page: by group what each feature is, its unit, source, warm-up and settling, then the formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from barsmith.features.formula import formula
from barsmith.features.learned import is_learned
from barsmith.features.registry import BASE, Feature
from barsmith.features.settled import DAYS, STARTS, SYMBOL, Settled

COLUMNS = ("name", "what it is", "unit", "source", "warm-up", "settles")
#: Letters of a formula that stand in the page.
LONGEST = 120
REMAKE = ".venv/bin/python tools/make_catalogue.py"


def catalogue_page(features: Mapping[str, Feature], settled: Mapping[str, Settled]) -> str:
    """The whole page. settled: what was measured, by name."""
    groups: dict[str, list[Feature]] = {}
    for one in features.values():
        groups.setdefault(one.group, []).append(one)
    lines = [*head(len(features), groups)]
    for group, members in groups.items():
        lines += ["", f"## {group}", "", *table(members, settled), "", *formulas(members)]
    return "\n".join(lines) + "\n"


def head(count: int, groups: Mapping[str, Sequence[Feature]]) -> Iterator[str]:
    yield "# The catalogue"
    yield ""
    yield f"<!-- made by {REMAKE}; do not edit -->"
    yield ""
    yield f"{count} features: " + ", ".join(f"[{group}](#{group}) {len(members)}" for group, members in groups.items()) + "."
    yield ""
    yield (
        f"**Warm-up**: finished bars of that timeframe until the value is used, with base bars of {BASE}; of a learned feature (*) what is "
        "expected before it has learned."
    )
    yield (
        f"**Settles**: base bars of {BASE} after which it was the same, within 1e-9 of its size, from {STARTS} later starts of history, of "
        f"those that it declared; measured on {DAYS} sessions of simulated {SYMBOL}, and another machine may need a few bars more or fewer."
    )
    yield f"**Formulas** longer than {LONGEST} letters are cut (`...`): `barsmith features describe NAME` shows them whole."
    yield "A file of scheduled events (`events: events.csv`) adds features of its own."


def table(members: Sequence[Feature], settled: Mapping[str, Settled]) -> Iterator[str]:
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|" + "---|" * len(COLUMNS)
    for one in members:
        bars, timeframe = one.warmup(BASE)
        known = settled.get(one.name)
        cells = (
            f"`{one.name}`{' *' if is_learned(one.expr) else ''}",
            one.summary,
            one.unit,
            one.source,
            f"{bars:,} of {timeframe}",
            f"{known.measured:,} of {known.declared:,}" if known else "not measured",
        )
        yield "| " + " | ".join(map(cell, cells)) + " |"


def cell(text: str) -> str:
    return text.replace("|", "\\|") or "-"


def formulas(members: Sequence[Feature]) -> Iterator[str]:
    """Folded away, and cut where they are long."""
    yield "<details><summary>formulas</summary>"
    yield ""
    for one in members:
        yield f"- `{one.name}`: `{beginning(formula(one.expr))}`"
    yield ""
    yield "</details>"


def beginning(text: str, most: int = LONGEST) -> str:
    """The text, or its first words and `...`."""
    return text if len(text) <= most else f"{text[: most - 4].rpartition(' ')[0]} ..."
