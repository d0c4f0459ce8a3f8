"""How windows of many sensors are numbered, so that a number tells its sensor and its bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from ...detect.windows import Window


@dataclass(frozen=True)
class Numbers:
    """Windows of one length whose ends lie on multiples of a step: number = place of the end * sensors + sensor."""

    sensors: tuple[str, ...]
    first_end_us: int
    step_us: int
    length_us: int

    def of(self, sensor: str, window: Window) -> int:
        return (window.end_us - self.first_end_us) // self.step_us * len(self.sensors) + self.sensors.index(sensor)

    def sensor(self, number: int) -> str:
        return self.sensors[number % len(self.sensors)]

    def window(self, number: int) -> Window:
        end_us = self.first_end_us + number // len(self.sensors) * self.step_us
        return Window(end_us - self.length_us, end_us)


def numbered(windows: Mapping[str, Sequence[Window]]) -> Numbers:
    """Numbers for these windows by sensor, of which there is at least one."""
    every = [window for some in windows.values() for window in some]
    first = min(window.end_us for window in every)
    step = gcd(*(window.end_us - first for window in every)) or 1
    return Numbers(tuple(sorted(windows)), first, step, every[0].end_us - every[0].start_us)
