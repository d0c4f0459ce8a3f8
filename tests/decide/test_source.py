"""YAML with lines: where values stand, and what is said of those that are none."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from aegis_enrich.decide.source import Source


def read(tmp_path: Path, text: str) -> Source:
    path = tmp_path / "a.yml"
    path.write_text(text, encoding="utf-8")
    return Source.read(path)


def said(source: Source) -> list[str]:
    return [f"{p.where.rpartition(':')[2]}: {p.what}" for p in source.problems]


def test_values_and_their_lines(tmp_path):
    source = read(tmp_path, "a: 1\nb:\n  - {c: x,\n     d: 2027-01-31}\n  - [1, 2.5, true, null]\n5: y\n")
    assert source.data == {
        "a": 1,
        "b": [{"c": "x", "d": date(2027, 1, 31)}, [1, 2.5, True, None]],
        5: "y",
    }
    path = str(source.path)
    assert source.where("b", 0, "d") == f"{path}:4"
    assert source.where("b", 1, 3) == f"{path}:5"
    assert source.where("b", 0, "no", "such") == f"{path}:3"
    assert source.where("zork") == f"{path}:1"
    assert source.problems == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: [1\nb: 2\n", ["2: not YAML: expected ',' or ']', but got ':'"]),
        ("a: 1\nb: 2\na: 3\n", ["3: 'a' stands here twice; keep one"]),
        ("a: &x\n  b: *x\n", ["2: a value that holds itself"]),
        ("? [1, 2]\n: 3\n", ["1: a key is a single word"]),
        ("a: 1\nb: !!python/name:os.system x\n", None),
        ("a: 1\nb: *nobody\n", None),
    ],
)
def test_what_is_no_value_is_a_problem_with_its_line(tmp_path, text, problems):
    source = read(tmp_path, text)
    assert source.problems
    if problems is not None:
        assert said(source) == problems
    else:
        assert said(source)[0].startswith("2: ")


def test_files_that_cannot_be_read(tmp_path):
    assert "cannot be read" in str(Source.read(tmp_path / "none.yml").problems[0])
    (tmp_path / "b.yml").write_bytes(b"a: \xff\xfe\n")
    assert "not YAML" in str(Source.read(tmp_path / "b.yml").problems[0])


def test_an_empty_file_has_no_data(tmp_path):
    assert read(tmp_path, "# nothing\n").data is None


def test_an_alias_may_be_used_twice(tmp_path):
    source = read(tmp_path, "a: &x {b: 1}\nc: *x\nd: *x\n")
    assert source.data["d"] == {"b": 1}
    assert source.problems == []


def test_what_looks_like_a_date_and_is_none_is_a_text(tmp_path):
    source = read(tmp_path, "a: 2027-13-45\n")
    assert source.data == {"a": "2027-13-45"}
    assert source.day("a") is None
    assert said(source) == ["1: a: '2027-13-45' is not a date; write it like 2027-01-31"]


def test_readers_take_what_fits_and_name_what_does_not(tmp_path):
    source = read(
        tmp_path, "t: two\n  words\nn: 5\nx: [a, b]\ny: [a, 1]\nf: 'yes'\nw: {a: 1}\nd: 2027-01-31 10:00:00\nz: .nan\n"
    )
    assert source.text("t") == "two words"
    assert source.text("n") == ""
    assert source.number("n", default=1) == 5
    assert source.number("missing", default=7) == 7
    assert source.number("t", default=1) == 1
    assert source.number("z", default=1, least=0) == 1
    assert source.texts("x") == ("a", "b")
    assert source.texts("y") == ()
    assert source.flag("f", default=False) is False
    assert source.mapping("w") == {"a": 1}
    assert source.mapping("x") == {}
    assert source.items("w") == []
    assert source.choice("n", ("a", "b"), default="a") == "a"
    assert source.day("d") is None
    assert source.text("absent", required=True) == ""
    assert [p.partition(": ")[0] for p in said(source)] == ["3", "1", "9", "5", "6", "4", "7", "3", "8", "1"]


def test_reading_at_a_place_that_is_not_there_finds_nothing(tmp_path):
    source = read(tmp_path, "a: [1]\n")
    assert source.text("x", "a", 0) == ""
    assert source.text("x", "a", 5) == ""
    assert source.text("x", "b", "c") == ""
    source.unknown_keys(("x",), "a", 0)
    assert source.problems == []
