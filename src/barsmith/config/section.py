"""What every section of the settings is: a value, strict and frozen; and how what is wrong in one is said."""

from __future__ import annotations

import hashlib
import json
import re

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from barsmith.errors import UsageError

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


class Section(BaseModel):
    """Frozen, strict, and refuses what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: equal settings, equal fingerprints, on every machine."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()


def canonical(value: object) -> str:
    """The one JSON text of a value: keys sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def shown(value: object) -> str:
    """A value for a message: on one line, control characters escaped, never long."""
    text = json.dumps(value, default=str) if not isinstance(value, str) else ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def wrong(code: str, expected: str, came: str, do: str, key: str = "") -> PydanticCustomError:
    """What a validator raises; `config_reading` turns it into a UsageError. key: the dotted key at fault where the location does not say."""
    words = {"expected": expected, "came": came, "do": do, "key": key}
    return PydanticCustomError(code, "expected {expected}, came {came}; {do}", words)


def safe_name(name: str, what: str, code: str = "config/name") -> str:
    """`name` where it can be a folder's name on every system; else UsageError: names never become paths."""
    if _SAFE_NAME.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    raise UsageError(
        code,
        expected=f"a {what} of 1 to 64 letters, digits, dots, dashes or underscores that starts with a letter or digit",
        came=shown(name),
        do="choose another name",
    )
