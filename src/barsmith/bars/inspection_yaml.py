"""The settings that ingest an inspected file, as YAML to keep: each with how sure it is, and what is asked beside it."""

from __future__ import annotations

import json
from typing import Any

from barsmith.bars.inspection import Inspection
from barsmith.bars.inspection_notes import UNKNOWN
from barsmith.bars.minutes import moment
from barsmith.bars.raw_file import PARQUET_SUFFIXES


def nested(settings: dict[str, Any]) -> dict[str, Any]:
    """`ingest.timezone` as {ingest: {timezone: ...}}."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        (out.setdefault(section, {}) if section else out)[name] = value
    return out


def yaml_of(found: Inspection) -> str:
    """The text of config/pipeline.yaml for a workspace whose data/raw/{SYMBOL}_1m holds the file."""
    symbol = found.settings.get("symbol", "SYMBOL")
    suffix = "parquet" if found.quality.format == PARQUET_SUFFIXES[0][1:] else "csv"
    lines = [f"# Made by `barsmith inspect`. The file belongs at data/raw/{symbol}_1m.{suffix}, this at config/pipeline.yaml."]
    lines.append("version: 1")
    for key, value in nested(found.settings).items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {scalar(name, each, found.certainty[f'{key}.{name}'])}" for name, each in value.items()]
        else:
            lines.append(scalar(key, value, found.certainty[key]))
    rolls = [f'"{moment(one.time):%Y-%m-%dT%H:%MZ}"' for one in found.suspects if one.certainty != "hidden"]
    if rolls:
        lines += ["# Suspected changes of contract; where they are true, take the # away:", f"# rolls: [{', '.join(rolls)}]"]
    lines += [f"# {question.setting}? {question.asks}" for question in found.questions]
    return "\n".join(line.encode("ascii", "backslashreplace").decode() for line in lines) + "\n"


def scalar(name: str, value: Any, certainty: str) -> str:
    return f"{name}: {json.dumps(value)}  # {certainty}{': see below' if certainty == UNKNOWN else ''}"
