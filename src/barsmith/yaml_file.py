"""Strict YAML: what a settings file says, where it says it, and nothing that YAML 1.1 would have guessed.

The booleans are `true` and `false`, numbers are plain decimals (`1e-3` is a float), everything else is text: no `NO` for
false, no 12:30 for 45000, no 1_000, no 0x10. Twice the same key, aliases, tags, NaN and infinity are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from barsmith.errors import UsageError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 10_000
MAX_DIGITS = 18

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NULL = ("", "~", "null", "Null", "NULL")
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_MISREAD = ("yes", "no", "on", "off")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A file's value and, for each path into it, the line it stands on (from 1)."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)


def read_yaml(data: bytes, where: str) -> Document:
    """The one document in `data`; an empty file is None. Raises UsageError `config/...` with `where` and the line."""
    if len(data) > MAX_BYTES:
        raise UsageError(
            "config/too-large",
            expected=f"at most {MAX_BYTES} bytes of YAML",
            came=f"{len(data)} bytes",
            do="keep settings in this file and data elsewhere",
            where=where,
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            "config/encoding",
            expected="UTF-8 text",
            came=f"the byte 0x{data[error.start]:02x}",
            do="save the file as UTF-8",
            where=f"{where} line {line}",
        ) from None
    return _Reader(text.replace("\r\n", "\n"), where).document()


def read_scalar_yaml(text: str, where: str) -> Any:
    """The value of `--set key=TEXT` or of an environment variable, by the same rules as in a file."""
    return read_yaml(text.encode("utf-8", "surrogateescape"), where).value


class _Loader(yaml.SafeLoader):
    """Composes nodes only: depth and count are capped on the way, so that a hostile file costs nothing."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where, self.depth, self.nodes = where, 0, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        at = f"{self.where} line {event.start_mark.line + 1}"
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(
                "config/too-large",
                expected="no aliases, since a few of them can grow a small file without end",
                came=f"*{event.anchor}",
                do="write the value out",
                where=at,
            )
        if self.nodes > MAX_NODES:
            raise UsageError("config/too-large", expected=f"at most {MAX_NODES} values", came="more", do="shorten the file", where=at)
        if self.depth >= MAX_DEPTH:
            raise UsageError(
                "config/too-deep", expected=f"at most {MAX_DEPTH} levels", came="a deeper nesting", do="flatten the file", where=at
            )
        if getattr(event, "tag", None) not in (None, "!"):
            raise UsageError("config/tag", expected="plain values", came=f"the tag {event.tag}", do="remove the tag", where=at)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Reader:
    """One walk over the composed nodes that builds the value and the map of lines."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where
        self.lines: dict[Path, int] = {}

    def document(self) -> Document:
        try:
            loader = _Loader(self.text, self.where)
            node = loader.get_single_node()
        except yaml.reader.ReaderError as error:
            line = self.text.count("\n", 0, error.position) + 1
            column = error.position - (self.text.rfind("\n", 0, error.position) + 1) + 1
            raise self.broken(f"the character U+{ord(chr(error.character)):04X}", line, column) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            raise self.broken(error.problem or error.context or "a text that is none", line, column) from None
        return Document(None if node is None else self.value(node, ()), self.lines)

    def broken(self, problem: str, line: int, column: int) -> UsageError:
        tab = " (YAML is indented with spaces, never with tabs)" if "\\t" in problem else ""
        return UsageError(
            "config/syntax",
            expected="one YAML document",
            came=problem + tab,
            do="correct the file there",
            where=f"{self.where} line {line}, column {column}",
        )

    def at(self, node: Any) -> str:
        return f"{self.where} line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"

    def value(self, node: Any, path: Path) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        return self.scalar(node)

    def mapping(self, node: Any, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, child in node.value:
            key = key_node.value
            if not isinstance(key, str) or (key_node.style is None and key in _NULL):
                raise UsageError(
                    "config/type", expected="text as a key", came="a list, a mapping or nothing", do="name the key", where=self.at(key_node)
                )
            line = key_node.start_mark.line + 1
            if key in seen:
                raise UsageError(
                    "config/duplicate-key",
                    expected=f"{key!a} once",
                    came=f"it twice, on line {seen[key]} and on line {line}",
                    do="keep one of the two",
                    where=f"{self.where} line {line}",
                )
            seen[key] = line
            out[key] = self.value(child, (*path, key))
            self.lines[(*path, key)] = line
        return out

    def scalar(self, node: Any) -> Any:
        text: str = node.value
        if node.style is not None:  # quoted or a block: text, whatever it looks like
            return text
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if text.lower() in _MISREAD:
            raise UsageError(
                "config/type",
                expected="true, false or text in quotes",
                came=f"{text} without quotes, which some YAML readers take for {'true' if text.lower() in ('yes', 'on') else 'false'}",
                do=f'write "{text}" in quotes, or true or false',
                where=self.at(node),
            )
        if _INTEGER.fullmatch(text):
            if len(text.lstrip("+-")) > MAX_DIGITS:
                raise UsageError(
                    "config/out-of-range",
                    expected=f"a number of at most {MAX_DIGITS} digits",
                    came=f"one of {len(text.lstrip('+-'))} digits",
                    do="write a smaller number",
                    where=self.at(node),
                )
            return int(text)
        if _FLOAT.fullmatch(text) and not re.fullmatch(r"[-+]?0[0-9]+", text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                raise self.not_finite(node)
            return number
        if _NOT_FINITE.fullmatch(text):
            raise self.not_finite(node)
        return text

    def not_finite(self, node: Any) -> UsageError:
        return UsageError("config/non-finite", expected="a finite number", came=node.value[:40], do="write a number", where=self.at(node))
