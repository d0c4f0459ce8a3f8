"""Hands the file of saved objects to Kibana."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from aegis_enrich.errors import ConfigError, SinkError

TIMEOUT_S = 60.0
PATH = "/api/saved_objects/_import?overwrite=true"
_BOUNDARY = "aegis-enrich-saved-objects"  # stands in no line of the file, for those are JSON
_SAID = 5  # of Kibana's errors


def send(text: str, url: str, settings: Mapping[str, Any]) -> list[str]:
    """Imports the file over what is there, with the credentials for Elasticsearch; what was imported, a line each.

    `url` may end with a space's path (`/s/blue`). Raises ConfigError or SinkError.
    """
    parts = _parts(url)
    target = parts._replace(netloc=parts.netloc.rpartition("@")[2], path=parts.path.rstrip("/")).geturl()
    request = urllib.request.Request(f"{target}{PATH}", data=_multipart(text), method="POST")
    request.add_header("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
    request.add_header("kbn-xsrf", "aegis-enrich")
    if who := _authorization(settings, parts):
        request.add_header("Authorization", who)
    return _told(_asked(request, _trust(settings), target), target)


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("is no URL; write it like https://host:5601", where="--kibana")
    return parts


def _multipart(text: str) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="aegis.ndjson"\r\n'
    return f"{head}Content-Type: application/ndjson\r\n\r\n{text}\r\n--{_BOUNDARY}--\r\n".encode()


def _authorization(settings: Mapping[str, Any], url: SplitResult) -> str:
    """As for Elasticsearch: the URL's user, else the configuration's, else an API key; "" for none."""
    user, password = settings.get("username"), settings.get("password") or os.environ.get("AEGIS_ES_PASSWORD")
    if url.username:
        user, password = unquote(url.username), unquote(url.password or "")
    if user:
        return "Basic " + b64encode(f"{user}:{password or ''}".encode()).decode()
    key = settings.get("api_key") or os.environ.get("AEGIS_ES_API_KEY")
    return f"ApiKey {key}" if key else ""


def _trust(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """Kibana's certificate is checked against the CA file that Elasticsearch's is, else against the system's."""
    try:
        return ssl.create_default_context(cafile=settings.get("ca_certs") or None)
    except OSError as error:
        raise ConfigError(
            f"{error.strerror or error}", where=f"elasticsearch.ca_certs: {settings['ca_certs']}"
        ) from error


def _asked(request: urllib.request.Request, trust: ssl.SSLContext, target: str) -> Any:
    """The answer; raises SinkError."""
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=trust) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise SinkError(_refused(error.code, _reason(error)), where=target) from error
    except (OSError, http.client.HTTPException) as error:
        raise SinkError(f"does not answer ({getattr(error, 'reason', error)}); check --kibana", where=target) from error
    except ValueError as error:
        raise SinkError("answers no JSON: this is no Kibana; check --kibana", where=target) from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        said = json.load(error)
    except (OSError, ValueError):
        return str(error.reason)
    return " ".join(str(said.get("message") or said)[:300].split()) if isinstance(said, dict) else str(error.reason)


def _refused(status: int, reason: str) -> str:
    if status == 401:
        return f"wrong credentials ({reason}); set elasticsearch.api_key, or username and password"
    if status == 403:
        return f"{reason}; give the user Kibana's privilege 'Saved Objects Management: All' in this space"
    if status == 404:
        return f"there is no such path ({reason}); name Kibana's own URL, with its base path and /s/<space> if any"
    if status == 503:
        return f"is not ready ({reason}); try again when it is"
    return f"answers {status} ({reason}); import the file by hand: `aegis-enrich setup kibana -o aegis.ndjson`"


def _told(answer: Any, target: str) -> list[str]:
    if not isinstance(answer, dict) or "success" not in answer:
        raise SinkError("answers something else than an import; check --kibana", where=target)
    errors = answer.get("errors") or []
    if errors or not answer["success"]:
        said = [f"{e.get('type')} {e.get('id')}: {(e.get('error') or {}).get('type')}" for e in errors]
        more = f" and {len(said) - _SAID} more" if len(said) > _SAID else ""
        what = f"took {answer.get('successCount', 0)} objects, but not {'; '.join(said[:_SAID])}{more}"
        raise SinkError(f"{what}; Kibana 8.9 or newer is needed", where=target)
    kinds = Counter(str(e.get("type")) for e in answer.get("successResults") or ())
    return [f"{kind}: {n} imported" for kind, n in sorted(kinds.items())] or [f"{answer['successCount']} imported"]
