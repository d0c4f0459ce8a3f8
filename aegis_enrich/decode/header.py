"""The header of a Zeek TSV log in force at a line; it travels from chunk to chunk as the decoder's context."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

_ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\\\")


@dataclass(frozen=True)
class Header:
    """`fields` is empty where none has been met; `types` is empty where the log has none (`tsv=T`)."""

    separator: str = "\t"
    set_separator: str = ","
    empty_field: str = "(empty)"
    unset_field: str = "-"
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @classmethod
    def from_context(cls, context: str) -> Header:
        if not context:
            return cls()
        values: dict[str, Any] = json.loads(context)
        return cls(**(values | {k: tuple(values[k]) for k in ("fields", "types")}))

    def to_context(self) -> str:
        """JSON text; empty where no header is in force."""
        return json.dumps(asdict(self), separators=(",", ":")) if self != Header() else ""

    def after(self, line: bytes) -> Header:
        """The header in force after a `#` line."""
        text = line.decode("utf-8", "backslashreplace").strip("\r\n").lstrip()
        if text.startswith("#separator"):
            return Header(separator=_separator(text.removeprefix("#separator")))
        name, _, value = text.partition(self.separator)
        values = tuple(value.split(self.separator))
        match name:
            case "#set_separator":
                return replace(self, set_separator=_unescaped(value) or ",")
            case "#empty_field":
                return replace(self, empty_field=value)
            case "#unset_field":
                return replace(self, unset_field=value)
            case "#fields":
                return replace(self, fields=values, types=())
            case "#types":
                return replace(self, types=values)
        return self

    def bare(self, line: bytes) -> Header:
        """The header in force after a line that is only names (`tsv=T`)."""
        return Header(fields=tuple(line.decode("utf-8", "backslashreplace").strip("\r\n").split("\t")))

    def type_of(self, position: int) -> str:
        return self.types[position] if position < len(self.types) else ""


def _separator(text: str) -> str:
    """A tab where what is declared cannot part fields."""
    separator = _unescaped(text.strip(" "))
    return separator if separator and not set(separator) & set("\r\n\0") else "\t"


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else "\\", text)
