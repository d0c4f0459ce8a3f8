"""The catalogue of features: as many as promised, each described in full, each once."""

from __future__ import annotations

from collections import Counter

import pytest

from aegis_enrich import registry
from aegis_enrich.features import FAMILIES, LEVELS, catalogue, distribution, span
from aegis_enrich.plugin import Column, DerivedTable

TABLES = registry.load().tables
FEATURES = catalogue(TABLES)


def test_each_family_has_as_many_as_promised() -> None:
    hosts = Counter(f["family"] for f in FEATURES if f["level"] == "host")
    least = {"statistical": 20, "timing": 15, "dns": 12, "tls": 10, "quic": 5}
    assert tuple(least) == FAMILIES and {f["family"] for f in FEATURES} == set(FAMILIES)
    assert {family: hosts[family] for family in least if hosts[family] < least[family]} == {}
    assert {f["level"] for f in FEATURES} == set(LEVELS)


def test_each_is_described_in_full_and_bears_its_own_name() -> None:
    assert [f["name"] for f in FEATURES if not all(f[k] for k in ("unit", "doc", "formula", "source", "table"))] == []
    assert [name for name, n in Counter(f["name"] for f in FEATURES).items() if n > 1] == []
    assert [f["name"] for f in FEATURES if None not in f["range"] and f["range"][0] >= f["range"][1]] == []


def test_they_come_by_family_hosts_first() -> None:
    order = [(FAMILIES.index(f["family"]), -LEVELS.index(f["level"])) for f in FEATURES]
    assert order == sorted(order)


def test_every_column_of_a_table_of_features_is_one_or_names_its_group() -> None:
    named = {"orig_h", "resp_h", "resp_p", "proto", "first_us", "last_us", "uid"}
    for table in TABLES.values():
        if table.level:
            assert {c.name for c in table.columns if type(c) is Column} <= named
            assert all(c.kind in ("count", "double") for c in table.columns if type(c) is not Column)


def test_a_distribution_names_its_statistics() -> None:
    mean, skew = distribution("gap", "gap", "seconds", "mean skew", family="timing", needs=("conn.ts",))
    assert (mean.name, mean.unit, mean.least, mean.most) == ("gap_mean", "seconds", 0, None)
    assert (skew.name, skew.unit, skew.least, skew.most, skew.needs) == ("gap_skew", "1", -1, 1, ("conn.ts",))
    with pytest.raises(KeyError):
        distribution("gap", "gap", "seconds", "kurtosis", family="timing", needs=())


def test_a_table_without_features_has_no_entry() -> None:
    class Plain(DerivedTable):
        name = "plain"
        reads = ("conn",)
        columns = (Column("orig_h", "addr", "client"),)

    assert catalogue({"plain": Plain}) == []


@pytest.mark.parametrize(
    ("least", "most", "words"), [(0, 1, "0 to 1"), (0, None, "from 0"), (None, None, "any"), (None, 2, "to 2")]
)
def test_ranges_in_words(least: float | None, most: float | None, words: str) -> None:
    assert span(least, most) == words
