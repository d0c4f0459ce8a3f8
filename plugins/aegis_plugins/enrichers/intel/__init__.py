"""Marks rows in which an indicator of the intel lists occurs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aegis_enrich.lookup import Codes
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.tables import TYPES

from .indicators import Indicator
from .lists import Lists

Places = npt.NDArray[np.int32]
Found = tuple[str, list[Indicator | None], Places]  # a column, what was found in it, and which of it is in each row

_ENDS = (("orig_h", "address"), ("resp_h", "address"))
_TLS = (("server_name", "domain"), ("ja4", "ja4"), ("ja3", "ja3"), ("ja3s", "ja3s"))
# What is looked up where; of equally severe hits of a row the first counts. The ends of a connection are looked up in
# conn and in the logs that are written while it lasts, so that a hit need not wait for its end.
_LOOKED_UP: dict[str, tuple[tuple[str, str], ...]] = {
    **dict.fromkeys(("conn", "open_conn", "ssh", "rdp", "smtp", "ftp"), _ENDS),
    "dns": (("query", "domain"), ("answers", "answer")),
    **dict.fromkeys(("ssl", "open_ssl"), (("cert_chain_fps", "hash"), *_TLS, *_ENDS)),
    "quic": (*_TLS, *_ENDS),
    **dict.fromkeys(("http", "open_http"), (("uri", "url"), ("host", "domain"), *_ENDS)),
    "files": (("sha256", "hash"), ("sha1", "hash"), ("md5", "hash")),
    "x509": (("fingerprint", "hash"), ("san_dns", "domain")),
    "aegis_scan": (("orig_h", "address"),),
}
_URL = ("uri", "host", "resp_h")  # what a URL is put together from
_COLUMNS = (
    Column("intel_indicator", "string", "the indicator that occurs in the row; of several the most severe"),
    Column("intel_kind", "string", "its kind: address, cidr, domain, url, hash, ja3, ja3s or ja4"),
    Column("intel_source", "string", "the list that it comes from"),
    Column("intel_severity", "count", "how bad its list says it is", unit="0-100"),
    Column("intel_column", "string", "the column of the row in which it occurs"),
)


class Intel(Enricher):
    """Settings: `paths`, files and folders of lists (a folder's *.txt, *.csv, *.list, *.intel; see this plugin's
    README); `severity` of indicators without one (73)."""

    name = "intel"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        table: tuple(dict.fromkeys(c for column, kind in looked for c in (_URL if kind == "url" else (column,))))
        for table, looked in _LOOKED_UP.items()
    }
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = dict.fromkeys(_LOOKED_UP, _COLUMNS)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._lists = Lists(settings.get("paths", ()), severity=settings.get("severity", 73))
        self._take()

    @property
    def bad_lines(self) -> int:
        """Lines of the lists in force that are no indicators; the log names them."""
        return self._lists.bad_lines

    def problems(self) -> Sequence[str]:
        return self._lists.problems

    def refresh(self) -> bool:
        if not self._lists.refresh():
            return False
        self._take()
        return True

    def digest(self) -> str:
        return self._lists.digest()

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        found: list[Found] = []
        for column, kind in _LOOKED_UP[table]:
            if self._index.has(kind):
                indicators, places = self._urls(batch) if kind == "url" else self._hits(batch[column], kind)
                if places is not None:
                    found.append((column, indicators, places))
        return _merged(found, len(batch))

    def _take(self) -> None:
        index = self._index = self._lists.index
        finds: dict[str, Callable[[str], Indicator | None]] = {
            **{kind: index.exact[kind].get for kind in ("ja3", "ja3s", "ja4")},
            "address": index.address,
            "domain": index.domain,
            "answer": index.answer,
            "hash": index.hash,
            "url": index.url,
            "url host": index.url_host,
        }
        self._codes = {kind: Codes(find) for kind, find in finds.items()}

    def _hits(self, column: pa.ChunkedArray | pa.Array, kind: str) -> tuple[list[Indicator | None], Places | None]:
        """What was found of this kind until now, and which of it is in each row (0: nothing); None where none is."""
        codes = self._codes[kind]
        if not pa.types.is_list(column.type):
            rows = codes.of(column)
            return codes.results, None if rows is None else rows.fill_null(0).to_numpy()
        lists = column.combine_chunks()
        rows = codes.of(lists.flatten())
        if rows is None:
            return [], None
        places = np.zeros(len(lists), np.int32)
        flat = rows.fill_null(0).to_numpy()
        hits = np.flatnonzero(flat)[::-1]  # backwards: of several in one list the first stays
        places[pc.list_parent_indices(lists).to_numpy()[hits]] = flat[hits]
        return codes.results, places

    def _urls(self, batch: pa.Table) -> tuple[list[Indicator | None], Places | None]:
        """As `_hits`; a URL is put together only where its host is that of an indicator."""
        host, uri, address = (batch[c].combine_chunks().cast(pa.string()) for c in ("host", "uri", "resp_h"))
        host = pc.coalesce(host, address)
        _, on_host = self._hits(host, "url host")
        if on_host is None:
            return [], None
        rows = np.flatnonzero(on_host)
        at = pa.array(rows)
        indicators, hits = self._hits(pc.binary_join_element_wise(host.take(at), uri.take(at), " "), "url")
        if hits is None:
            return [], None
        places = np.zeros(len(batch), np.int32)
        places[rows] = hits
        return indicators, places


def _merged(found: list[Found], rows: int) -> dict[str, pa.Array]:
    """The added columns from the hits in each column: the most severe, of equals that in the first column."""
    if not found:
        return {c.name: pa.nulls(rows, TYPES[c.kind]) for c in _COLUMNS}
    everything = [(indicator, column) for column, indicators, _ in found for indicator in indicators]
    severities = np.array([i.severity if i else -1 for i, _ in everything])
    best = np.zeros(rows, np.int64)  # place 0 of the first column: nothing
    start = 0
    for _, indicators, places in found:
        best = np.where(severities[places + start] > severities[best], places + start, best)
        start += len(indicators)
    fields = [(i.indicator, i.kind, i.source, i.severity, column) if i else (None,) * 5 for i, column in everything]
    at = pa.array(best)
    columns = zip(*fields, strict=True)
    return {c.name: pa.array(v, TYPES[c.kind]).take(at) for c, v in zip(_COLUMNS, columns, strict=True)}
