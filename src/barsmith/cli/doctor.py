"""`barsmith doctor`: whether this machine and this workspace are fit, and what to do where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from barsmith.cli.options import Workspace
from barsmith.cli.printing import Report, Table


def doctor(workspace: Workspace = Path(".")) -> Report:
    """What this machine has, what is missing, and what to do about it."""
    from barsmith.cli.checkup import WRONG, examined

    findings = [one.as_dict() for one in examined(workspace)]
    rows: list[dict[str, Any]] = [{key: one[key] for key in ("check", "state", "found")} for one in findings]
    says: list[str | Table] = [Table(rows)]
    says += [f"{one['check']}: {one['do']}" for one in findings if one["do"]]
    wrong = any(one["state"] == WRONG for one in findings)
    says.append("something is wrong: see above" if wrong else "fit")
    return Report({"is_fit": not wrong, "checks": findings}, says, 1 if wrong else 0)
