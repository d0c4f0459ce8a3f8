"""Computes the Community ID (version 1) of rows whose log brings none."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from communityid import icmp, icmp6

from aegis_enrich.errors import ConfigError
from aegis_enrich.lookup import encode
from aegis_enrich.plugin import Column, Enricher
from aegis_enrich.prefixes import pack

_TCP, _UDP, _ICMP, _ICMP6, _SCTP = 6, 17, 1, 58, 132
_NUMBERS = {"tcp": _TCP, "udp": _UDP, "icmp": _ICMP, "icmp6": _ICMP, "ipv6-icmp": _ICMP, "sctp": _SCTP}
_FIVE_TUPLE = ("orig_h", "orig_p", "resp_h", "resp_p", "community_id")
# Tables with a column `proto`, and the transport of those without. What may be either (Kerberos, DCE/RPC) stays null.
_WITH_PROTO = ("conn", "open_conn", "dns", "suricata_alert", "suricata_anomaly")
_TRANSPORT = {
    **dict.fromkeys(("http", "open_http", "ssh", "rdp", "smb_files", "smb_mapping", "ntlm", "ftp", "smtp"), "tcp"),
    "quic": "udp",
}
_LENGTH = 30  # of an id: "1:" and 28 characters of base64
Bytes = npt.NDArray[np.uint8]


class CommunityId(Enricher):
    """Settings: `compute` (false: it takes about as long as decoding and storing the rows), `seed` (0; as in Zeek and
    Suricata)."""

    name = "community_id"
    reads: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(_WITH_PROTO, (*_FIVE_TUPLE, "proto")),
        **dict.fromkeys(("ssl", "open_ssl"), (*_FIVE_TUPLE, "version")),
        **dict.fromkeys(_TRANSPORT, _FIVE_TUPLE),
    }
    adds: ClassVar[Mapping[str, tuple[Column, ...]]] = {
        table: (Column("community_id", "string", "Community ID, version 1, where the log has none"),) for table in reads
    }

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        seed = settings.get("seed", 0)
        if not isinstance(seed, int) or not 0 <= seed <= 0xFFFF:
            raise ConfigError(f"the seed is {seed!r}; write a number from 0 to 65535", where="community_id")
        self._seed = seed.to_bytes(2, "big")

    def enrich(self, table: str, batch: pa.Table) -> Mapping[str, pa.Array]:
        present = batch["community_id"].combine_chunks()
        if not self.settings.get("compute") or present.null_count == 0:
            return {"community_id": present}
        computed = self._compute(batch, _numbers(table, batch))
        return {"community_id": computed if present.null_count == len(present) else pc.coalesce(present, computed)}

    def _compute(self, batch: pa.Table, protos: Bytes) -> pa.Array:
        """An id for each row with a protocol, two addresses of one family and two ports; null for others."""
        orig, orig_size = _addresses(batch["orig_h"])
        resp, resp_size = _addresses(batch["resp_h"])
        orig_p, resp_p = (batch[c].combine_chunks() for c in ("orig_p", "resp_p"))
        usable = (protos > 0) & (orig_size > 0) & (orig_size == resp_size)
        usable &= _is_port(orig_p) & _is_port(resp_p) & ~_is(batch["community_id"])
        ids = np.zeros((len(batch), _LENGTH), np.uint8)
        ports = [p.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64) for p in (orig_p, resp_p)]
        for size in (4, 16):
            rows = np.flatnonzero(usable & (orig_size == size))
            if len(rows):
                ids[rows] = self._ids(size, orig[rows], resp[rows], ports[0][rows], ports[1][rows], protos[rows])
        return _strings(ids, usable)

    def _ids(
        self,
        size: int,
        orig: Bytes,
        resp: Bytes,
        orig_p: npt.NDArray[np.int64],
        resp_p: npt.NDArray[np.int64],
        protos: Bytes,
    ) -> Bytes:
        """The ids of rows of one family, as characters: the smaller end first, then SHA-1."""
        protos = np.where((protos == _ICMP) & (size == 16), np.uint8(_ICMP6), protos)
        resp_p, one_way = _icmp_ports(orig_p, resp_p, protos)
        ends = [
            np.hstack([h, p.astype(">u2").view(np.uint8).reshape(-1, 2)]) for h, p in ((orig, orig_p), (resp, resp_p))
        ]
        first, second = ends
        flip = (_greater(first, second) & ~one_way)[:, None]
        first, second = np.where(flip, second, first), np.where(flip, first, second)
        key = np.zeros((len(protos), 2 + 2 * size + 6), np.uint8)
        key[:, :2] = np.frombuffer(self._seed, np.uint8)
        key[:, 2 : 2 + size], key[:, 2 + size : 2 + 2 * size] = first[:, 16 - size : 16], second[:, 16 - size : 16]
        key[:, -6], key[:, -4:-2], key[:, -2:] = protos, first[:, 16:], second[:, 16:]
        return _hashed(key)


def _numbers(table: str, batch: pa.Table) -> Bytes:
    """The protocol's number of each row, 0 where it is unknown; ICMP of both families is 1."""
    if table in _TRANSPORT:
        return np.full(len(batch), _NUMBERS[_TRANSPORT[table]], np.uint8)
    if table in ("ssl", "open_ssl"):
        datagrams = pc.starts_with(batch["version"].combine_chunks(), "DTLS").fill_null(False)
        return np.where(datagrams.to_numpy(zero_copy_only=False), _UDP, _TCP).astype(np.uint8)
    encoded = encode(batch["proto"])
    numbers = [_NUMBERS.get((v or "").lower(), 0) for v in encoded.dictionary.to_pylist()]
    return np.array([*numbers, 0], np.uint8)[_indices(encoded)]


def _addresses(column: pa.ChunkedArray) -> tuple[Bytes, Bytes]:
    """Each row's address in the last bytes of 16, and its size: 4, 16, or 0 for none."""
    encoded = encode(column)
    packed = [pack(v) or b"" if v else b"" for v in encoded.dictionary.to_pylist()]
    unique = np.frombuffer(b"".join(p.rjust(16, b"\0") for p in [*packed, b""]), np.uint8).reshape(-1, 16)
    sizes = np.array([*map(len, packed), 0], np.uint8)
    indices = _indices(encoded)
    return unique[indices], sizes[indices]


def _indices(encoded: pa.DictionaryArray) -> npt.NDArray[np.int64]:
    """Indices into the dictionary and one more value behind it, which stands for null."""
    filled = encoded.indices.cast(pa.int64()).fill_null(len(encoded.dictionary))
    indices: npt.NDArray[np.int64] = filled.to_numpy(zero_copy_only=False)
    return indices


def _is(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    present: npt.NDArray[np.bool_] = column.combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    return present


def _is_port(ports: pa.Array) -> npt.NDArray[np.bool_]:
    valid = pc.and_(pc.greater_equal(ports, 0), pc.less_equal(ports, 0xFFFF)).fill_null(False)
    is_port: npt.NDArray[np.bool_] = valid.to_numpy(zero_copy_only=False)
    return is_port


def _icmp_ports(
    types: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], protos: Bytes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """For ICMP the answering type instead of the code, and whether there is none; for others the port."""
    ports, one_way = codes.copy(), np.zeros(len(codes), bool)
    for proto, equivalents in ((_ICMP, icmp), (_ICMP6, icmp6)):
        rows = np.flatnonzero(protos == proto)
        pairs, inverse = np.unique(types[rows] << 16 | codes[rows], return_inverse=True)
        found = [equivalents.get_port_equivalents(int(pair) >> 16, int(pair) & 0xFFFF) for pair in pairs]
        ports[rows] = np.array([port for _, port, _ in found], np.int64)[inverse]
        one_way[rows] = np.array([alone for _, _, alone in found], bool)[inverse]
    return ports, one_way


def _greater(first: Bytes, second: Bytes) -> npt.NDArray[np.bool_]:
    """Row-wise comparison of byte strings of 18: address, then port."""
    greater = np.zeros(len(first), bool)
    equal = np.ones(len(first), bool)
    for start, kind in ((0, ">u8"), (8, ">u8"), (16, ">u2")):
        stop = start + np.dtype(kind).itemsize
        a, b = (np.ascontiguousarray(x[:, start:stop]).view(kind).ravel() for x in (first, second))
        greater |= equal & (a > b)
        equal &= a == b
    return greater


def _hashed(keys: Bytes) -> Bytes:
    """`1:` and the base64 of SHA-1 of each key, hashed once per unique key."""
    values = pa.Array.from_buffers(pa.binary(keys.shape[1]), len(keys), [None, pa.py_buffer(keys)])
    encoded = values.dictionary_encode()
    # A digest of 20 bytes and a zero are 28 characters of base64, the last of which stands for the padding.
    text = bytearray(b64encode(b"\0".join([sha1(k).digest() for k in encoded.dictionary.to_pylist()]) + b"\0"))
    text[27::28] = b"=" * len(encoded.dictionary)
    unique = np.empty((len(encoded.dictionary), _LENGTH), np.uint8)
    unique[:, 0], unique[:, 1] = ord("1"), ord(":")
    unique[:, 2:] = np.frombuffer(text, np.uint8).reshape(-1, 28)
    return unique[_indices(encoded)]


def _strings(characters: Bytes, valid: npt.NDArray[np.bool_]) -> pa.Array:
    """An array of strings from rows of characters, null where not valid."""
    lengths = np.where(valid, _LENGTH, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    bitmap = pa.array(valid).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(characters[valid]))
    return pa.Array.from_buffers(pa.string(), len(valid), [bitmap, pa.py_buffer(offsets), data])
