"""What a running `watch` answers where the configuration says that it listens."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

from ..config import Config
from ..errors import ConfigError
from ..observe.server import address
from .check import Check

AREA = "health"
WAIT_S = 3.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def listener(config: Config) -> Iterator[Check]:
    """What `/readyz` says; nothing where nothing is to listen."""
    if not config.metrics.listen:
        return
    try:
        host, port = address(config.metrics.listen)
    except ConfigError as error:
        yield Check(AREA, "problem", str(error))
        return
    host = _EVERYWHERE.get(host, host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/readyz"
    try:
        told = _told(url)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        yield Check(AREA, "note", f"{url} does not answer ({reason}); a `watch` with this configuration does")
        return
    for why in told.get("because", ()):
        yield Check(AREA, "problem", f"{url} is not ready: {why}")
    for what in told.get("beside", ()):
        yield Check(AREA, "note", f"{url}: {what}")
    if told.get("ok"):
        yield Check(AREA, "ok", f"{url} is ready")


def _told(url: str) -> dict[str, list[str]]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is this machine
    try:
        with opener.open(url, timeout=WAIT_S) as answer:
            text = answer.read(1_000_000)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(1_000_000)
    found = json.loads(text)
    if not isinstance(found, dict) or "ok" not in found:
        raise ValueError("another program listens there")
    return found
