"""How the command line is read: program options may stand before or after the verb, each option once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from barsmith.cli.limits import refuse_tight_limits
from barsmith.cli.printing import prints_to_stderr
from barsmith.errors import UsageError, did_you_mean

BEFORE = "barsmith.before"
"""Where a context keeps the program options that stood before the verb: the verb reads them as if they stood after it."""


class NoVerbError(UsageError):
    """Nothing was asked for."""

    def __init__(self, ctx: typer.Context) -> None:
        super().__init__("cli/usage", expected=f"`{ctx.command_path} VERB`", came="no verb", do=f"see `{ctx.command_path} --help`")
        self.ctx = ctx


class Verb(TyperCommand):
    """A verb: what stood before it counts as well, and nothing counts twice."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        args = [*ctx.meta.get(BEFORE, ()), *args]
        check_once(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        refuse_tight_limits()
        with prints_to_stderr():
            return super().invoke(ctx)


class Group(TyperGroup):
    """The program, or a family of verbs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            raise NoVerbError(ctx)
        check_once(self, ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            raise UsageError(
                "cli/usage", expected=f"a verb of `{ctx.command_path}`", came=ascii(args[0])[:60], do=did_you_mean(args[0], known)
            )
        return super().resolve_command(ctx, args)


def check_once(command: TyperCommand | TyperGroup, ctx: Any, args: Sequence[str]) -> None:
    """Refuse an option that is given twice, and a value that is empty or another option (`--horizon --set`): its own was forgotten."""
    values, _, order = command.make_parser(ctx).parse_args(args=list(args))
    options = [param for param in order if param.param_type_name == "option"]
    for param, count in Counter(options).items():
        name = max(param.opts, key=len)
        if count > 1 and not param.multiple:
            raise UsageError("cli/usage", expected=f"{name} once", came=f"it {count} times", do="keep one of them")
        given = values.get(param.name)
        for value in given if isinstance(given, list | tuple) else [given]:
            if isinstance(value, str) and (not value or value.startswith("--")):
                raise UsageError(
                    "cli/usage", expected=f"a value after {name}", came=ascii(value)[:60], do="write it, or leave the option out"
                )
