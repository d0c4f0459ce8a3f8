"""What the rules in force say on how to investigate an alert of an incident."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..decide.investigate import Investigate
from ..decide.rules import RuleSet
from ..decide.seen import document_values
from ..store import Store
from .story import Advice


def adviser(store: Store, rules: RuleSet) -> Advice:
    """Looks an alert up in the state and fills its columns into its rule's sentences."""

    def advice(alert: Mapping[str, Any]) -> Investigate | None:
        rule = rules.get(alert["rule"])
        rows = store.query("SELECT document FROM alerts WHERE alert_id = ?", [alert["id"]])
        return rule.investigate.filled(document_values(json.loads(rows[0][0]))) if rule and rows else None

    return advice
