"""Texts of rules with columns in braces, as titles, reasons and advice have them."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from .source import Source


def parse_template(source: Source, name: str, *key: str | int, required: bool = False) -> str:
    """The text `name` in the mapping at `key`; "" and a problem where its braces are wrong."""
    text = source.text(name, *key, required=required)
    return text if _sound(source, name, text, (*key, name)) else ""


def parse_templates(source: Source, name: str, *key: str | int) -> tuple[str, ...]:
    """A list of such texts, their runs of blanks as one."""
    texts = [" ".join(text.split()) for text in source.texts(name, *key)]
    return tuple(text for n, text in enumerate(texts) if _sound(source, name, text, (*key, name, n)))


def _sound(source: Source, name: str, text: str, at: tuple[str | int, ...]) -> bool:
    try:
        list(string.Formatter().parse(text))
    except ValueError as error:
        source.wrong(f"{name}: {error}; write columns as {{orig_h}} and a brace twice", *at)
        return False
    return True


def braced(text: str) -> list[str]:
    """The columns that a text names in braces."""
    return [name for _, name, _, _ in string.Formatter().parse(text) if name]


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A text with columns in braces filled in; `?` where there is no value."""
    parts = []
    for literal, name, _, _ in string.Formatter().parse(text):
        parts.append(literal)
        if name:
            value = values.get(name)
            shown = "?" if value is None else value
            parts.append(", ".join(map(str, shown)) if isinstance(shown, list) else str(shown))
    return "".join(parts)
