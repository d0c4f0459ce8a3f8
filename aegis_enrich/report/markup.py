"""HTML that is safe by construction: whatever is no `Markup` is escaped wherever it enters the page."""

from __future__ import annotations

import html
from collections.abc import Iterable

from ..visible import visible

VOID = frozenset({"br", "hr", "input", "meta"})


class Markup(str):
    """Text that is HTML already; made by `tag`, `escape` and `join` alone."""

    __slots__ = ()


NOTHING = Markup("")


def escape(value: object) -> Markup:
    """Any value as text of a page or of an attribute in quotes."""
    return value if isinstance(value, Markup) else Markup(html.escape(visible(str(value)), quote=True))


def join(parts: Iterable[object], between: object = NOTHING) -> Markup:
    """Parts one after the other, each escaped where it is no markup."""
    return Markup(escape(between).join(escape(p) for p in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element. Of attributes `class_` means `class`, `_` means `-`, True one without a value, None none at all."""
    written = "".join(_attribute(n, v) for n, v in attributes.items() if v is not None and v is not False)
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def _attribute(name: str, value: object) -> str:
    plain = name.rstrip("_").replace("_", "-")
    return f" {plain}" if value is True else f' {plain}="{escape(_number(value))}"'


def _number(value: object) -> object:
    """Lengths of plots to a tenth of a unit: nobody sees more, and every digit is sent."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0") if isinstance(value, float) else value
