"""Alerts that are there already, under the suppressions that are in force now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .document import Describe
from .fold import Fold
from .rules import Rule, RuleSet
from .seen import Seen, document_values
from .suppression import Suppression

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def suppressed_document(rules: RuleSet, doc: Mapping[str, Any]) -> Suppression | None:
    """The suppression in force that covers an alert document, if one does: as it is shown, at its last row's time.

    What several sensors saw is covered where it is for each of them.
    """
    rule_id = str(doc["rule"]["id"])
    rule = rules.get(rule_id) or next((r for r in rules.off if r.id == rule_id), None)
    of_site = [s for s in rules.suppress if not s.rules or rule_id in s.rules]
    values = document_values(doc)
    last_us = (datetime.fromisoformat(doc["aegis"]["last_seen"]) - EPOCH) // timedelta(microseconds=1)
    return _covering(rules.suppressions(rule) if rule else of_site, values, doc["aegis"]["sensors"], last_us)


def suppressed_fold(
    rules: RuleSet, rule: Rule, fold: Fold, entity: Mapping[str, Any], describe: Describe
) -> Suppression | None:
    """The same of what the state holds of a finding, or of the rows of a row rule."""
    evidence = fold.best["evidence"]
    values = {**evidence, **{f"evidence.{n}": v for n, v in evidence.items()}, "score": fold.best["score"]}
    seen = Seen({**values, **fold.best["context"], **entity}, describe)
    return _covering(rules.suppressions(rule), seen, fold.sensors, fold.last_us)


def _covering(
    suppressions: Sequence[Suppression], values: Mapping[str, Any], sensors: Iterable[str], last_us: int
) -> Suppression | None:
    if not suppressions:
        return None
    found = [_first(suppressions, {**values, "sensor": sensor}, last_us) for sensor in sensors]
    return found[0] if found and all(found) else None


def _first(suppressions: Sequence[Suppression], values: Mapping[str, Any], time_us: int) -> Suppression | None:
    return next((s for s in suppressions if s.covers(values, time_us)), None)


def unsuppressed(rules: RuleSet, documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alert documents that no suppression in force covers."""
    return [doc for doc in documents if suppressed_document(rules, doc) is None]


def with_reason(doc: dict[str, Any], suppression: Suppression) -> dict[str, Any]:
    """The document, with what suppresses it in `aegis.suppressed`."""
    expires = str(suppression.expires or "")
    said = {"reason": suppression.reason, "author": suppression.author, "expires": expires}
    return {**doc, "aegis": {**doc["aegis"], "suppressed": {k: v for k, v in said.items() if v}}}
