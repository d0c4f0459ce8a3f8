"""Labels in the rows themselves: the columns that Stratosphere adds to Zeek's logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from .hosts import Hosts
from .truth import Act

BAD = "malicious"
_UNSAID = {"", "-", "(empty)"}


def label_of(extra: str) -> str | None:
    """The detailed label of a malicious row, `malicious` where it has none; None of any other. `extra` is JSON.

    Columns `label` and `detailedlabel` (or `detailed-label`); or in one, three spaces between them, as in IoT-23.
    """
    named: dict[str, str] = {}
    for column, value in json.loads(extra).items():
        names, values = str(column).split("   "), str(value).split("   ")
        if len(names) == len(values):
            named |= zip((n.replace("-", "").replace("_", "") for n in names), values, strict=True)
    if named.get("label", "").strip().lower() != BAD:
        return None
    detailed = named.get("detailedlabel", "").strip()
    return BAD if detailed in _UNSAID else detailed


def labelled_acts(rows: Iterable[tuple[str, str, int, int]]) -> tuple[Act, ...]:
    """Of (orig_h, extra, first µs, last µs) of conn: an act per source and label, whomever it was done to."""
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    for source, label, first_us, last_us in _bad(rows):
        first, last = spans.get((source, label), (first_us, last_us))
        spans[source, label] = min(first, first_us), max(last, last_us)
    return tuple(_acts(spans))


def _bad(rows: Iterable[tuple[str, str, int, int]]) -> Iterator[tuple[str, str, int, int]]:
    known: dict[str, str | None] = {}  # few rows differ in it
    for source, extra, first_us, last_us in rows:
        if extra not in known:
            known[extra] = label_of(extra)
        label = known[extra]
        if label is not None:
            yield source, label, first_us, last_us


def _acts(spans: Mapping[tuple[str, str], tuple[int, int]]) -> Iterator[Act]:
    for (source, label), (first, last) in sorted(spans.items()):
        yield Act(what=label, who=Hosts(source), whom=None, start_us=first, end_us=last)
