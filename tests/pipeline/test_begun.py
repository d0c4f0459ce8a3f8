"""What is kept of where archives begin."""

from __future__ import annotations

from aegis_enrich.pipeline.begun import archives_from, keep
from aegis_enrich.store import Store


def test_it_is_kept_and_added_to(tmp_path):
    with Store(tmp_path) as store:
        assert archives_from(store) == {}
        keep(store, {"a": 1_795_273_200_000_000})
        keep(store, {"b": None})
    with Store(tmp_path) as store:
        assert archives_from(store) == {"a": 1_795_273_200_000_000, "b": None}


def test_nothing_is_written_where_nothing_is_new(tmp_path):
    with Store(tmp_path) as store:
        keep(store, {"a": 1})
        before = store.query("PRAGMA data_version"), (tmp_path / "state.db-wal").stat().st_size
        keep(store, {"a": 1})
        keep(store, {})
        assert (store.query("PRAGMA data_version"), (tmp_path / "state.db-wal").stat().st_size) == before
