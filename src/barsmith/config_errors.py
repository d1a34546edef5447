"""Pydantic's complaints in this house's words: a code, what was expected, what came, what to do."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from barsmith.config import SPLIT_KEYS, Section, Settings, shown
from barsmith.errors import did_you_mean

Keys = tuple[str | int, ...]
_MARKS = ("times", "symbols", "[key]", "int", "float", "str")  # of pydantic's own, for the side of a union
_SECRETS = ("key", "secret", "token", "password", "credential")


def complaint(error: ValidationError) -> tuple[Keys, str, str, str, str]:
    """The first complaint: the keys that lead to it, code, expected, came, do."""
    problems = error.errors()
    keys: Keys = tuple(part for part in problems[0]["loc"] if part not in _MARKS)
    keys = keys or tuple(filter(None, problems[0].get("ctx", {}).get("key", "").split(".")))
    code, expected, came, do = _words(problems[0], keys)
    return keys, code, expected, came, do + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")


def _words(problem: Any, keys: Keys) -> tuple[str, str, str, str]:
    kind, value, context = str(problem["type"]), problem.get("input"), problem.get("ctx", {})
    name = str(keys[-1]) if keys else ""
    if "/" in kind:
        return kind, context["expected"], context["came"], context["do"]
    if kind == "extra_forbidden":
        return _unknown(name, keys)
    if kind == "missing":
        return "config/missing", f"the key {name}", "none", f"add {name}"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return _seed(name, "config/out-of-range"), _range(keys), shown(value), "choose a value in the range"
    if kind == "finite_number":
        return "config/non-finite", "a finite number", str(value), "write a number"
    if kind == "literal_error":
        known = _choices(getattr(_field(keys), "annotation", None))
        return "config/unknown-name", "one of " + ", ".join(known), shown(value), did_you_mean(str(value), known)
    if isinstance(value, str) and value.lower().lstrip("+-.") in ("nan", "inf", "infinity") and _wants_number(kind):
        return "config/non-finite", "a finite number", shown(value), "write a number"
    do = "correct the value"
    if isinstance(value, str) and _wants_number(kind):
        do = "write a plain decimal number without quotes (no 1_000, no 0x10, no 12:30)"
    elif isinstance(value, float) and kind.startswith("int"):
        do = "write it without a point or exponent"
    return _seed(name, "config/type"), _KINDS.get(kind.split("_")[0], "another kind of value"), shown(value), do


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "keys and values",
    "model": "keys and values",
    "datetime": "a time in quotes, as 2026-03-12T06:00Z",
}


def _seed(name: str, code: str) -> str:
    return "config/seed" if name == "random_seed" else code


def _wants_number(kind: str) -> bool:
    return kind.startswith(("int", "float"))


def _unknown(name: str, keys: Keys) -> tuple[str, str, str, str]:
    if any(word in name.lower() for word in _SECRETS):
        return (
            "config/secret",
            "settings without secrets",
            f"the key {shown(name)}",
            "take it out of the file (its value is not shown here)",
        )
    if name in ("include", "extends"):
        return "config/include", "all settings in one file", f"the key {shown(name)}", "copy what it names into this file"
    model = _model_at(keys[:-1])
    known = [*model.model_fields, *(SPLIT_KEYS if model is Settings else ())] if model else []
    return "config/unknown-key", "a known key", shown(name), did_you_mean(name, known)


def section_of(annotation: Any) -> type[Section] | None:
    """The section in an annotation: itself, or the values of a mapping, or one side of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if issubclass(annotation, Section) else None
    return next((model for model in map(section_of, get_args(annotation)) if model is not None), None)


def _model_at(keys: Keys) -> type[Section] | None:
    model: type[Section] | None = Settings
    for key in keys:
        if model is not None and key in model.model_fields:
            model = section_of(model.model_fields[str(key)].annotation)
    return model


def _field(keys: Keys) -> Any:
    names = [key for key in keys if isinstance(key, str)]
    model = _model_at(tuple(names[:-1]))
    return model.model_fields.get(names[-1]) if model else None


def _constraints(annotated: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in [*getattr(annotated, "metadata", ()), *getattr(annotated, "__metadata__", ())]:
        for bound in ("gt", "ge", "lt", "le"):
            for holder in (part, *getattr(part, "metadata", ())):
                if getattr(holder, bound, None) is not None:
                    found[bound] = getattr(holder, bound)
    for part in get_args(getattr(annotated, "annotation", annotated)):
        if not found:
            found = _constraints(part)
    return found


def _range(keys: Keys) -> str:
    found = _constraints(_field(keys))
    low = f"above {found['gt']:g}" if "gt" in found else f"at least {found.get('ge', 0):.12g}"
    high = f"below {found['lt']:g}" if "lt" in found else f"at most {found['le']:.12g}" if "le" in found else "any size"
    return f"a number {low} and {high}"


def _choices(annotation: Any) -> list[str]:
    """The words of every Literal in an annotation: itself, what a list holds, or one side of a union."""
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for part in get_args(annotation) for choice in _choices(part)]
