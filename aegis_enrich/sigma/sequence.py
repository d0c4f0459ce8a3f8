"""The queries of correlations: how much there is of a group's rows within a timespan, or in which order they came.

A row's place in time is its end. Every row is the last of the span before it, `span_s` long, both ends in; only rows of
the window's last `every_s` are asked, for the others were when the window before was evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..plugin import MICROS
from ..tables import TABLES

UIDS = 20


@dataclass(frozen=True)
class Branch:
    """The rows of one rule: `by` what they are grouped by, `value` what is counted of them, as SQL."""

    table: str
    where: str
    slot: int
    by: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Measure:
    """An aggregate over the rows of a span (`v`, `slot`), and from where on it counts.

    `holds`: instead, a condition over `mask`, in which the bit of each rule's number is set that has rows in the span.
    """

    sql: str
    operator: str
    least: int | float
    holds: str = ""


def counted_sql(branches: Sequence[Branch], measure: Measure, names: Sequence[str], span_s: int, every_s: int) -> str:
    """Groups that have at least so much within the timespan: the span with the most, of equal ones the earliest."""
    by = _by(names)
    return f"""WITH held AS (
{_held(branches, names)}
),
measured AS (
  -- what the {span_s} s up to and with each row hold
  SELECT *, {measure.sql} OVER span AS metric{", bit_or(1::BIGINT << slot) OVER span AS mask" if measure.holds else ""}
  FROM held
  WINDOW span AS (
    {_partition(by)}ORDER BY end_us RANGE BETWEEN {span_s * MICROS} PRECEDING AND CURRENT ROW
  )
),
best AS (
  SELECT *, end_us - {span_s * MICROS} AS begun_us,
    row_number() OVER ({_partition(by)}ORDER BY metric DESC, end_us) AS place
  FROM measured
  WHERE {measure.holds or f"metric {measure.operator} {measure.least}"} AND end_us >= $window_end - {every_s * MICROS}
)
{_told(by)}"""


def ordered_sql(branches: Sequence[Branch], measure: Measure, names: Sequence[str], span_s: int, every_s: int) -> str:
    """Groups in which the rules' rows follow each other in order, the first within the timespan before the last."""
    by, steps = _by(names), len(branches)
    chain = "".join(
        f""",
step{n} AS (
  -- of a row of rule {n + 1}: when the latest sequence begins that leads to it
  SELECT *, CASE WHEN slot = {n} THEN max(start{n - 1}) OVER (
    {_partition(by)}ORDER BY end_us RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) END AS start{n}
  FROM step{n - 1}
)"""
        for n in range(1, steps)
    )
    return f"""WITH held AS (
{_held(branches, names)}
),
step0 AS (SELECT *, CASE WHEN slot = 0 THEN end_us END AS start0 FROM held){chain},
best AS (
  SELECT *, start{steps - 1} AS begun_us, {steps} AS metric,
    row_number() OVER ({_partition(by)}ORDER BY end_us - start{steps - 1}, end_us) AS place
  FROM step{steps - 1}
  WHERE end_us - start{steps - 1} <= {span_s * MICROS} AND end_us >= $window_end - {every_s * MICROS}
)
{_told(by)}"""


def _held(branches: Sequence[Branch], names: Sequence[str]) -> str:
    """The rows of all rules, those left out that lack a field to group by."""
    parts = []
    for branch in branches:
        columns = TABLES[branch.table].schema.names
        ends = [f'"{c}"' if c in columns else "NULL::VARCHAR" for c in ("orig_h", "resp_h")]
        uid = "uid" if "uid" in columns else "NULL::VARCHAR"
        by = "".join(f", {sql} AS g{n}" for n, sql in enumerate(branch.by))
        known = "".join(f" AND {sql} IS NOT NULL" for sql in branch.by)
        parts.append(
            f"  SELECT ts_us, end_us, {uid} AS uid, {ends[0]} AS a, {ends[1]} AS b, {branch.slot} AS slot,"
            f' {branch.value} AS v{by}\n  FROM "{branch.table}"\n  WHERE ({branch.where}){known}'
        )
    return "\n  UNION ALL\n".join(parts)


def _told(by: str) -> str:
    """A row a group: the span that speaks for it, its rows' number, ends and first uids."""
    same = "".join(f"best.{g} = held.{g} AND " for g in by.split(", ") if g)
    groups = "".join(f"best.{g}, " for g in by.split(", ") if g)
    return f"""SELECT {groups}best.end_us AS last_us, max(best.metric) AS metric, count(*) AS events,
  min(held.ts_us) AS first_us,
  CASE WHEN min(held.a) = max(held.a) THEN min(held.a) END AS one_orig,
  CASE WHEN min(held.b) = max(held.b) THEN min(held.b) END AS one_resp,
  list_sort(list(DISTINCT held.slot)) AS slots,
  list_slice(list(held.uid ORDER BY held.ts_us, held.uid), 1, {UIDS}) AS uids
FROM best JOIN held ON {same}held.end_us BETWEEN best.begun_us AND best.end_us
WHERE best.place = 1
GROUP BY {groups}best.end_us"""


def _by(names: Sequence[str]) -> str:
    return ", ".join(f"g{n}" for n in range(len(names)))


def _partition(by: str) -> str:
    return f"PARTITION BY {by} " if by else ""
