"""Bytes of a log to Arrow tables in the canonical schema: Zeek's TSV and JSON, Suricata's EVE."""

from .decoder import decode
from .result import BadLine, Decoded

__all__ = ["BadLine", "Decoded", "decode"]
