"""`barsmith features audit`: whether any feature knows more at a bar than could be known there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barsmith.cli.options import Config, Modules, Overrides, Symbol, Workspace
from barsmith.cli.printing import Report, Table
from barsmith.cli.progress import Steps
from barsmith.cli.settings import settings_of
from barsmith.errors import DataError

if TYPE_CHECKING:
    from barsmith.features.audit.findings import AuditReport, Leak


def audit(
    modules: Modules = None,
    symbol: Symbol = None,
    config: Config = None,
    overrides: Overrides = None,
    workspace: Workspace = Path("."),
    all_settling: Annotated[bool, typer.Option("--settling", help="Show how many bars every feature needed to settle.")] = False,
) -> Report:
    """Look for leaks: every feature of your own files (--module), or of the shipped catalogue, on the raw bars of a contract."""
    from barsmith.pipeline.auditing import audit as audited

    settings = settings_of(workspace, config, overrides)
    with Steps() as steps:
        found = audited(workspace, symbol=symbol, settings=settings, modules=modules or (), tell=steps.tell)
    return Report(found.as_dict(), sentences(found, all_settling=all_settling), 0 if found.is_clean else DataError.exit_code)


def sentences(found: AuditReport, *, all_settling: bool = False) -> list[str | Table]:
    """What a reader is told: the verdict, what was found and what to do about it, what was checked, and the verdict again."""
    at = f"{found.features} features at {found.checked_bars:,} base bars in {found.seconds:.0f} s"
    says: list[str | Table] = [f"{verdict(found)}: {found.audited}, {at}", *(f"  {each}" for each in found.did)]
    if rows := settling(found.settling if all_settling else found.outside_warmup):
        says.append(Table(rows, f"Settling, in base bars, from later starts of history{'' if all_settling else ': longer than declared'}"))
    elif found.settling:
        says.append(f"  {len(found.settling)} settle within their declared warm-up (--settling for the table)")
    if found.rounding:
        worst = max(found.rounding, key=lambda name: found.rounding[name])
        says.append(f"  within rounding, which is no leak: {len(found.rounding)} features, {worst} most with {found.rounding[worst]:.1g}")
    if found.leaks:
        says.append(Table([leak.as_dict() for leak in found.leaks], "Leaks"))
        says += [f"{leak.feature}: {leak.told}" for leak in found.leaks if leak.told]
        says += advice(found.leaks)
    if found.unchecked:
        says.append(f"not checked to the end, or without a value in these bars, which is no pass: {', '.join(found.unchecked)}")
    return [*says, verdict(found)]


def verdict(found: AuditReport) -> str:
    if found.is_clean:
        return "no leak found"
    return f"{len(found.leaks)} leaks in {len({leak.feature for leak in found.leaks})} features"


def settling(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"feature": name, "measured": bars["measured"], "declared": bars["declared"]} for name, bars in found.items()]


def advice(leaks: tuple[Leak, ...]) -> list[str]:
    """One sentence for each kind that was found."""
    from barsmith.features.audit.findings import KINDS

    return [f"{kind}: {KINDS[kind]}" for kind in dict.fromkeys(leak.kind for leak in leaks)]
