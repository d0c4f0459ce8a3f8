"""The listener: `/metrics`, `/healthz`, `/readyz` over HTTP, in threads that wait for nothing of the engine's."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..errors import ConfigError
from .health import Health, Told

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
CLIENT_S = 5.0  # how long one that sends or takes nothing is waited for
AT_ONCE = 16  # connections; more are closed

Page = Callable[[str], tuple[bytes, str]]  # Accept header to text and content type


def address(text: str, *, where: str = "metrics.listen") -> tuple[str, int]:
    """`:9108` and `9108` are of the loopback; `0.0.0.0:9108` and `[::]:9108` are open to the network."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ConfigError(f"{text!r} is no address; write :9108 (this machine only) or 0.0.0.0:9108", where=where)
    return host or LOOPBACK, int(port)


class Listener:
    """Listens from the start on, so that a port that is taken is said before anything else is done."""

    def __init__(self, where: tuple[str, int], page: Page, health: Health) -> None:
        """Port 0 takes any that is free. Raises ConfigError where the address cannot be had."""
        try:
            self._server = _Server(where, _handler(page, health))
        except OSError as error:
            name = f"{where[0]}:{where[1]}"
            raise ConfigError(
                f"cannot listen: {error.strerror or error}; choose another --metrics", where=name
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that hangs holds no stop up
    request_queue_size = 32

    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        self._room = threading.Semaphore(AT_ONCE)
        super().__init__(where, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a client of the metrics went away", exc_info=True)


def _handler(page: Page, health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_S
        protocol_version = "HTTP/1.1"
        server_version = "aegis-enrich"
        sys_version = ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            try:
                status, body, content_type = self._answer(path)
            except Exception:  # a scrape must not end in silence, and never touches the run
                log.warning("%s could not be answered", path, exc_info=True)
                status, body, content_type = 500, b"an error of AegisEnrich; its log has more\n", "text/plain"
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, path: str) -> tuple[int, bytes, str]:
            if path == "/metrics":
                return 200, *page(self.headers.get("Accept", ""))
            if path == "/healthz":
                return _told(health.alive())
            if path == "/readyz":
                return _told(health.ready())
            return 404, b"/metrics /healthz /readyz\n", "text/plain"

        def log_message(self, format: str, *arguments: Any) -> None:
            log.debug("%s " + format, self.client_address[0], *arguments)

    return Handler


def _told(told: Told) -> tuple[int, bytes, str]:
    body = json.dumps(told.document(), ensure_ascii=False).encode() + b"\n"
    return 200 if told.ok else 503, body, "application/json"
