"""Which tables a Sigma rule's logsource means, and which column (with its type) each of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from sigma.exceptions import SigmaError
from sigma.rule import SigmaLogSource

from ..tables import COLUMN_ALIASES, TABLES
from .fields import ABSENT, COMPUTED, EVE, GENERIC

# Snapshots of what is still open are told of under the closed log's rule, once.
_WITH_OPEN = {"http": ("http", "open_http"), "ssl": ("ssl", "open_ssl")}
_ZEEK = {name: _WITH_OPEN.get(name, (name,)) for name in TABLES if not name.startswith(("open_", "suricata_"))}
_CATEGORIES = {
    "dns": ("dns",),
    "proxy": _WITH_OPEN["http"],
    "webserver": _WITH_OPEN["http"],
    "firewall": ("conn",),
    "network_connection": ("conn",),
}
_SURICATA = {
    **dict.fromkeys(("", "alert", "eve"), ("suricata_alert",)),
    "anomaly": ("suricata_anomaly",),
    "dns": ("dns",),
    "flow": ("conn",),
    "http": ("http",),
    "tls": ("ssl",),
    "fileinfo": ("files",),
    **{s: (s,) for s in ("ssh", "smtp", "rdp", "quic", "dhcp", "ftp", "sip", "ldap")},
}
# Whom an alert of a table is about, where that is not the connection's two ends.
_ENTITY = {
    "x509": ("fingerprint",),
    "dhcp": ("client_addr",),
    "software": ("host",),
    "capture_loss": ("peer",),
    "suricata_stats": ("sensor",),
}
TEXT, TEXTS = ("string", "addr"), ("strings", "addrs")
NUMBER, NUMBERS = ("count", "port", "interval", "double"), ("counts", "ints", "intervals")
_ENGINE = ("sensor", "source", "community_id", "uid", "extra")  # no part of what a log says


class UnknownField(SigmaError):
    """A field that no column holds, or a logsource that no log is."""


@dataclass(frozen=True)
class Column:
    """What a field means: an SQL expression over the table's rows, its kind (a word of `tables.TYPES`).

    `name` is the canonical column, "" where the value is computed; `extra` the field that is looked for in `extra`.
    """

    sql: str
    kind: str
    name: str = ""
    extra: str = ""

    @property
    def several(self) -> bool:
        """Whether it holds lists, one of whose values is enough to match."""
        return self.kind in (*TEXTS, *NUMBERS)


@dataclass(frozen=True)
class Place:
    """The tables of a logsource, alike in their columns, and how its fields are named."""

    tables: tuple[str, ...]
    names: str  # "zeek", "suricata", or a category

    @property
    def table(self) -> str:
        return self.tables[0]

    @property
    def entity(self) -> tuple[str, ...]:
        """The columns that say whom an alert is about."""
        held = TABLES[self.table].schema.names
        return _ENTITY.get(self.table) or tuple(c for c in ("orig_h", "resp_h") if c in held) or ("sensor",)

    @property
    def texts(self) -> tuple[Column, ...]:
        """Every column with text in it, for keywords."""
        kinds = {n: k for n, k in TABLES[self.table].kinds.items() if n not in _ENGINE}
        return tuple(Column(quoted(n), k, n) for n, k in kinds.items() if k in (*TEXT, *TEXTS))

    def column(self, field: str) -> Column:
        """The column of a field; raises UnknownField where there can be none."""
        table, lower = TABLES[self.table], field.lower()
        known = {name.lower(): name for name in table.kinds if name != "extra"}
        for name in self._candidates(lower):
            if name in known:
                return Column(quoted(known[name]), table.kinds[known[name]], known[name])
        if lower in COMPUTED.get(self.table, {}):
            return Column(*COMPUTED[self.table][lower])
        if self.names in ("zeek", "suricata") and lower not in ABSENT:
            return Column(_in_extra(field), "strings", extra=field)
        near = ", ".join(get_close_matches(lower, [*known, *GENERIC, *COMPUTED.get(self.table, {})], 3))
        why = ABSENT.get(lower) or (
            f"near to it is {near}" if near else "docs/rules.md lists the fields that there are"
        )
        raise UnknownField(f"{self.table} has no field {field!r}; {why}")

    def _candidates(self, lower: str) -> list[str]:
        aliases = {k.lower(): v for k, v in COLUMN_ALIASES.get(self.table, {}).items()}
        own = [aliases[lower]] if lower in aliases else []
        if self.names == "suricata" and lower in EVE:
            own.append(EVE[lower])
        plain = lower.removeprefix("id.")
        return [n.lower() for n in (*own, plain, plain.replace(".", "_"), *GENERIC.get(lower, ()))]


def place(source: SigmaLogSource) -> Place:
    """The tables that a logsource means; raises UnknownField with what there is."""
    product, category, service = (str(v or "").lower() for v in (source.product, source.category, source.service))
    if product == "zeek":
        return Place(_table(_ZEEK, "service", service or category, "Zeek's log"), "zeek")
    if product == "suricata":
        return Place(_table(_SURICATA, "service", service or category, "Suricata's event"), "suricata")
    if product:
        raise UnknownField(f"logsource: product {product!r} is not what a network sensor logs; use zeek or suricata")
    if not category:
        raise UnknownField(f"logsource: no category; there are {', '.join(_CATEGORIES)}, or product zeek or suricata")
    return Place(_table(_CATEGORIES, "category", category, "category"), category)


def _table(known: Mapping[str, tuple[str, ...]], key: str, word: str, what: str) -> tuple[str, ...]:
    if word not in known:
        there = ", ".join(filter(None, known))
        raise UnknownField(f"logsource: {key} {word!r} is no {what} that is read here; there are {there}")
    return known[word]


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _in_extra(field: str) -> str:
    """A field beyond the table's columns: the log's own name, or, for EVE, a path of names; one value as a list."""
    whole, path = (_json_path([field]), _json_path(field.split(".")))
    value = f"coalesce(json_extract(extra, {whole}), json_extract(extra, {path}))"
    return f"CASE json_type({value}) WHEN 'ARRAY' THEN json_extract_string({value}, '$[*]') ELSE [{value} ->> '$'] END"


def _json_path(names: list[str]) -> str:
    path = "$" + "".join('."' + n.replace("\\", "\\\\").replace('"', '\\"') + '"' for n in names)
    return "'" + path.replace("'", "''") + "'"
