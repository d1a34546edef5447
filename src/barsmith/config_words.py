"""A setting in words for its readers: type and limits from a JSON schema, its purpose from the comments of a YAML file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_LIMITS = {"exclusiveMinimum": "above {:,}", "minimum": "at least {:,}", "exclusiveMaximum": "below {:,}", "maximum": "at most {:,}"}
_KINDS = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}


def leaves(schema: dict[str, Any], known: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Dotted key and schema of each setting, in the order of the code. known: the schema's `$defs`."""
    for name, one in schema["properties"].items():
        inner = resolved(one, known)
        if "properties" in inner:
            yield from leaves(inner, known, f"{at}{name}.")
        else:
            yield f"{at}{name}", one


def resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    return known[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def form_of(schema: dict[str, Any], known: dict[str, Any]) -> str:
    """`number above 0, at most 100`."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    words = " or ".join(dict.fromkeys(one_form(resolved(one, known), known) for one in options))
    return words + (" or null" if "anyOf" in schema and len(options) < len(schema["anyOf"]) else "")


def one_form(schema: dict[str, Any], known: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{as_yaml(value)}`" for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or next(iter(schema.get("prefixItems", ())), None)
        return f"list of {form_of(items, known)}s" if items else "list"
    if kind == "object":
        return "by name"
    if kind is None:
        return "any value"
    return ", ".join([_KINDS[kind], *(text.format(whole(schema[name])) for name, text in _LIMITS.items() if name in schema)])


def whole(number: float) -> float:
    return int(number) if number == int(number) else number


def as_yaml(value: Any) -> str:
    """A plain value as a YAML file has it: `true`, `null`, `[64, 32]`, `auto`."""
    return value if isinstance(value, str) else json.dumps(value, default=str).replace('"', "")


def comments(text: str) -> dict[str, str]:
    """Dotted key -> the comment at its line and on the lines that go on with it; where there is none, the comment lines just above."""
    found: dict[str, str] = {}
    path: list[str] = []
    above: list[str] = []
    last = ""
    for line in text.splitlines():
        match = re.match(r"^( *)([A-Za-z_0-9]+):(.*?)(?:\s# ?(.*))?$", line)
        going_on = re.match(r"^\s{8,}# ?(.*)$", line)
        if match:
            path = [*path[: len(match[1]) // 2], match[2]]
            last = ".".join(path)
            said = match[4] or " ".join(above)
            if said:
                found[last] = said
            above = []
        elif going_on and last in found:
            found[last] += " " + going_on[1]
        elif line.startswith("# "):
            above.append(line[2:])
        else:
            above = []
    return found
