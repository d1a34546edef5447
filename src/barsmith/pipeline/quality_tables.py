"""What the report says about the bars themselves: what was read, dropped, missing, and where the contract changed or may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from barsmith.bars.minutes import moment
from barsmith.pipeline.page import shown

MEANING = {
    "source": "the file that was read",
    "format": "the layout of the file",
    "size_bytes": "its size in bytes",
    "sha256": "the SHA-256 of its bytes",
    "rows_read": "rows in the file",
    "rows_kept": "rows left after the next six lines",
    "duplicates": "rows that a later row of the same minute replaces",
    "quarantined": "rows whose prices, volume or time cannot be; put aside in ingest/rejects.parquet",
    "unfinished": "minutes that were still running when the file was read; left out",
    "spreads": "rows of calendar spreads, whose prices are differences; left out",
    "other_contracts": "rows of contracts that were not in front; left out",
    "unchosen": "rows of a first session, before which no contract was in front; left out",
    "repaired": "rows kept whose high and low were widened to hold open and close",
    "first": "the first minute",
    "last": "the last minute",
    "timestamps": "what the file's times mark: the open or the close of their minute",
    "timezone": "the zone in which the file's times are written; everything here is UTC",
    "separator": "between the columns of the file",
    "decimal": "the file's decimal sign",
    "out_of_session": "minutes outside the contract's sessions; left out",
    "thin": "minutes with less volume than clean.min_volume; left out",
    "outliers": "minutes that reach far from the close before (clean.outlier_ranges)",
    "outliers_dropped": "of these, left out",
    "minutes": "minutes that every later step reads",
    "filled": "minutes made from the one before to fill a short gap",
    "sessions": "sessions with at least one minute",
    "empty_sessions": "sessions of the exchange calendar without any minute, between the first and the last",
    "missing_minutes": "minutes without a bar inside the sessions that have any; nobody may have traded, or they are lost",
    "dropped_sessions": "sessions left out for a hole in them",
    "rolls": "changes of contract that are known",
    "guessed_rolls": "of these, with a price ratio that is not known but taken from the prices before and after",
}


def quality_rows(quality: Mapping[str, Any], cleaned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every count and name of reading and cleaning with its meaning."""
    read = {name: value for name, value in quality.items() if isinstance(value, int | str) and value != ""}
    counted = {name: value for name, value in cleaned.items() if isinstance(value, int) and name != "rows"}
    rows = [
        {"fact": name.replace("_", " "), "value": shown(value), "meaning": MEANING.get(name)} for name, value in (read | counted).items()
    ]
    days = cleaned.get("doubtful_days", [])
    meaning = "days on which many minutes fell outside the sessions: is the calendar right there (sessions.exceptions)?"
    return rows + ([{"fact": "doubtful days", "value": ", ".join(days), "meaning": meaning}] if days else [])


def suspect_rows(cleaned: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"time": utc(one["time"]), "how sure": one["certainty"], "price gap": one["gap"], "times the usual": one["jump"],
         "volume of the thinner session": one["thin"], "minutes missing": one["hole"], "expiry": one["expiry"]} for one in cleaned.get("suspected_rolls", [])
    ]  # fmt: skip


def outlier_rows(cleaned: Mapping[str, Any]) -> list[dict[str, Any]]:
    done = "left out" if cleaned.get("outliers_dropped") else "kept and counted"
    return [{"minute": utc(minute), "done": done} for minute in cleaned.get("first_outliers", [])]


def utc(text: str) -> str:
    """`2025-09-11 04:08 UTC` of `2025-09-11T04:08Z`."""
    return text.replace("T", " ").replace("Z", " UTC")


def roll_row(roll: Mapping[str, Any], chosen: list[dict[str, Any]]) -> dict[str, Any]:
    """One change of contract: when, from which to which, the gap in price, the ratio, and what was done. chosen: see `Quality.rolls`."""
    both = next((one for one in chosen if one["time"] == roll["time"] and one["common_minute"] is not None), None)
    old, new = (both["old_close"], both["new_close"]) if both else (roll["last_close"], roll["first_open"])
    if both:
        known = f"yes: both closes of {moment(both['common_minute']):%Y-%m-%d %H:%M} UTC, the last minute that both have"
    else:
        known = "yes: given in the file" if roll["known"] else "no: first open over last close, so the market's own move is in it"
    return {
        "time": f"{moment(roll['time']):%Y-%m-%d %H:%M} UTC",
        "from": roll["from"],
        "to": roll["to"],
        "old price": old,
        "new price": new,
        "price gap": round(new - old, 9),
        "ratio": roll["ratio"],
        "ratio known": known,
    }
