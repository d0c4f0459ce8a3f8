"""The outbox to Elasticsearch under every answer: the real client over a real socket, the server as bad as it gets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest
from scripted_server import Answer, serving

from aegis_enrich import config
from aegis_enrich.deliver import Delivery
from aegis_enrich.deliver.alerts import AlertLane
from aegis_enrich.store import Store
from aegis_plugins.sinks.elasticsearch import Elasticsearch

ALERTS = 20
PERIOD = "2026-11-21T15:00:00.000000Z"


class Index:
    """What a server holds: bulk requests as Elasticsearch answers them, with external versions."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.writes: list[str] = []  # ids in the order in which they were taken
        self.sent: list[list[str]] = []  # ids of each request
        self.ill = lambda request, ids: None  # what it answers instead
        self.item = lambda id_: None  # what an item becomes instead

    def __call__(self, request):
        if not request.path.startswith("/_bulk"):
            return self.answer(200, {"tagline": "You Know, for Search", "version": {"number": "8.19.3"}})
        lines = [json.loads(line) for line in request.body.splitlines()]
        heads = [next(iter(head.values())) for head in lines[::2]]
        ids = [head["_id"] for head in heads]
        self.sent.append(ids)
        ill = self.ill(request, ids)
        if isinstance(ill, Answer) and not ill.body:
            return ill
        answer = self.answer(200, {"items": [self.take(head) for head in heads]})
        return answer if ill is None else Answer(200, answer.body, answer.headers, **ill)

    @staticmethod
    def answer(status, body):
        headers = {"x-elastic-product": "Elasticsearch", "content-type": "application/json"}
        return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)

    def take(self, head):
        id_, version = head["_id"], head["version"]
        if instead := self.item(id_):
            status, kind = instead
            return {"index": {"status": status, "error": {"type": kind, "reason": "as told"}}}
        if self.held.get(id_, 0) >= version:
            return {"index": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "there"}}}
        self.held[id_] = version
        self.writes.append(id_)
        return {"index": {"status": 201}}


@pytest.fixture
def index():
    return Index()


@pytest.fixture
def server(index):
    with serving(index) as scripted:
        yield scripted


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "state") as opened:
        with opened.transaction() as tx:
            for n in range(ALERTS):
                body = {"@timestamp": PERIOD, "event": {"id": f"a{n}"}, "aegis": {"period": PERIOD, "revision": 1}}
                put = "INSERT INTO outbox (kind, id, revision, body) VALUES ('alert', ?, 1, ?)"
                tx.execute(put, [f"a{n}", json.dumps(body)])
        yield opened


@pytest.fixture
def sink(server):
    made = Elasticsearch(asdict(config.Elasticsearch(url=server.url, timeout_s=1.0)))
    yield made
    made.close()


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def way(store, sink):
    return AlertLane(store, sink, "elasticsearch:here", clock=Clock(), jitter=lambda: 1.0)


def deliver(way, tries=12):
    """Turns until all is delivered; how many, each after its pause."""
    for n in range(1, tries + 1):
        way.run_once()
        if not way.backlog():
            return n
        way.clock.now += 61
    raise AssertionError(f"{way.backlog()} wait: {way.reason}")


def times(answer, number=1):
    """Answers so the first times, then rightly."""
    left = [answer] * number
    return lambda request, ids: left.pop() if left else None


ALL = {f"a{n}": 1 for n in range(ALERTS)}


def test_a_server_is_left_alone_for_as_long_as_it_asks(way, index) -> None:
    index.ill = times(Answer(429, headers={"Retry-After": "90", "x-elastic-product": "Elasticsearch"}))
    way.run_once()
    assert way.sink.pause_s == 90.0
    way.clock.now += 89.0
    way.run_once()
    assert len(index.sent) == 1
    way.clock.now += 1.5
    way.run_once()
    assert way.sink.pause_s == 0.0 and len(index.held) == ALERTS


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_pushes_back_gets_the_same_after_a_pause(way, index, status) -> None:
    index.ill = times(Answer(status, headers={"x-elastic-product": "Elasticsearch"}), 3)
    assert deliver(way) == 4
    assert index.held == ALL and len(index.writes) == ALERTS
    assert [len(ids) for ids in index.sent] == [20, 20, 10, 5, 10, 5]  # less while it fails, more once it does not
    assert way.outcomes == {"retry": 3 * ALERTS, "stored": ALERTS}


def test_of_items_that_it_pushes_back_only_these_go_again(way, index) -> None:
    back = {"a3", "a7", "a8"}
    index.item = lambda id_: (429, "es_rejected_execution_exception") if id_ in back else None
    way.run_once()
    assert way.backlog() == 3 and way.failures == 1
    back.discard("a3")
    way.clock.now += 1.01
    way.run_once()
    back.clear()
    assert deliver(way) <= 2
    assert index.sent[1:] == [["a3", "a7", "a8"], ["a7", "a8"]]
    assert index.held == ALL and len(index.writes) == ALERTS


def test_what_it_refuses_is_a_dead_letter_with_its_reason_and_the_rest_goes_on(way, index, store) -> None:
    index.item = lambda id_: (400, "document_parsing_exception") if id_ in ("a2", "a5") else None
    assert deliver(way) == 1
    assert index.held == {k: v for k, v in ALL.items() if k not in ("a2", "a5")}
    letters = store.query("SELECT doc_id, reason, whole, json_extract(body, '$.event.id') FROM dead_letters")
    assert letters == [(i, "400 document_parsing_exception: as told", 1, i) for i in ("a2", "a5")]
    assert store.counters()["refused", ""] == 2


def test_what_is_there_in_this_or_a_newer_revision_stays(way, index) -> None:
    index.held = {"a1": 1, "a2": 9}
    assert deliver(way) == 1
    assert index.held == ALL | {"a2": 9}
    assert way.outcomes == {"stored": ALERTS - 2, "there": 2}


@pytest.mark.parametrize(("status", "said"), [(401, "wrong credentials"), (403, "privileges"), (404, "takes no bulk")])
def test_what_somebody_must_mend_stops_it_and_is_said(way, index, caplog, status, said) -> None:
    index.ill = lambda request, ids: Answer(status, headers={"x-elastic-product": "Elasticsearch"})
    for _ in range(3):
        way.run_once()
        way.clock.now += 61
    assert index.held == {} and way.backlog() == ALERTS
    assert [r.levelname for r in caplog.records] == ["ERROR"] and said in caplog.text
    index.ill = lambda request, ids: None
    assert deliver(way) == 1
    assert index.held == ALL


def test_items_that_may_not_be_written_wait_and_the_others_go(way, index, caplog) -> None:
    closed = {"a0", "a9"}
    index.item = lambda id_: (403, "security_exception") if id_ in closed else None
    for _ in range(3):
        way.run_once()
        way.clock.now += 61
    assert index.held.keys() == ALL.keys() - closed
    assert "privileges" in way.reason and way.backlog() == 2
    closed.clear()
    assert deliver(way) == 1 and index.held == ALL
    assert index.sent[1:] == [["a0", "a9"]] * 3


def test_a_request_that_is_too_large_is_split(way, index, store) -> None:
    def large(request, ids):
        return Answer(413, headers={"x-elastic-product": "Elasticsearch"}) if len(ids) > 3 or "a4" in ids else None

    index.ill = large
    assert deliver(way) == 1
    assert index.held == {k: v for k, v in ALL.items() if k != "a4"}
    assert store.query("SELECT doc_id, reason LIKE '%too large%' FROM dead_letters") == [("a4", 1)]


def test_a_proxy_that_refuses_a_large_request_while_it_is_sent_gets_less(store, index, tmp_path) -> None:
    """It answers 413 to the head of the request and closes: the client may see the answer, or only a reset."""
    with serving(index) as behind, impatient(behind.url, most_bytes=2_500) as url:
        sink = Elasticsearch(asdict(config.Elasticsearch(url=url, timeout_s=2.0)))
        way = AlertLane(store, sink, "elasticsearch:here", clock=Clock(), jitter=lambda: 1.0)
        deliver(way, 40)
        sink.close()
    assert index.held == ALL and store.query("SELECT 1 FROM dead_letters") == []


@contextlib.contextmanager
def impatient(url, most_bytes):
    """A proxy before `url` that does not read what is too large."""
    listening = socket.create_server(("127.0.0.1", 0))
    behind = urlsplit(url)

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            while head := _head(connection):
                size = int((re.search(rb"content-length: (\d+)", head.lower()) or [0, 0])[1])
                if size > most_bytes:
                    connection.sendall(
                        b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    )
                    return
                got = bytearray()
                while len(got) < size:
                    got += connection.recv(size - len(got))
                with socket.create_connection((behind.hostname, behind.port)) as to:
                    to.sendall(head.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n", 1) + bytes(got))
                    while data := to.recv(65_536):
                        connection.sendall(data)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.close()


def _head(connection):
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return bytes(head)


@pytest.mark.parametrize("cut", [0, 1, 40, 200])
def test_an_answer_that_is_cut_leaves_nothing_lost_and_nothing_doubled(way, index, cut) -> None:
    """The server took them all and could not say so: they go again, and are there."""
    index.ill = times({"cut": cut})
    assert deliver(way) == 2
    assert index.held == ALL and len(index.writes) == ALERTS
    assert way.outcomes == {"retry": ALERTS, "there": ALERTS}


def test_a_server_that_is_slower_than_the_time_out_is_asked_again(way, index) -> None:
    ever = threading.Event()
    index.ill = times({"late": ever})
    try:
        assert deliver(way) == 2
    finally:
        ever.set()
    assert index.held == ALL and way.outcomes == {"retry": ALERTS, "there": ALERTS}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b"{}", b'{"items": 3}', b'{"items": []}', b'{"items": [{}]}', b'{"items": [7]}'),
        json.dumps({"items": [{"index": {"status": "?"}}] * ALERTS}).encode(),
    ],
)
def test_an_answer_that_is_none_counts_for_nothing(way, server, index, body) -> None:
    bad = [Index.answer(200, body)] * 2

    def answer(request):
        return bad.pop() if request.path.startswith("/_bulk") and bad else index(request)

    server.answer = answer
    assert deliver(way) == 3
    assert index.held == ALL


def test_another_program_behind_the_url_stops_it(way, server) -> None:
    server.answer = lambda request: Answer(200, b"<html>welcome</html>", {"content-type": "text/html"})
    assert not way.run_once()
    assert "no Elasticsearch" in way.reason and way.backlog() == ALERTS


def test_a_server_that_is_away_for_hours_costs_a_try_a_minute_and_loses_nothing(store, index) -> None:
    with serving(index) as away:
        url = away.url
    sink = Elasticsearch(asdict(config.Elasticsearch(url=url, timeout_s=1.0)))
    way = AlertLane(store, sink, "elasticsearch:here", clock=Clock(), jitter=lambda: 1.0)
    tries = 0
    while way.clock.now < 6 * 3600:
        tries += not way.waiting()
        way.run_once()
        way.clock.now += 1.0
    assert tries < 370 and way.backlog() == ALERTS and store.query("SELECT 1 FROM dead_letters") == []
    sink.close()


def test_at_a_stop_a_server_that_hangs_is_left_in_time_and_all_comes_at_the_next_start(store, server, index) -> None:
    ever = threading.Event()
    index.ill = lambda request, ids: {"late": ever}
    delivery = Delivery(store, {"elasticsearch": Elasticsearch(asdict(config.Elasticsearch(url=server.url)))})
    delivery.start()
    (left,) = delivery.drain(0.5)
    delivery.close()
    assert (left.documents, left.reason) == (ALERTS, "it does not answer")
    ever.set()
    index.ill = lambda request, ids: None
    again = Delivery(store, {"elasticsearch": Elasticsearch(asdict(config.Elasticsearch(url=server.url)))})
    assert again.drain(20) == []
    again.close()
    assert index.held == ALL and len(index.writes) == ALERTS
