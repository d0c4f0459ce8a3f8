"""The captures in tests/data are what their recipes make of each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.derived import RECIPES, main, source
from lab.pcaps import read

CAPTURES = Path(__file__).parents[1] / "data" / "pcap"
KEPT = sorted(p.name.removesuffix(".pcap.gz") for p in CAPTURES.glob("*.pcap.gz"))
REMADE = sorted(name for name in KEPT if name in RECIPES)


@pytest.mark.parametrize("name", REMADE)
def test_a_recipe_makes_what_is_kept(name: str) -> None:
    base, edit = RECIPES[name]
    assert edit(read(source(CAPTURES, base))) == read(CAPTURES / f"{name}.pcap.gz")


def test_every_recipe_is_kept() -> None:
    assert sorted(RECIPES) == REMADE


def test_captures_are_small() -> None:
    sizes = {name: (CAPTURES / f"{name}.pcap.gz").stat().st_size for name in KEPT}
    assert {name: size for name, size in sizes.items() if size > 1_500_000} == {}
    assert sum(sizes.values()) < 8_000_000


def test_main_writes_the_named_ones(tmp_path: Path) -> None:
    main([str(CAPTURES), str(tmp_path), "loss_20_span", "scan_slow"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loss_20_span.pcap.gz", "scan_slow.pcap.gz"]
    assert read(tmp_path / "scan_slow.pcap.gz") == read(CAPTURES / "scan_slow.pcap.gz")


def test_a_capture_that_is_not_there_says_how_to_have_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python3 -m lab\.lab run loss_20"):
        main([str(tmp_path), str(tmp_path), "loss_20_span"])
