"""A real HTTP server on loopback that answers as a test tells it: rightly, wrongly, by halves, late or not at all."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What is sent back; `cut`: so many bytes of the body, then the connection ends; `late`: once this event is set."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    late: threading.Event | None = None


Script = Callable[[Request], Answer]


@dataclass
class Scripted:
    """The server: what it was asked, and how it answers from now on."""

    answer: Script
    url: str = ""
    requests: list[Request] = field(default_factory=list)


@contextlib.contextmanager
def serving(answer: Script, *, certificate: tuple[Path, Path] | None = None) -> Iterator[Scripted]:
    """Runs it on a free port; `certificate` (PEM, key) makes it HTTPS."""
    scripted = Scripted(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            scripted.requests.append(request)
            with contextlib.suppress(OSError):
                self._send(scripted.answer(request))

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815  as http.server calls them

        def _send(self, answer: Answer) -> None:
            if answer.late is not None:
                answer.late.wait(30)
            self.send_response(answer.status)
            for name, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            if answer.cut is not None:
                self.wfile.flush()
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away (or refuses the certificate) is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scripted.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
