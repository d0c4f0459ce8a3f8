"""Indicators: how they are written, and how values of logs are compared with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import NamedTuple

from aegis_enrich.prefixes import Network, Prefixes, pack, parse_network

KINDS = ("address", "cidr", "domain", "url", "hash", "ja3", "ja3s", "ja4")
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_JA4 = re.compile(r"[tqd][0-9s][0-9][di][0-9]{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]*[a-z0-9]")
_WIDEST = {4: 8, 6: 16}
_PORT = re.compile(r":\d*$")


class Indicator(NamedTuple):
    """One thing to look for; `indicator` in the form in which values are compared with it."""

    indicator: str
    kind: str
    source: str
    severity: int  # 0-100
    description: str | None = None


def refang(text: str) -> str:
    """An indicator as it is, where a report has written it so that nobody clicks on it: `hxxp://bad[.]test`."""
    text = text.replace("[.]", ".").replace("(.)", ".").replace("[:]", ":")
    return "http" + text[4:] if text.startswith("hxxp") else text


def kinds_of(text: str) -> tuple[str, ...]:
    """The kinds that an indicator of a plain list may be; empty for none. 32 hex digits may be an MD5 or a JA3."""
    lower = text.lower()
    if pack(text) is not None:
        return ("address",)
    if _MD5.fullmatch(lower):
        return ("hash", "ja3")
    if _HASH.fullmatch(lower):
        return ("hash",)
    if _JA4.fullmatch(lower):
        return ("ja4",)
    if "/" in text:
        start, _, rest = text.partition("/")
        return ("cidr",) if pack(start) is not None and rest.isdecimal() else ("url",)
    return ("domain",) if "." in text else ()


def normal(text: str, kind: str) -> str:
    """The indicator as values are compared with it; raises ValueError with what is wrong."""
    if kind in ("address", "cidr"):
        return _network(text, kind)
    if kind == "url":
        return _url(text)
    lower = text.lower().removesuffix(".")
    if kind == "domain":
        name = _ascii(lower.removeprefix("*.").removeprefix("."))
        if not _DOMAIN.fullmatch(name):
            raise ValueError(f"{text!r} is no domain; write it like bad.example.com")
        return name
    if not {"hash": _HASH, "ja3": _MD5, "ja3s": _MD5, "ja4": _JA4}[kind].fullmatch(lower):
        raise ValueError(f"{text!r} is no {kind}")
    return lower


def _network(text: str, kind: str) -> str:
    network = parse_network(text)
    alone = network.prefixlen == network.max_prefixlen
    if kind == "address" and not alone:
        raise ValueError(f"{text!r} is no address; its kind is cidr")
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(f"{text!r} holds too much; write /{_WIDEST[network.version]} or longer")
    if network.is_loopback or network.is_unspecified or network.is_multicast:
        raise ValueError(f"{text!r} is no one's address; leave it out")
    return str(network.network_address) if alone else str(network)


def _ascii(name: str) -> str:
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def _url(text: str) -> str:
    """Host (without port: Zeek often writes none) and path with query, without scheme and fragment."""
    rest = text.partition("://")[2] if "://" in text else text
    end = re.search(r"[/?#]", rest)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    path = path.partition("#")[0]
    host = host_of(authority.rpartition("@")[2])
    if pack(host) is None and not _DOMAIN.fullmatch(host):
        raise ValueError(f"{text!r} is no URL; write it like http://bad.example.com/path")
    return host + (path if path.startswith("/") else "/" + path)


def host_of(authority: str) -> str:
    """The host of a Host header or of a URL: without port, brackets and trailing dot, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    host = _PORT.sub("", authority) if authority.count(":") == 1 else authority
    return _ascii(host.lower().removesuffix("."))


class Index:
    """The indicators, arranged for looking up; of equal ones the most severe counts, then by source."""

    def __init__(self, indicators: Iterable[Indicator] = ()) -> None:
        self.exact: dict[str, dict[str, Indicator]] = {kind: {} for kind in KINDS}
        for indicator in indicators:
            known = self.exact[indicator.kind].setdefault(indicator.indicator, indicator)
            if _rank(indicator) < _rank(known):
                self.exact[indicator.kind][indicator.indicator] = indicator
        self._networks: Prefixes[Indicator] = Prefixes((_as_network(text), i) for text, i in self.exact["cidr"].items())
        self._url_hosts = {url.partition("/")[0]: i for url, i in self.exact["url"].items()}

    def has(self, kind: str) -> bool:
        """Whether anything can be found of this kind."""
        kinds = {"address": ("address", "cidr"), "answer": ("address", "cidr", "domain")}.get(kind, (kind,))
        return any(self.exact[k] for k in kinds)

    def address(self, value: str) -> Indicator | None:
        """The address itself or the longest network around it."""
        return self.exact["address"].get(value) or self._networks.find(value)

    def domain(self, value: str) -> Indicator | None:
        """The name itself or the nearest domain above it."""
        name, domains = host_of(value), self.exact["domain"]
        while name:
            if name in domains:
                return domains[name]
            name = name.partition(".")[2]
        return None

    def answer(self, value: str) -> Indicator | None:
        """An answer of DNS: an address or a name."""
        return self.address(value) or self.domain(value)

    def hash(self, value: str) -> Indicator | None:
        """A file's or a certificate's, with or without colons."""
        return self.exact["hash"].get(value.replace(":", "").lower())

    def url_host(self, value: str) -> Indicator | None:
        """Any URL on this host."""
        return self._url_hosts.get(host_of(value))

    def url(self, value: str) -> Indicator | None:
        """A host, a blank and the request's target, which is a whole URL where a proxy is asked."""
        host, _, target = value.partition(" ")
        if not target.startswith("/"):
            host, slash, path = target.partition("://")[2].partition("/")
            target = slash + path
        return self.exact["url"].get(host_of(host) + (target if target.startswith("/") else "/" + target))


def _rank(indicator: Indicator) -> tuple[int, str, str]:
    return -indicator.severity, indicator.source, indicator.description or ""


def _as_network(text: str) -> Network:
    return ip_network(text)
