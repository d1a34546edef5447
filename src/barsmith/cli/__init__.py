"""The `barsmith` command: one thin file a verb, reports as tables or JSON, errors as exit codes."""

from barsmith.cli.app import main

__all__ = ["main"]
