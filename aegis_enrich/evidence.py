"""The kinds of what evidence holds, so that sinks can index each number as a number and each address as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .prefixes import is_address

# A list is of the kind of what is in it.
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "addr": lambda value: isinstance(value, str) and is_address(value),
    "bool": lambda value: isinstance(value, bool),
    "count": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "double": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
}
KINDS = tuple(sorted(_FITS))


def typed(**names: str) -> dict[str, str]:
    """Names of evidence to their kinds, from the names of each kind in one text: `count="rows hours", bool="new"`."""
    return {name: kind for kind, text in names.items() for name in text.split()}


def misfits(evidence: Mapping[str, Any], kinds: Mapping[str, str]) -> list[str]:
    """What of it is not declared, or is not what is declared, a sentence each; a null fits."""
    found = []
    for name, value in evidence.items():
        kind = kinds.get(name)
        each = value if isinstance(value, list) else [value]
        if kind is None:
            found.append(f"evidence {name!r} is not declared; declare it in `evidence` as one of {', '.join(KINDS)}")
        elif not all(v is None or _FITS[kind](v) for v in each):
            found.append(f"evidence {name!r} is {value!r}, which is no {kind}")
    return found
