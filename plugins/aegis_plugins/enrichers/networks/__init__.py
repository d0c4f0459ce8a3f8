"""Names the networks of a row's addresses and says which way it goes, from `networks.yml`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aegis_enrich.lookup import Lookup
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.prefixes import Prefixes, pack
from aegis_enrich.replaced import Replaced

from .site import Site, load

_ORIG = (
    Column("orig_net", "string", "the named network of the originator"),
    Column("orig_internal", "bool", "whether the originator is inside"),
)
_DIRECTIONS = pa.array(["external", "inbound", "outbound", "internal"])  # 2 * orig_internal + resp_internal


class Networks(Enricher):
    """Settings: `path` (networks.yml; without it, or where it is not there, the defaults), `required` (refuse to start
    without the file; false)."""

    name = "networks"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {"*": ("orig_h", "resp_h"), "aegis_scan": ("orig_h",)}
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {
        "*": (
            _ORIG[0],
            Column("resp_net", "string", "the named network of the responder"),
            _ORIG[1],
            Column("resp_internal", "bool", "whether the responder is inside"),
            Column("direction", "string", "internal, outbound, inbound or external, seen from inside"),
        ),
        "aegis_scan": _ORIG,
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._file = Replaced(
            settings.get("path", ""),
            load,
            Site(),
            required=bool(settings.get("required")),
            without="private addresses count as internal",
        )
        self._take(self._file.value)

    def refresh(self) -> bool:
        if not self._file.refresh():
            return False
        self._take(self._file.value)
        return True

    def digest(self) -> str:
        return self._digest

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        orig_net, orig_internal = self._lookup(batch["orig_h"])
        if table == "aegis_scan":
            return {"orig_net": orig_net, "orig_internal": orig_internal}
        resp_net, resp_internal = self._lookup(batch["resp_h"])
        return {
            "orig_net": orig_net,
            "resp_net": resp_net,
            "orig_internal": orig_internal,
            "resp_internal": resp_internal,
            "direction": _direction(orig_internal, resp_internal),
        }

    def inside(self) -> Sequence[str]:
        return [str(network) for network in self._file.value.cidrs()]

    def describe(self, kind: Literal["address", "domain"], value: str) -> Mapping[str, Any]:
        found = self._find(value) if kind == "address" else None
        if found is None:
            return {}
        name, internal = found
        fields = {"locality": "internal" if internal else "external"}
        return fields | ({"network.name": name} if name else {})

    def _take(self, site: Site) -> None:
        self._names: Prefixes[str] = Prefixes(site.named())
        self._inside: Prefixes[bool] = Prefixes(site.inside())
        self._lookup = Lookup(self._find, (pa.string(), pa.bool_()))
        facts = [sorted((str(n), v) for n, v in entries) for entries in (site.named(), site.inside())]
        self._digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _find(self, address: str) -> tuple[str | None, bool] | None:
        packed = pack(address)
        return None if packed is None else (self._names.find_packed(packed), bool(self._inside.find_packed(packed)))


def _direction(orig_internal: pa.Array, resp_internal: pa.Array) -> pa.Array:
    """As Zeek and ECS say it; null where one of the two is no address."""
    unknown = pc.or_(pc.is_null(orig_internal), pc.is_null(resp_internal)).to_numpy(zero_copy_only=False)
    orig = orig_internal.fill_null(False).to_numpy(zero_copy_only=False)
    resp = resp_internal.fill_null(False).to_numpy(zero_copy_only=False)
    return _DIRECTIONS.take(pa.array(2 * orig.astype(np.int8) + resp, mask=unknown))
