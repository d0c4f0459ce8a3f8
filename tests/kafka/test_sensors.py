"""Keys name sensors; what names thousands names none."""

from __future__ import annotations

import pytest

from aegis_enrich.errors import AegisError
from aegis_enrich.kafka.sensors import LONGEST, MOST, UNNAMED, Sensors


def test_keys_name_sensors():
    keys = [b"lab", None, b"", b" dmz ", b"\x00\x01", "süd".encode(), b"x" * 999]
    assert Sensors().of("p", keys) == ["lab", UNNAMED, UNNAMED, "dmz", UNNAMED, "süd", "x" * LONGEST]
    assert Sensors("all").of("p", keys) == ["all"] * len(keys)


def test_keys_that_are_no_names_are_said():
    sensors = Sensors()
    sensors.of("p", [b"%d" % n for n in range(MOST)])
    sensors.of("other", [b"x"])
    with pytest.raises(AegisError, match=r"^p: its messages name more than 1,000 sensors, such as 'x'"):
        sensors.of("p", [b"x"])
