"""What the documents point at is there: files, headings, commands, settings, recorded scenarios."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from aegis_enrich.cli import group
from aegis_enrich.config import Config

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = {".venv", ".git", ".pytest_cache", "node_modules", "build"}
DOCUMENTS = sorted(p for p in ROOT.rglob("*.md") if not HIDDEN & set(p.relative_to(ROOT).parts))
LINK = re.compile(r"\]\(([^)\s]+)\)")


def names() -> list[str]:
    return [str(p.relative_to(ROOT)) for p in DOCUMENTS]


@pytest.mark.parametrize("path", DOCUMENTS, ids=names())
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not _leads(path, link)] == []


def _leads(path: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return False
    return not heading or heading in _headings(target)


def _headings(path: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("path", DOCUMENTS, ids=names())
def test_commands_are_real(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [said for said in _commands(text) if not _is_command(said)] == []


def _commands(text: str) -> Iterator[str]:
    """What stands behind `aegis-enrich ` in code: in backticks or in a block."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for part in code:
        yield from re.findall(r"\baegis-enrich ((?!aegis-enrich)(?:-v )?[a-z]+(?: [a-z][a-z-]*)?)", part)


def _is_command(said: str) -> bool:
    context = click.Context(group)
    found: click.Command | None = group
    for word in said.removeprefix("-v ").split():
        if not isinstance(found, click.Group):
            return True  # an argument
        found = found.get_command(context, word)
        if found is None:
            return False
    return True


def test_options_in_operations_are_real() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    known = {option for command in _leaves(group) for p in command.params for option in p.opts}
    named = {option for line in re.findall(r"`([^`\n]*)`", text) for option in re.findall(r"(?<!\S)--[a-z-]+", line)}
    assert named - known == set()


def _leaves(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _leaves(command.get_command(context, name) or command)


def test_settings_in_operations_are_real() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = {f.name: f.type for f in dataclasses.fields(Config)}
    for section, name in re.findall(r"`(retention|flush|elasticsearch|geo)\.(\w+)`", text):
        assert section in sections
        assert hasattr(getattr(Config(), section), name), f"{section}.{name}"


def test_each_recorded_scenario_is_told_of() -> None:
    text = (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    told = {word for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for word in re.findall(r"\w+", row)}
    data = ROOT / "tests" / "data"
    there = {p.name for p in (data / "lab").iterdir() if p.is_dir()}
    there |= {p.name.removesuffix(".pcap.gz") for p in (data / "pcap").iterdir()}
    assert there - told == set()
    assert told - there - {"scenario", "short"} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "docker").glob("*.y*ml")), ids=lambda p: p.name)
def test_deployment_files_are_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
