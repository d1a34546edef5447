"""What a data run has made, told to a reader: is it ready to be trained on, and what stands in it."""

from __future__ import annotations

from typing import Any

from barsmith.pipeline import data_pictures as draw
from barsmith.pipeline.data_facts import Facts
from barsmith.pipeline.data_sections import sections
from barsmith.pipeline.page import picture, sentence, shown, table
from barsmith.pipeline.tuning_report import surface


def lead(facts: Facts) -> str:
    first, last = facts.bars["datetime"][0], facts.bars["datetime"][-1]
    ready = "NOT ready to be trained on" if facts.errors else "ready to be trained on"
    return f"{facts.symbol}, {len(facts.bars):,} bars of {facts.base} from {first:%Y-%m-%d} to {last:%Y-%m-%d}: {ready}."


def reasons(facts: Facts) -> list[str]:
    """Why it is ready or not, and what to know before training."""
    warned = len(facts.findings) - len(facts.errors)
    lines = [f"Error: {error['what']}." for error in facts.errors]
    if not lines:
        lines.append("None of the checks found an error.")
    if warned:
        lines.append(f"{warned} warning{'s' if warned > 1 else ''}: see Findings.")
    suspects = len(facts.cleaned.get("suspected_rolls", []))
    if suspects:
        lines.append(
            f"At {suspects} place{'s' if suspects > 1 else ''} the contract may have changed without a mark in the file: see Suspected changes of contract."
        )
    not_here = f"barsmith validate --symbols {facts.symbol} and barsmith features audit --symbol {facts.symbol}"
    return [*lines, f"The run's own checks are not all there are: see Leak audit for those of {not_here}."]


def markdown(facts: Facts) -> str:
    """The report as text."""
    lines = [f"# Data run of {facts.symbol}", "", lead(facts), "", *(f"- {line}" for line in (*reasons(facts), *facts.tuning.lines())), ""]
    for section in sections(facts):
        names = list(section.rows[0])
        lines += [f"## {section.heading}", "", section.says, "", "| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
        lines += ["| " + " | ".join(shown(row.get(name)).replace("|", "\\|") for name in names) + " |" for row in section.rows]
        lines.append("")
    return "\n".join(lines)


def html_sections(facts: Facts) -> list[tuple[str, list[str]]]:
    """Headings with what they say, pictures and tables."""
    drawn = pictures(facts)
    mood = "bad" if facts.errors else "good"
    verdict = [*(sentence(line, mood if i == 0 else "") for i, line in enumerate(reasons(facts))), *map(sentence, facts.tuning.lines())]
    parts = [
        (one.heading, [sentence(one.says, "says"), *(drawn_as(*each) for each in drawn.get(one.heading, [])), table(one.rows)])
        for one in sections(facts)
    ]
    return [("Ready or not, and why", verdict), *parts]


def pictures(facts: Facts) -> dict[str, list[tuple[Any, str, int]]]:
    """By heading: figure, its id in the page, its height in pixels."""
    found = {
        "Price, sessions and splits": [(draw.price(facts), "price", 400)],
        "Labels before the test split": [(draw.label_shares(facts), "shares", 320), (draw.shares_by_hour(facts), "hours", 320)],
        "Sample weights of train": [(draw.weights(facts), "weights", 320)],
        "Drift from train to validation": [(draw.drift(facts), "drift", 460)] if facts.drift else [],
        "Feature importance": [(draw.leaned_on(facts), "importance", 520)] if facts.importance else [],
        "Correlation clusters": [(draw.alike(facts), "alike", 620)] if facts.clusters else [],
    }
    if facts.tuning.search:
        found["Barriers: the search on train"] = [(surface(facts.tuning, h), f"surface-{h}", 320) for h in facts.tuning.search]
    return found


def drawn_as(figure: Any, name: str, height: int) -> str:
    """A picture that a thumb can scroll past: no dragging in it."""
    figure.update_layout(dragmode=False).update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)
    return picture(figure, name, height)
