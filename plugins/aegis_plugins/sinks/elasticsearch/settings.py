"""Settings of a server: where it is, who we are there, and by which proxy."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from aegis_enrich.errors import ConfigError

TIMEOUT_S = 30.0
CLOUD_PORT = 443


@dataclass(frozen=True)
class Settings:
    """A section of the configuration, read and checked."""

    section: str  # its name, for messages
    urls: tuple[str, ...]  # without credentials
    basic_auth: tuple[str, str] | None
    api_key: str
    ca_certs: str
    fingerprint: str
    proxy: str
    timeout_s: float
    pipeline: str

    @property
    def target(self) -> str:
        return ",".join(self.urls)


def read(section: str, settings: Mapping[str, Any], environment: str = "AEGIS_ES") -> Settings:
    """Secrets of the environment (`<environment>_API_KEY`, `_PASSWORD`) count where the section has none.

    Raises ConfigError, also where a URL or the cloud id is none.
    """
    urls = _urls(section, settings)
    plain = tuple(_plain(url) for url in urls)
    in_url = next(((unquote(u.username), unquote(u.password or "")) for u in urls if u.username), None)
    username = str(settings.get("username") or "")
    password = str(settings.get("password") or os.environ.get(f"{environment}_PASSWORD") or "")
    if username and not password:
        raise ConfigError(f"no password; set it, or {environment}_PASSWORD", where=f"{section}.username")
    basic = in_url or ((username, password) if username else None)
    ca_certs = str(settings.get("ca_certs") or "")
    if ca_certs and not Path(ca_certs).is_file():
        raise ConfigError("no such file", where=f"{section}.ca_certs: {ca_certs}")
    return Settings(
        section=section,
        urls=plain,
        basic_auth=basic,
        api_key="" if basic else str(settings.get("api_key") or os.environ.get(f"{environment}_API_KEY") or ""),
        ca_certs=ca_certs,
        fingerprint=str(settings.get("fingerprint") or ""),
        proxy=_proxy(section, str(settings.get("proxy") or ""), urls[0]),
        timeout_s=float(settings.get("timeout_s") or TIMEOUT_S),
        pipeline=str(settings.get("pipeline") or ""),
    )


def _urls(section: str, settings: Mapping[str, Any]) -> list[SplitResult]:
    where = f"{section}.url"
    given, cloud_id = str(settings.get("url") or ""), str(settings.get("cloud_id") or "")
    if given and cloud_id:
        raise ConfigError(f"{section}.cloud_id is set too; set one of them", where=where)
    if cloud_id:
        return [urlsplit(of_cloud(cloud_id, f"{section}.cloud_id"))]
    urls = [urlsplit(text.strip()) for text in given.split(",") if text.strip()]
    if not urls:
        raise ConfigError("no server is named; write it like https://host:9200", where=where)
    for url in urls:
        try:
            right = url.scheme in ("http", "https") and url.hostname and url.port
        except ValueError:  # a port that is no number
            right = False
        if not right:
            raise ConfigError(f"{_plain(url)!r} is no URL; write it like https://host:9200", where=where)
    return urls


def of_cloud(cloud_id: str, where: str) -> str:
    """The URL that an Elastic Cloud ID holds: `name:` and, in base64, `domain[:port]$id of Elasticsearch$…`."""
    try:
        held = base64.b64decode(cloud_id.rpartition(":")[2].encode("ascii"), validate=True).decode("ascii")
        domain, elasticsearch, *_ = held.split("$")
    except (binascii.Error, ValueError):
        domain = elasticsearch = ""
    host, _, port = domain.partition(":")
    if not host or not elasticsearch or not (port or "0").isdigit():
        raise ConfigError("is no cloud ID; copy it from the deployment's page in Elastic Cloud", where=where)
    return f"https://{elasticsearch}.{host}:{port or CLOUD_PORT}"


def _plain(url: SplitResult) -> str:
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def _proxy(section: str, given: str, url: SplitResult) -> str:
    """The setting (`none` for none), else what the environment has for this scheme and host; never to this machine."""
    if given == "none":
        return ""
    proxy = given or ("" if _spared(str(url.hostname)) else urllib.request.getproxies().get(url.scheme, ""))
    parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}") if proxy else None
    if parts is None:
        return ""
    if parts.scheme != "http" or not parts.hostname:
        what = f"{_plain(parts)!r} is no HTTP proxy; write it like http://proxy:3128, or none"
        raise ConfigError(what, where=f"{section}.proxy" if given else f"the environment's proxy for {url.scheme}")
    return parts.geturl()


def _spared(host: str) -> bool:
    """Whether the environment's proxies are not for this host: NO_PROXY, and this machine itself."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return loopback or bool(urllib.request.proxy_bypass(host))
