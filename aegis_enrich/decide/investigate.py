"""What an analyst does with an alert of a rule: what would confirm it, what would refute it, what to do then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .source import Source
from .templates import filled, parse_templates


@dataclass(frozen=True)
class Investigate:
    """Plain sentences, with columns in braces as in titles; each list may be empty."""

    confirm: tuple[str, ...] = ()
    refute: tuple[str, ...] = ()
    respond: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.confirm or self.refute or self.respond)

    def filled(self, values: Mapping[str, Any]) -> Investigate:
        """The same with the columns filled in; `?` where there is no value. `seen.document_values` gives an alert's."""
        return Investigate(**{part: tuple(filled(text, values) for text in getattr(self, part)) for part in PARTS})


PARTS = tuple(f.name for f in fields(Investigate))


def parse_investigate(source: Source) -> Investigate:
    """The mapping `investigate` of a rule; problems are noted in `source`."""
    source.mapping("investigate")
    source.unknown_keys(PARTS, "investigate", of=" in investigate")
    return Investigate(**{part: parse_templates(source, part, "investigate") for part in PARTS})
