"""The enrichment stage: what is added where, and that no enricher can stop the others."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from aegis_enrich.enrich import Enrichment
from aegis_enrich.errors import Problems
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.tables import TABLES


class Upper(Enricher):
    """Adds the originator in upper case, to every table that has one."""

    name = "upper"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"*": ("orig_h",)}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {"*": (Column("orig_upper", "string", "upper case"),)}
    fails = False
    renewed = False
    seen: pa.DataType | None = None

    def refresh(self) -> bool:
        return self.renewed

    def inside(self) -> Sequence[str]:
        return self.settings.get("inside", ())

    def digest(self) -> str:
        return str(self.settings.get("digest", ""))

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        self.seen = batch.schema.field("orig_h").type
        if self.fails:
            raise RuntimeError("no idea")
        values = batch["orig_h"].cast(pa.string()).to_pylist()
        return {"orig_upper": pa.array([v and v.upper() for v in values], pa.string())}

    def describe(self, kind: str, value: str) -> Mapping[str, Any]:
        if self.fails:
            raise RuntimeError("no idea")
        return {"upper": value.upper()}


class Length(Enricher):
    """Fills the service and adds a length, to conn only."""

    name = "length"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"conn": ("orig_h", "service")}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {
        "conn": (Column("service", "string", "filled"), Column("orig_length", "count", "length"))
    }
    gives: ClassVar[Any] = None

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        if self.gives is not None:
            return self.gives
        lengths = [v and len(v) for v in batch["orig_h"].to_pylist()]
        filled = [v or "filled" for v in batch["service"].to_pylist()]
        return {"orig_length": pa.array(lengths, pa.int64()), "service": pa.array(filled, pa.string())}

    def describe(self, kind: str, value: str) -> Mapping[str, Any]:
        return {"length": len(value)}


def rows(table: str, **columns: list[Any]) -> pa.Table:
    schema = TABLES[table].schema
    count = len(next(iter(columns.values())))
    return pa.table(
        [pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema],
        schema=schema,
    )


def test_columns_are_added_in_order_and_schema_says_so() -> None:
    enrichment = Enrichment([Upper({}), Length({})])
    batch = rows("conn", orig_h=["fe80::a", None], service=["dns", None])
    enriched = enrichment.apply("conn", batch)
    assert enriched.schema == enrichment.schema("conn")
    assert enriched.column_names == [*batch.column_names, "orig_upper", "orig_length"]
    assert enriched["orig_upper"].to_pylist() == ["FE80::A", None]
    assert enriched["orig_length"].to_pylist() == [7, None]
    assert enriched["service"].to_pylist() == ["dns", "filled"]
    assert enriched.select(["orig_h"]) == batch.select(["orig_h"])


def test_a_star_means_tables_that_have_the_columns() -> None:
    enrichment = Enrichment([Upper({})])
    assert "orig_upper" in enrichment.schema("dns").names
    assert "orig_upper" not in enrichment.schema("dhcp").names
    batch = rows("dhcp", mac=["00:00:00:00:00:01"])
    assert enrichment.apply("dhcp", batch) == batch
    assert set(TABLES) == {t for t in TABLES if enrichment.schema(t)}


def test_text_that_several_read_is_encoded_once() -> None:
    upper = Upper({})
    batch = rows("conn", orig_h=["a", "a"])
    enriched = Enrichment([upper, Length({})]).apply("conn", batch)
    assert upper.seen == pa.dictionary(pa.int32(), pa.string())
    assert enriched.schema.field("orig_h").type == pa.string()
    Enrichment([upper]).apply("conn", batch)
    assert upper.seen == pa.string()


def test_empty_batches_pass() -> None:
    enrichment = Enrichment([Upper({}), Length({})])
    for empty in (TABLES["conn"].schema.empty_table(), rows("conn", orig_h=[])):
        assert enrichment.apply("conn", empty).schema == enrichment.schema("conn")


def test_a_failing_enricher_is_contained_counted_and_disabled(caplog: pytest.LogCaptureFixture) -> None:
    upper = Upper({})
    enrichment = Enrichment([upper, Length({})], disable_after=3)
    batch = rows("conn", orig_h=["a"])
    upper.fails = True
    for failures in (1, 2, 3, 3, 3):
        enriched = enrichment.apply("conn", batch)
        assert enriched.schema == enrichment.schema("conn")
        assert enriched["orig_upper"].to_pylist() == [None]
        assert enriched["orig_length"].to_pylist() == [1]
        assert enrichment.failures == {"upper": failures}
    assert enrichment.disabled == ("upper",)
    assert [r.levelno for r in caplog.records] == [logging.WARNING, logging.ERROR]
    upper.fails, upper.renewed = False, True
    assert enrichment.refresh()
    assert enrichment.disabled == ()
    assert enrichment.apply("conn", batch)["orig_upper"].to_pylist() == ["A"]


def test_only_failures_in_a_row_disable() -> None:
    upper = Upper({})
    enrichment = Enrichment([upper], disable_after=2)
    for fails in (True, False, True, False, True):
        upper.fails = fails
        enrichment.apply("conn", rows("conn", orig_h=["a"]))
    assert (enrichment.failures, enrichment.disabled) == ({"upper": 3}, ())


@pytest.mark.parametrize(
    "gives",
    [
        {},
        {"service": pa.array(["x"])},
        {"service": pa.array(["x"]), "orig_length": pa.array([1, 2])},
        {"service": pa.array(["x"]), "orig_length": pa.array(["1"])},
        {"service": pa.array(["x"]), "orig_length": pa.array([1]), "more": pa.array([1])},
        [],
    ],
)
def test_columns_other_than_declared_count_as_failure(gives: Any) -> None:
    length = Length({})
    length.gives = gives  # type: ignore[misc]
    enrichment = Enrichment([length])
    enriched = enrichment.apply("conn", rows("conn", orig_h=["a"], service=["dns"]))
    assert enrichment.failures == {"length": 1}
    assert enriched.schema == enrichment.schema("conn")
    assert enriched["service"].to_pylist() == ["dns"]


def test_refresh_and_describe_are_contained() -> None:
    upper = Upper({})
    enrichment = Enrichment([upper, Length({})])
    assert enrichment.describe("address", "a1") == {"upper": "A1", "length": 2}
    upper.fails = True
    assert enrichment.describe("domain", "a1") == {"length": 2}
    upper.refresh = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    assert not enrichment.refresh()
    assert enrichment.failures == {"upper": 2}
    assert enrichment.disabled == ()


def test_the_digest_is_that_of_the_enrichers_in_any_order() -> None:
    upper, length = Upper({"digest": "1"}), Length({})
    assert Enrichment([upper, length]).digest() == Enrichment([length, upper]).digest()
    assert Enrichment([upper]).digest() != Enrichment([Upper({"digest": "2"})]).digest()


def test_what_is_inside_is_what_the_enrichers_know() -> None:
    assert Enrichment([Upper({"inside": ["10.0.0.0/8"]}), Length({})]).inside() == ["10.0.0.0/8"]


def test_contradictions_refuse_to_start_all_at_once() -> None:
    class Twice(Upper):
        name = "twice"

    class Wrong(Upper):
        name = "wrong"
        reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"conn": ("nothing",)}
        adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {"conn": (Column("service", "count", ""),)}

    with pytest.raises(Problems) as problems:
        Enrichment([Upper({}), Twice({}), Wrong({})])
    assert "enricher twice: adds conn.orig_upper, as upper does" in str(problems.value)
    assert "enricher wrong: reads conn.nothing" in str(problems.value)
    assert "enricher wrong: fills conn.service, which is no count" in str(problems.value)
