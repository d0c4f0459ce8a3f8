"""Names as people give them."""

from __future__ import annotations

import re
from random import Random

import pytest

from aegis_plugins.detectors.dga.benign import KINDS, names


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_makes_labels(kind):
    chance = Random("kinds")
    made = [KINDS[kind][1](chance) for _ in range(300)]
    assert all(re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) and len(name) <= 63 for name in made)
    assert len(set(made)) > 100


def test_the_same_seed_makes_the_same_names():
    assert sum(weight for weight, _ in KINDS.values()) == 100
    assert names(50, "a") == names(50, "a") != names(50, "b")
