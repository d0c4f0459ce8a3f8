"""However a sensor's logs are rotated, what it has written lies in its files, each line once."""

from __future__ import annotations

import gzip
import random
from collections import Counter

import pytest
from chaos.sensor import SCHEMES, STEP_US, Sensor, made_scene, steps


@pytest.fixture(scope="module")
def scene():
    return made_scene(1, 1.0)


def test_a_seed_gives_a_scene(scene):
    assert made_scene(1, 1.0) == scene
    assert made_scene(2, 1.0) != scene


def test_steps_are_shorter_than_rows_may_be_late(scene):
    found = steps(scene)
    begins = [0, *(end for end, _ in found)]
    assert begins[-1] == len(scene.lines)
    for begin, (end, end_us) in zip(begins, found, strict=False):
        assert end > begin
        assert end_us - STEP_US <= scene.lines[begin][0] <= scene.lines[end - 1][0] < end_us


@pytest.mark.parametrize("seed", range(3))
def test_every_line_is_there_once(scene, tmp_path, seed):
    rng = random.Random(seed)
    sensor = Sensor(scene, tmp_path / "logs", tmp_path / "state", rng)
    while not sensor.ended:
        sensor.step(lambda seconds: None)
        if rng.random() < 0.1:
            sensor.rotate()
        if rng.random() < 0.1:
            sensor.compress()
    files = [p for p in (tmp_path / "logs").rglob("*") if p.is_file()]
    lines = Counter(line for p in files for line in _read(p).splitlines() if not line.startswith(b"#"))
    assert lines == Counter(text.rstrip(b"\n") for _, _, line in scene.lines for text in line.splitlines())
    assert not sensor.done["restart truncates"]  # nobody has read a line
    assert len([what for what, number in sensor.done.items() if number]) >= len(SCHEMES)


def _read(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data
