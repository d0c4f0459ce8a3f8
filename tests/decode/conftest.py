"""Logs for the decoder's tests: the lab's, and small ones made up line by line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from aegis_enrich.decode import Decoded, decode

LAB = Path(__file__).parent.parent / "data" / "lab"


@pytest.fixture(scope="session")
def lab() -> Callable[[str], bytes]:
    """The bytes of a lab log, such as `benign/tsv/conn.log`, compressed there or not."""

    def read(name: str) -> bytes:
        packed = LAB / f"{name}.gz"
        return gzip.decompress(packed.read_bytes()) if packed.exists() else (LAB / name).read_bytes()

    return read


@pytest.fixture
def table() -> Callable[..., pa.Table]:
    """The one table that a log gives, which must have no bad line."""

    def read(name: str, data: bytes, of: str = "") -> pa.Table:
        found = decode(name, data, offset=0, context="", sensor="lab")
        assert not found.bad
        return found.tables[of or name]

    return read


@pytest.fixture
def whole() -> Callable[[str, bytes], Decoded]:
    return lambda name, data: decode(name, data, offset=0, context="", sensor="lab")
