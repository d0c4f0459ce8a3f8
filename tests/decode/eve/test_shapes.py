from pathlib import Path

import pytest

import aegis_enrich.decode.eve as eve
from aegis_enrich.decode.eve.shapes import SHAPES, TABLES_OF, patch
from aegis_enrich.tables import TABLES


def test_each_event_type_has_a_shape_and_a_query_for_each_table():
    assert SHAPES.keys() == TABLES_OF.keys()
    queries = {path.stem for path in Path(eve.__file__).parent.glob("*.sql")}
    assert queries == {f"{event_type}_{table}" for event_type, tables in TABLES_OF.items() for table in tables}
    assert {table for tables in TABLES_OF.values() for table in tables} <= TABLES.keys()


@pytest.mark.parametrize("event_type", sorted(SHAPES))
def test_what_is_read_is_taken_from_the_rest(event_type):
    assert patch(event_type).keys() >= SHAPES[event_type].keys() | {"pcap_cnt"}


def test_a_flow_keeps_what_decided_its_state():
    assert "tcp_flags_ts" not in patch("flow")["tcp"]
    assert patch("flow")["tcp"]["syn"] is None
