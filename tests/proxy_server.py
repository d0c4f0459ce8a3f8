"""A small HTTP proxy for tests: CONNECT for tunnels, absolute URLs for plain HTTP."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import selectors
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit


class Proxy:
    """What it was asked for (`CONNECT host:port`, `POST http://…`), and where it listens."""

    def __init__(self, credentials: str = "") -> None:
        self.asked: list[str] = []
        self.url = ""
        self.wanted = f"Basic {b64encode(credentials.encode()).decode()}" if credentials else ""


@contextlib.contextmanager
def proxying(credentials: str = "", here: str = "") -> Iterator[Proxy]:
    """A proxy on the loopback; with `credentials` (user:password) it lets nobody else through.

    `here`: a name that only the proxy knows, as the loopback's.
    """
    proxy = Proxy(credentials)

    def _known_as(host: str) -> str:
        return "127.0.0.1" if host == here else host

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10.0

        def do_CONNECT(self) -> None:
            if not self._known():
                return
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((_known_as(host), int(port)), timeout=10) as far:
                self.send_response(200)
                self.end_headers()
                _tunnel(self.connection, far)
            self.close_connection = True

        def _forward(self) -> None:
            if not self._known():
                return
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            far = http.client.HTTPConnection(_known_as(url.hostname or ""), url.port, timeout=10)
            kept = {k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")}
            far.request(self.command, f"{url.path}?{url.query}" if url.query else url.path, body, kept)
            answer = far.getresponse()
            found = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)
            far.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _forward  # noqa: N815  as the library calls them

        def _known(self) -> bool:
            proxy.asked.append(f"{self.command} {self.path}")
            if not proxy.wanted or self.headers.get("Proxy-Authorization") == proxy.wanted:
                return True
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, *args: object) -> None:
            return

    class Joined(http.server.ThreadingHTTPServer):
        daemon_threads = False  # no connection outlives the proxy

    with Joined(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        proxy.url = f"http://{credentials + '@' if credentials else ''}127.0.0.1:{server.server_port}"
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


def _tunnel(near: socket.socket, far: socket.socket) -> None:
    """Carries bytes both ways until one end closes."""
    other = {near: far, far: near}
    with selectors.DefaultSelector() as waiting:
        for end in other:
            waiting.register(end, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select(timeout=10):
                end = key.fileobj
                assert isinstance(end, socket.socket)
                held = end.recv(65_536)
                if not held:
                    return
                other[end].sendall(held)
