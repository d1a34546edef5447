"""Settings as the command line names them: `--config FILE`, `--config -`, `--set`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from barsmith.errors import UsageError

if TYPE_CHECKING:
    from barsmith.config import Settings


def settings_of(workspace: Path, config: Path | None, overrides: Sequence[str] | None, stdin: bytes | None = None) -> Settings:
    """What a run in this workspace would be set to."""
    from barsmith.config_reading import load_settings

    if stdin is None and is_stdin(config):
        stdin = settings_text()
    file = None if is_stdin(config) else config
    return load_settings(workspace, config=file, stdin=stdin, overrides=list(overrides or ())).settings


def is_stdin(config: Path | None) -> bool:
    return config is not None and str(config) == "-"


def settings_text() -> bytes:
    """Standard input, where somebody has put settings into it."""
    text = b"" if sys.stdin.isatty() else sys.stdin.buffer.read((1 << 20) + 1)
    if not text.strip():
        raise UsageError(
            "cli/usage", expected="settings on standard input, since --config is -", came="nothing", do="pipe a YAML file into it"
        )
    return text
