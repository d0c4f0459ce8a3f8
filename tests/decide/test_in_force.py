"""What a run notes of its rules, for `doctor`."""

from __future__ import annotations

from pathlib import Path

from aegis_enrich.decide.in_force import InForce, in_a_line, note, noted
from aegis_enrich.errors import ConfigError, Problems


def test_what_is_noted_is_read(store):
    assert noted(store) is None
    with store.transaction() as tx:
        assert note(tx, InForce("/rules", "a"))
    with store.transaction() as tx:
        assert not note(tx, InForce("/rules", "a", refused="x.yml:1: wrong"))
    assert noted(store) == InForce("/rules", "a", "x.yml:1: wrong")
    with store.transaction() as tx:
        assert note(tx, InForce("/rules", "b"))
    assert noted(store) == InForce("/rules", "b")


def test_all_problems_in_a_line():
    first, second = ConfigError("is\nwrong", where="x.yml:1"), ConfigError("too", where="x.yml:2")
    assert in_a_line(first, Path("/rules")) == "x.yml:1: is wrong"
    assert in_a_line(Problems([first, second]), Path("/rules")) == (
        "x.yml:1: is wrong (and 1 more; `aegis-enrich rules check /rules` names all)"
    )
