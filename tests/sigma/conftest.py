"""What the tests of Sigma share: which of a table's rows a detection matches, looked up and asked alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sigma_made import by_sql, looked_up, made_rows, made_rule

from aegis_enrich.sigma.compiled import compiled

Matching = Callable[..., list[int]]


@pytest.fixture
def matching() -> Matching:
    """The numbers of the rows that a detection matches; asked of each row and looked up, which must be the same."""

    def match(detection: str, *rows: Mapping[str, Any], placeholders: Any = None, **logsource: str) -> list[int]:
        rule = compiled(made_rule(detection, **logsource), placeholders or {})
        held = made_rows(rule.place.table, rows)
        found = by_sql(rule, held)
        assert looked_up(rule, held) == found, (rule.clauses, rule.sql)
        return found

    return match
