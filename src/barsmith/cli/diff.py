"""`barsmith diff`: what is not the same in two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from barsmith.cli.options import Workspace
from barsmith.cli.printing import Report, Table

TITLES = {
    "settings": "settings",
    "versions": "libraries",
    "inputs": "inputs",
    "rows": "rows of each stage",
    "splits": "rows of each split",
    "barriers": "barriers (horizon, what)",
    "label_shares": "share of labelled rows (split, horizon, label)",
    "idle_shares": "share of all rows (split, horizon, why no label)",
    "is_ready": "ready for training",
}
LISTS = {
    "added": "{what} only in b",
    "removed": "{what} only in a",
    "newly_kept": "{what} that b keeps and a dropped",
    "no_longer_kept": "{what} that a keeps and b dropped",
}


def diff(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="A run of this workspace.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="Another one.")],
    workspace: Workspace = Path("."),
) -> Report:
    """What differs between two runs: settings, code, inputs, rows, labels, features, findings. Exit code 0 either way."""
    from barsmith.pipeline.comparing import compare

    found = compare(workspace, run_a, run_b)
    says: list[str | Table] = [f"a is {run_a}", f"b is {run_b}", *found["notes"]]
    for part, title in TITLES.items():
        if found[part]:
            says.append(Table([{title: key, "a": said(a), "b": said(b)} for key, (a, b) in found[part].items()]))
    if found["code"]:
        says.append(Table([{"code": module, "runs in": ", ".join(one["stages"])} for module, one in found["code"].items()]))
    if found["stages"]:
        says.append(f"made of something else: {', '.join(found['stages'])}")
    for part in ("features", "findings"):
        says += [f"{LISTS[key].format(what=part)}: {', '.join(names)}" for key, names in found[part].items() if names]
    if found["is_same"]:
        says.append("nothing differs")
    return Report(found, says)


def said(value: Any) -> Any:
    """A hash by its first digits, a share as a share."""
    if isinstance(value, str) and len(value) == 64:
        return value[:12] + "..."
    return "none" if value is None else value if isinstance(value, int | float | str) else str(value)
