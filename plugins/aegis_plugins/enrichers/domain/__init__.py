"""Cuts host names to their registered domain by the Public Suffix List that is installed here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal

import pyarrow as pa
from publicsuffixlist import PublicSuffixList

from aegis_enrich.lookup import Lookup
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.prefixes import pack

_PORT = re.compile(r":\d*$")
_REVERSE = ("in-addr.arpa", "ip6.arpa")
_NAMES = {  # table -> column that holds a name, and how the added columns begin
    "dns": ("query", "query"),
    "ssl": ("server_name", "server"),
    "open_ssl": ("server_name", "server"),
    "quic": ("server_name", "server"),
    "http": ("host", "host"),
    "open_http": ("host", "host"),
}


def _columns(prefix: str) -> tuple[Column, ...]:
    domain = Column(f"{prefix}_domain", "string", "registered domain of the name, by the Public Suffix List")
    return (
        (domain, Column(f"{prefix}_suffix", "string", "public suffix of the name")) if prefix == "query" else (domain,)
    )


@cache
def _public_suffixes() -> PublicSuffixList:
    """The list, parsed once a process."""
    return PublicSuffixList()


class Domain(Enricher):
    """No settings. The list's private section counts: `a.github.io` is a registered domain, `github.io` a suffix."""

    name = "domain"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {table: (column,) for table, (column, _) in _NAMES.items()}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {t: _columns(prefix) for t, (_, prefix) in _NAMES.items()}

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._list = _public_suffixes()
        self._lookup = Lookup(self.split, (pa.string(), pa.string()))

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        (column,) = self.reads[table]
        return {c.name: values for c, values in zip(self.adds[table], self._lookup(batch[column]), strict=False)}

    def describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        domain, suffix = (kind == "domain" and self.split(value)) or (None, None)
        if domain is None:
            return {}
        subdomain = clean(value)[: -len(domain) - 1]
        fields = {"registered_domain": domain, "top_level_domain": suffix}
        return fields | ({"subdomain": subdomain} if subdomain else {})

    def split(self, name: str) -> tuple[str | None, str | None] | None:
        """Registered domain and public suffix of a host name (a port is cut off), in lower case.

        None for addresses, single labels and what is no name; no domain for a suffix itself and for reverse zones. A
        top-level domain that the list does not know counts as one.
        """
        host = clean(name)
        if "." not in host or pack(host) is not None:
            return None
        suffix = self._list.publicsuffix(host)
        if suffix is None:
            return None
        return (None if suffix in _REVERSE else self._list.privatesuffix(host)), suffix


def clean(name: str) -> str:
    """A host name as it is compared: without port, brackets and trailing dot, in lower case."""
    host = name.strip()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return (_PORT.sub("", host) if host.count(":") == 1 else host).lower().removesuffix(".")
