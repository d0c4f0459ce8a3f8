"""YAML of people's files: bombs are refused in an instant, real files are read as ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml

from aegis_enrich.yaml_text import TooMuch, check, compose, compose_all, load, text_of

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
)
MERGES = "a: &a {k: 1}\n" + "".join(
    f"b{i}: &b{i} {{<<: [*{'b' + str(i - 1) if i else 'a'}, *{'b' + str(i - 1) if i else 'a'}]}}\n" for i in range(40)
)
BOMBS = {
    "aliases": LAUGHS,
    "merges": MERGES,
    "brackets": "[" * 100_000,
    "braces": "{a: " * 100_000,
    "indentation": "".join(" " * i + "a:\n" for i in range(2_000)),
    "keys": "? " * 50_000,
    "lists": "- " * 50_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name):
    begun_s = time.process_time()
    for read in (check, compose, compose_all, load):
        with pytest.raises(yaml.YAMLError):
            read(BOMBS[name])
    assert time.process_time() - begun_s < 10


def test_what_is_too_much_says_where():
    with pytest.raises(TooMuch) as told:
        load(LAUGHS)
    assert told.value.problem_mark is not None and told.value.problem_mark.line == 5
    assert "aliases counted" in str(told.value.problem)


def test_aliases_that_people_write():
    assert load("a: &x [1, 2]\nb: *x\nc: [*x, *x]\n") == {"a": [1, 2], "b": [1, 2], "c": [[1, 2], [1, 2]]}
    assert len(compose_all("a: 1\n---\nb: 2\n")) == 2


@pytest.mark.parametrize("text", ["a: !!timestamp 0", "a: !!bool maybe", "a: !!int x", "a: 2023-02-30", "a: !!float x"])
def test_a_tag_that_does_not_fit_is_an_error_of_yaml(text):
    with pytest.raises(yaml.YAMLError):
        load(text)


def test_every_file_of_the_project():
    for path in (Path(__file__).parents[1] / "rules").rglob("*.yml"):
        compose_all(text_of(path))


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.yml")
    with pytest.raises(OSError, match="pipe"):
        text_of(tmp_path / "a.yml")
    (tmp_path / "b.yml").write_bytes(b"a: b\n" * 3_500_000)
    with pytest.raises(OSError, match="too large"):
        text_of(tmp_path / "b.yml")
