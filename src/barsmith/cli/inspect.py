"""`barsmith inspect`: what a file of bars is, and the settings that ingest it."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.options import Config, Overrides, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.settings import settings_of
from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.bars.inspection import Inspection


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Raw one-minute bars of any vendor, Parquet or CSV.", show_default=False)],
    symbol: Annotated[
        str | None, typer.Option("--symbol", metavar="SYMBOL", help="Whose bars they are.", show_default="what the file or its name says")
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
) -> Report:
    """Find out what a file of bars is: columns, zone, stamps, session, tick, contracts, rolls, dirt; and print the YAML that ingests it."""
    from barsmith.bars.inspection import inspect_file
    from barsmith.bars.inspection_yaml import yaml_of
    from barsmith.instruments import instruments

    if symbol is not None and not re.fullmatch(r"[A-Z][A-Z0-9]{0,11}", symbol):
        expected = "a contract's symbol in capital letters and digits, as MES"
        raise UsageError("cli/symbol", expected=expected, came=ascii(symbol)[:60], do="correct --symbol")
    found = inspect_file(file, symbol=symbol, known=instruments(settings_of(workspace, config, overrides)))
    text = yaml_of(found)
    return Report(as_data(found, text), [*says(found), "", *text.splitlines()])


def as_data(found: Inspection, text: str) -> dict[str, Any]:
    from barsmith.bars.inspection_yaml import nested

    quality = found.quality.as_dict()
    return {
        "file": found.source,
        "findings": [asdict(finding) for finding in found.findings],
        "questions": [asdict(question) for question in found.questions],
        "settings": nested(found.settings),
        "yaml": text,
        "dirt": quality["warnings"],
        "rolls": quality["rolls"],
        "suspected_rolls": [suspect.as_dict() for suspect in found.suspects],
        "quality": {key: value for key, value in quality.items() if key not in ("warnings", "rolls")},
    }


def says(found: Inspection) -> list[str | Table]:
    """What a reader sees above the YAML."""
    from barsmith.bars.minutes import moment

    out: list[str | Table] = [f"{found.source}"]
    out.append(Table([{"what": f.what, "found": f.found or "?", "how sure": f.certainty, "because": f.evidence} for f in found.findings]))
    dirt = [
        {"dirt": warned.code, "count": warned.count, "what": warned.note, "first": warned.first[0] if warned.first else ""}
        for warned in found.quality.warnings
    ]
    out.append(Table(dirt, "Dirt") if dirt else "no dirt: every row is a bar, once, in order, inside the session, on its tick")
    rolls = [
        {"roll": f"{moment(r['time']):%Y-%m-%d %H:%M} UTC", "from": r["from"], "to": r["to"], "old close": r["old_close"], "new close": r["new_close"],
         "gap": None if r["old_close"] is None else round(r["new_close"] - r["old_close"], 9),
         "what is done": "features adjusted by the ratio of these closes" if r["old_close"] else "no common minute: ratio of first open to last close"}
        for r in found.quality.rolls
    ]  # fmt: skip
    if rolls:
        out.append(Table(rolls, "Rolls"))
    suspects = [
        {"suspected roll": f"{moment(s.time):%Y-%m-%d %H:%M} UTC", "how sure": s.certainty, "gap": round(s.gap, 9), "times the usual": round(s.jump, 1),
         "thinnest volume": f"{s.thin:.0%}", "minutes missing": s.hole, "expiry": s.expiry} for s in found.suspects
    ]  # fmt: skip
    if suspects:
        out.append(Table(suspects, "Changes of contract that the file does not mark (nothing is done about them)"))
    out += [f"? {question.setting}: {question.asks}" for question in found.questions]
    return out
