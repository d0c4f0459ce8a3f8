"""Whose messages are: the sensors that their keys name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ..errors import AegisError

UNNAMED = "sensor"
MOST = 1_000  # sensors in a partition
LONGEST = 200  # bytes of a name


class Sensors:
    """The sensors met in each partition. `fixed`: the one whose all messages are."""

    def __init__(self, fixed: str = "") -> None:
        self._fixed = fixed
        self._met: defaultdict[str, set[str]] = defaultdict(set)

    def of(self, where: str, keys: Sequence[bytes | None]) -> list[str]:
        """The sensor of each message by its key; raises AegisError where keys name no sensors."""
        if self._fixed:
            return [self._fixed] * len(keys)
        names = {key: _name(key) for key in set(keys)}
        for name in set(names.values()):
            self.checked(where, name)
        return [names[key] for key in keys]

    def checked(self, where: str, name: str) -> str:
        """The name, where there are not more names than sensors can be; raises AegisError."""
        met = self._met[where]
        met.add(name)
        if len(met) > MOST:
            what = f"its messages name more than {MOST:,} sensors, such as {name!r}, so these are none"
            what += "; name the sensor with --sensor NAME=kafka://…, or kafka.sensor_field"
            raise AegisError(what, where=where)
        return name


def _name(key: bytes | None) -> str:
    text = (key or b"").decode("utf-8", "replace").strip()
    return text[:LONGEST] if text and text.isprintable() else UNNAMED
