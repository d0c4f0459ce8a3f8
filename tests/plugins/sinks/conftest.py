"""Documents for sinks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="session")
def golden_documents():
    """The alert documents of all golden cases: of one scenario from several logs, with the same ids."""
    files = sorted(GOLDEN.glob("*.json"))
    return [d for f in files for d in _alerts(json.loads(f.read_text(encoding="utf-8")))]


@pytest.fixture(scope="session")
def golden_alerts(golden_documents):
    """The same, each id once."""
    found = {d["event"]["id"]: d for d in golden_documents}
    assert len(found) > 30
    return list(found.values())


def _alerts(node):
    if isinstance(node, dict) and "aegis" in node and "rule" in node:
        yield node
    elif isinstance(node, (dict, list)):
        for below in node.values() if isinstance(node, dict) else node:
            yield from _alerts(below)
