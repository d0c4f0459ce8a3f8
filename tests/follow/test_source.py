"""What the engine reads from is the same, files or not."""

from __future__ import annotations

import pytest

from aegis_enrich.follow import Follower, Source
from aegis_enrich.kafka import KafkaSource

ASKED = {name for name in dir(Source) if not name.startswith("_")}


@pytest.mark.parametrize("kind", [Follower, KafkaSource])
def test_every_source_answers_what_is_asked(kind):
    made = {name for name in ASKED if hasattr(kind, name)}
    assert ASKED - made <= {"lost"}  # an attribute of its own
    assert "pending" in ASKED and "committed" in ASKED
