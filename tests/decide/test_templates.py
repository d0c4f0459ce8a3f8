"""Texts with columns in braces."""

from __future__ import annotations

from aegis_enrich.decide.source import Source
from aegis_enrich.decide.templates import braced, filled, parse_template, parse_templates


def test_braced_and_filled():
    text = "{orig_h} asked {names} for {{x}} of {resp_h}"
    assert braced(text) == ["orig_h", "names", "resp_h"]
    assert filled(text, {"orig_h": "a", "names": ["b", 5]}) == "a asked b, 5 for {x} of ?"


def test_wrong_braces_are_told_with_their_line(tmp_path):
    path = tmp_path / "a.yml"
    path.write_text("title: 'x {'\nlines:\n  - a  {b}\n  - 'c }'\n")
    source = Source.read(path)
    assert parse_template(source, "title") == ""
    assert parse_templates(source, "lines") == ("a {b}",)
    assert [p.where.rpartition(":")[2] for p in source.problems] == ["1", "4"]
    assert all("write columns as {orig_h} and a brace twice" in p.what for p in source.problems)
