"""Suppressions: what is known and wanted at this site, with its reason and, if it has one, its last day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..plugin import DAY_US
from .conditions import Conditions, parse
from .source import Key, Source

EPOCH_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Suppression:
    """What is known to be harmless, until a day of event time (UTC, held through); `rules` empty: for every rule."""

    where: Conditions
    reason: str
    author: str = ""
    expires: date | None = None
    rules: tuple[str, ...] = ()

    def covers(self, values: Mapping[str, Any], time_us: int) -> bool:
        """Whether it holds for these values at a time of event time (µs)."""
        return (self.expires_us is None or time_us < self.expires_us) and self.where.hold(values)

    def mask(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which rows it covers, by their `end_ts`."""
        covered = self.where.mask(rows)
        if self.expires_us is None:
            return covered
        return pc.and_(covered, pc.less(rows["end_ts"].cast(pa.int64()), self.expires_us))

    @property
    def expires_us(self) -> int | None:
        """The end of its last day, in µs since the epoch."""
        return None if self.expires is None else (self.expires - EPOCH_DAY + timedelta(days=1)).days * DAY_US


def parse_suppressions(source: Source, items: Any, *key: str, site: bool = False) -> tuple[Suppression, ...]:
    """A list of suppressions: those of a rule, or, with `site`, those of suppress.yml, which name rules."""
    if not isinstance(items, list):
        source.wrong("a list of suppressions is expected; rules/README.md shows one", *key)
        return ()
    allowed = ("where", "reason", "author", "expires", *(("rule",) if site else ()))
    found = []
    for number, item in enumerate(items):
        at: Key = (*key, number)
        if not isinstance(item, dict):
            source.wrong("a suppression is a mapping with where and reason", *at)
            continue
        source.unknown_keys(allowed, *at, of=" in a suppression")
        found.append(
            Suppression(
                parse(source, item.get("where"), *at, "where"),
                source.text("reason", *at, required=True),
                source.text("author", *at),
                source.day("expires", *at),
                source.texts("rule", *at) if site else (),
            )
        )
    return tuple(found)
