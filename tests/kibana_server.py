"""What stands in for Kibana's import in tests: it takes any file, or answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer

TAKEN = {
    "success": True,
    "successCount": 3,
    "successResults": [{"type": "dashboard"}, {"type": "search"}, {"type": "dashboard"}],
}


class Kibana:
    """Answers every request with `status` and `body`, and keeps what was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, json.dumps(TAKEN)
        self.asked: list[tuple[str, Message, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers, body))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(outer.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
