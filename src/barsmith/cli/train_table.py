"""What several trainings came to, side by side: scores with their intervals over the baselines, cost, and what failed and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from barsmith.cli.printing import Table

SCORES = ("accuracy", "log_loss", "auc_timing", "auc_direction")
EMPTY = {**dict.fromkeys(SCORES), "rounds": None, "device": "", "seconds": None, "MiB": None, "failure": ""}


def table_of(data: dict[str, Any]) -> list[str | Table]:
    """The table, then a sentence for each model that failed or is not installed, then how many were tried."""
    records = data["models"]
    done = [each for each in records if each["result"] is not None]
    rows = [row for each in records for row in rows_of(each)] + [{"model": name, **EMPTY, **row} for name, row in baselines(done)]
    title = f"{data['symbol']}, horizon {data['horizon']}: validation, 95 % intervals by drawing whole sessions"
    says: list[str | Table] = [Table(without_empty(rows), title)]
    for each in records:
        if each["status"] == "failed":
            error = each["error"]
            where = f"{error['where']}: " if error["where"] else ""
            says.append(
                f"failed: {each['model']}: {where}expected {error['expected']}, came {error['came']}; {error['do']} [{error['code']}]"
            )
        if each["status"] == "not-installed":
            says.append(f"not installed: {each['model']}: {each['error']['do']}")
        if each["result"] is not None and each["result"].get("tracking", {}).get("error"):
            says.append(f"not tracked: {each['model']}: {each['result']['tracking']['error']['came']}")
    if done:
        trials = max(each["result"]["trials"] for each in done)
        says.append(
            f"{trials} configurations have been scored on this contract and horizon so far: the best of many looks better than it is"
        )
    return says


def without_empty(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the columns that tell nothing: no failure, all on the CPU."""
    idle = {name for name, nothing in (("failure", ("",)), ("device", ("", "cpu"))) if all(row[name] in nothing for row in rows)}
    return [{key: value for key, value in row.items() if key not in idle} for row in rows]


def rows_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    result, error = record["result"], record["error"]
    if result is None:
        yield {"model": record["model"], **EMPTY, "failure": error["code"] if record["status"] == "failed" else "not installed"}
        return
    told = result["training"]
    cost = {"rounds": rounds_of(told), "device": told["device"], "seconds": round(record["seconds"]), "MiB": whole(result.get("peak_mib"))}
    yield {"model": record["model"], **{key: result["metrics"]["val"][key] for key in SCORES}, **cost, "failure": ""}
    yield {"model": "  95 %", **EMPTY, **{key: result["intervals"]["val"][key] for key in SCORES}}


def whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def rounds_of(told: dict[str, Any]) -> int | None:
    """Rounds or epochs that the model kept; None where it has none."""
    return None if told["best_iteration"] is None else told["best_iteration"] + 1


def baselines(done: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each baseline once; where models were judged on different rows (windows need a past) once for each number of rows."""
    by_rows = {each["result"]["rows"]["val"]: each["result"]["baselines"] for each in done}
    for count, those in by_rows.items():
        of = f" ({count:,} rows)" if len(by_rows) > 1 else ""
        for name, row in those.items():
            yield f"{name.replace('_', ' ')}{of}", {key: row[key] for key in SCORES}
