"""`barsmith features audit`: whether any feature knows more at a bar than could be known there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
) -> Report:
    """Look for leaks: every feature of your own files (--module), or of the shipped catalogue, on the raw bars of a contract."""
    from barsmith.pipeline.auditing import audit as audited

    settings = settings_of(workspace, config, overrides)
    with Steps() as steps:
        found = audited(workspace, symbol=symbol, settings=settings, modules=modules or (), tell=steps.tell)
    return Report(found.as_dict(), sentences(found), 0 if found.is_clean else DataError.exit_code)


def sentences(found: AuditReport) -> list[str | Table]:
    """What a reader is told: what was checked, what was found, what to do about it."""
    says: list[str | Table] = [
        f"audited {found.audited}: {found.features} features at {found.checked_bars:,} base bars in {found.seconds:.0f} s",
        *(f"  {each}" for each in found.did),
    ]
    if found.settling:
        says.append(Table(settling(found), "Settling, in base bars, from later starts of history"))
    if found.rounding:
        says.append(f"within rounding (not leaks): {', '.join(f'{name} {size:.1g}' for name, size in sorted(found.rounding.items()))}")
    if found.is_clean:
        return [*says, "no leak found"]
    says.append(Table([leak.as_dict() for leak in found.leaks], "Leaks"))
    says += [f"{leak.feature}: {leak.told}" for leak in found.leaks if leak.told]
    return [*says, *advice(found.leaks), f"{len(found.leaks)} leaks in {len({leak.feature for leak in found.leaks})} features"]


def settling(found: AuditReport) -> list[dict[str, Any]]:
    return [{"feature": name, "measured": bars["measured"], "declared": bars["declared"]} for name, bars in found.settling.items()]


def advice(leaks: tuple[Leak, ...]) -> list[str]:
    """One sentence for each kind that was found."""
    from barsmith.features.audit.findings import KINDS

    return [f"{kind}: {KINDS[kind]}" for kind in dict.fromkeys(leak.kind for leak in leaks)]
