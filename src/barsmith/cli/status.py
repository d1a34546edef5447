"""`barsmith status`: how far a run has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from barsmith.cli.options import Workspace
from barsmith.cli.printing import Report, Table


def status(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="A run of this workspace.", show_default="the latest")] = None,
    workspace: Workspace = Path("."),
) -> Report:
    """How far a run has come, stage by stage."""
    from barsmith.pipeline.api import status as state_of
    from barsmith.pipeline.run_folder import RunFolder

    state = state_of(workspace, run_id or RunFolder.latest(workspace))
    says: list[str | Table] = [f"{state['symbol']} run {state['run_id']}: {state['status']}, last change {state['updated']}"]
    columns = {"stage": "name", "status": "status", "seconds": "seconds", "rows": "rows", "peak MiB": "peak_mib"}
    says.append(Table([{title: stage[column] for title, column in columns.items()} for stage in state["stages"]]))
    whole = RunFolder.latest_whole(workspace, state["symbol"]) if state["only"] is not None else None
    if whole is not None:
        says.append(f"{state['only']} alone was made; all stages: barsmith status {whole}")
    if state["memory"]:
        says.append(f"peak MiB: {state['memory']}")
    if state.get("error"):
        error = state["error"]
        says.append(f"stopped by {error.get('code', '')}: {error.get('came', '')}; {error.get('do', 'see its log')}")
    return Report(state | {"whole_run": whole}, says)
