"""One POST: over TLS that is checked, without redirects, with an end to its patience."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from aegis_enrich.errors import ConfigError, SinkError
from aegis_enrich.retry_after import retry_after_s
from aegis_enrich.visible import visible

SAID_BYTES = 500  # of an answer that are read


@dataclass(frozen=True)
class Answered:
    """`status` 0: no answer. `retry_after_s`: as the answer asks."""

    status: int
    said: str = ""
    retry_after_s: float = 0.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, or send it to whom nobody named."""

    def redirect_request(self, *arguments: Any, **others: Any) -> None:
        return None


class Poster:
    """Posts to one URL; proxies are those of the environment (HTTPS_PROXY, NO_PROXY)."""

    def __init__(self, url: str, *, timeout_s: float, ca_certs: str, where: str) -> None:
        """Raises ConfigError where the CA file cannot be used."""
        self._url, self._timeout_s, self._where = url, timeout_s, where
        if ca_certs and not Path(ca_certs).is_file():
            raise ConfigError("no such file; name one in PEM", where=f"{where}.ca_certs: {ca_certs}")
        try:
            context = ssl.create_default_context(cafile=ca_certs or None)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"is no CA file in PEM ({error})", where=f"{where}.ca_certs: {ca_certs}") from error
        self._opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=context))

    def post(self, body: bytes, headers: Mapping[str, str], now_s: float) -> Answered:
        """What was answered; raises SinkError where TLS cannot be trusted."""
        request = urllib.request.Request(self._url, data=body, headers=dict(headers), method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return Answered(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return Answered(error.code, _said(error), retry_after_s(error.headers.get("Retry-After"), now_s))
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", error)
            if isinstance(why, ssl.SSLCertVerificationError):
                what = f"its certificate is not trusted ({why.verify_message}); correct ca_certs"
                raise SinkError(what, where=self._where) from error
            return Answered(0, visible(str(why) or type(why).__name__, SAID_BYTES))


def _said(answer: IO[bytes]) -> str:
    try:
        return visible(answer.read(SAID_BYTES).decode(errors="replace"), SAID_BYTES)
    except (OSError, HTTPException):  # cut in the middle
        return ""
