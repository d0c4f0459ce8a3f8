"""The outbox to a real Elasticsearch that is full, takes little at once, is stopped and comes back: each alert once."""

from __future__ import annotations

import json
import socket

import pytest
from elasticsearch_server import JDKS, Unavailable, installed

from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.deliver.replay import Replay
from aegis_enrich.store import Store
from aegis_enrich.store.letters import Selection, carry_out, letters
from aegis_plugins.sinks.elasticsearch import Elasticsearch

pytestmark = [pytest.mark.elasticsearch, pytest.mark.slow]

PERIOD = "2026-11-21T15:00:00.000000Z"
MOST_BYTES = 400_000  # of a request that the server takes


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def files():
    """A server's files that takes small requests only, and always on the same port."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with installed(min(JDKS)) as made:
            with (made.home / "config" / "elasticsearch.yml").open("a") as file:
                file.write(f"http.max_content_length: {MOST_BYTES}b\n")
            text = (
                (made.home / "config" / "elasticsearch.yml").read_text().replace("http.port: 0", f"http.port: {port}")
            )
            (made.home / "config" / "elasticsearch.yml").write_text(text)
            yield made
    except Unavailable as why:
        pytest.skip(str(why))


def put(store, *names, size_bytes=100, ip="10.0.0.1"):
    with store.transaction() as tx:
        for name in names:
            body = {
                "@timestamp": PERIOD,
                "event": {"id": name, "reason": "x" * size_bytes},
                "aegis": {"period": PERIOD, "revision": 1},
                "source": {"ip": ip},
            }
            tx.execute(
                "INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, 1, ?)", [name, json.dumps(body)]
            )


def turns(way, number):
    for _ in range(number):
        way.run_once()
        way.clock.now += 61


def held(server):
    return sorted((hit["_id"], hit["_version"]) for hit in server.documents("aegis-alerts"))


def test_each_alert_is_there_once_whatever_happened(files, tmp_path) -> None:
    with Store(tmp_path / "state") as store:
        with files.started() as (server, _):
            Elasticsearch.setup(server.settings())
            sink = Elasticsearch(server.settings(timeout_s=20))
            way = AlertLane(store, sink, "elasticsearch:here", clock=Clock(), jitter=lambda: 1.0)
            small = [f"a{n}" for n in range(60)]

            put(store, *small, size_bytes=20_000)  # 1.2 MB together
            put(store, "huge", size_bytes=2 * MOST_BYTES)
            turns(way, 12)
            assert way.backlog() == 0 and held(server) == sorted((name, 1) for name in small)
            (letter,) = letters(store, Selection())
            assert (letter.document, letter.whole) == ("huge", False) and "too large" in letter.reason

            server.call("PUT", "/aegis-alerts-*/_settings", {"index.blocks.read_only_allow_delete": True})
            put(store, "b")
            turns(way, 3)
            assert way.backlog() == 1 and "cluster_block_exception" in way.reason
            server.call("PUT", "/aegis-alerts-*/_settings", {"index.blocks.read_only_allow_delete": None})
            turns(way, 1)
            assert way.backlog() == 0
            # What was refused goes again once it is mended.
            put(store, "d", ip="no address")
            turns(way, 1)
            (_, letter) = letters(store, Selection())
            assert way.backlog() == 0 and (letter.document, letter.whole) == ("d", True)
            assert "document_parsing_exception" in letter.reason and "no address" in letter.reason
            lenient = {"properties": {"source": {"properties": {"ip": {"type": "ip", "ignore_malformed": True}}}}}
            server.call("PUT", "/aegis-alerts-*/_mapping", lenient)
            with store.transaction() as tx:
                assert carry_out(tx, "replay", Selection(ids=(letter.id,))) == 1
            replay = Replay(store, sink, "elasticsearch:here")
            assert replay.run_once() and replay.waits() == 0 and len(letters(store, Selection())) == 1
        put(store, "c")
        turns(way, 3)
        assert way.backlog() == 1 and "does not answer" in way.reason
        with files.started() as (server, _):
            turns(way, 1)
            assert way.backlog() == 0
            assert held(server) == sorted((name, 1) for name in [*small, "b", "c", "d"])
        sink.close()
        assert store.counters()["refused", ""] == 2
