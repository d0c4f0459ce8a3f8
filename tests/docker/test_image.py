"""The image: what the build gets of the tree is enough for the wheel and its demo, and nothing else is let through."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from aegis_enrich import __version__
from aegis_enrich.observe.server import address

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()


def let_through(path: str) -> bool:
    """Whether the build's context has a file: the last pattern that matches it, or a folder above it, decides."""
    parts = path.split("/")
    kept = True
    for pattern in IGNORE:
        bare = pattern.removeprefix("!")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if any(_matches(each, bare) for each in above):
            kept = pattern.startswith("!")
    return kept


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rsplit("/", 1)[-1], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch.fnmatch(path, pattern)


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Path:
    """The tree as `COPY . .` gets it."""
    there = tmp_path_factory.mktemp("context")
    names = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert names
    for name in (n for n in names if let_through(n) and (ROOT / n).is_file()):
        target = there / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return there


def test_only_what_the_wheel_is_made_of_goes_to_the_build(context):
    there = {p.name for p in context.iterdir()}
    assert there == {
        "LICENSE",
        "NOTICE",
        "README.md",
        "aegis_enrich",
        "plugins",
        "pyproject.toml",
        "rules",
        "tests",
        "zeek_scripts",
    }
    assert not let_through("docker/.env") and not let_through(".git/config") and not let_through("docs/style.md")
    assert not let_through("aegis_enrich/cli/__pycache__/main.pyc")
    assert [p.name for p in (context / "tests").iterdir()] == ["data"]


def test_the_wheel_is_built_of_it_and_its_demo_finds_something(context, tmp_path):
    (wheel,) = WheelBuilder(str(context)).build(directory=str(tmp_path / "wheels"), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    home = tmp_path / "empty"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "HOME": "/nonexistent"}
    where = "import aegis_enrich, aegis_plugins; print(aegis_enrich.__file__, aegis_plugins.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=home, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert found.count(str(tmp_path / "site")) == 2
    ran = subprocess.run(
        [sys.executable, "-m", "aegis_enrich", "demo"],
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "port_scan" in ran.stdout and "beaconing" in ran.stdout


def test_the_image_runs_as_no_root_and_is_asked_whether_it_is_alive(parsed):
    words = dict(re.findall(r"^(USER|STOPSIGNAL) (.*)$", DOCKERFILE, flags=re.MULTILINE))
    assert words == {"USER": "aegis", "STOPSIGNAL": "SIGTERM"}
    assert DOCKERFILE.index("\nUSER aegis") < DOCKERFILE.index("\nENTRYPOINT")
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, flags=re.MULTILINE)
    found = parsed([w.strip('"') for w in command[1:-1].split(", ")])
    _, port = address(str(found["metrics"]))
    (check,) = re.findall(r"urlopen\('(http://[^']*)'", DOCKERFILE)
    assert check == f"http://127.0.0.1:{port}/healthz"


def test_what_it_is_made_from_is_pinned():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    assert len(set(bases)) == 1 and re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    compose = (ROOT / "docker" / "compose.yml").read_text(encoding="utf-8")
    assert f"image: aegis-enrich:{__version__}" in compose and f"-t aegis-enrich:{__version__} " in DOCKERFILE


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_has_no_complaint():
    ran = subprocess.run(["hadolint", str(ROOT / "docker" / "Dockerfile")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
