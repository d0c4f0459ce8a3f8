"""What the proxy before Elasticsearch lets through, and how it cuts."""

from __future__ import annotations

import contextlib
import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from chaos.proxy import Proxy

BODY = b"x" * 200_000


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.seen += len(self.rfile.read(int(self.headers["Content-Length"])))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # it was cut
            super().handle()


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as made:
        made.seen = 0
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def proxy(server):
    with Proxy(server.server_address, seed=1) as made:
        yield made


def ask(proxy):
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=5)
    try:
        connection.request("POST", "/", BODY)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_it_hands_on(proxy):
    assert ask(proxy) == BODY
    assert not proxy.cuts


@pytest.mark.parametrize("mode", ["refuse", "cut answers", "cut requests"])
def test_it_cuts_and_then_hands_on_again(proxy, server, mode):
    proxy.mode = mode
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(proxy)
    assert proxy.cuts[mode] == 1
    assert (server.seen == len(BODY)) is (mode == "cut answers")  # the server has done what it was asked
    proxy.mode = "pass"
    assert ask(proxy) == BODY


def test_it_stalls_for_as_long_as_it_is_told(proxy):
    proxy.mode = "stall"
    timer = threading.Timer(0.2, setattr, (proxy, "mode", "pass"))
    timer.start()
    assert ask(proxy) == BODY
    timer.join()
    assert proxy.cuts["stall"]
