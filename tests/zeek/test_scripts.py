"""Every Zeek script parses, loads alone where a Zeek is there, and the package installs with zkg."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from zeekscript import Script

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "zeek_scripts").rglob("*.zeek"))
ZEEK = shutil.which("zeek")


def named(script: Path) -> str:
    return str(script.relative_to(ROOT))


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def test_there_are_scripts():
    assert len(SCRIPTS) > 4


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_parses(script: Path):
    parsed = Script(script)
    assert parsed.parse() and not parsed.has_error(), parsed.get_error()


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
@pytest.mark.skipif(ZEEK is None, reason="no zeek on PATH")
@pytest.mark.parametrize("options", [["-a"], ["-b", "-a"]], ids=["default", "bare"])
def test_loads_alone(script: Path, options: list[str]):
    loaded = run(str(ZEEK), *options, script)
    assert loaded.returncode == 0 and not loaded.stderr, loaded.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_says_what_it_is_for(script: Path):
    if script.name != "__load__.zeek":
        assert script.read_text(encoding="utf-8").startswith("##! ")


def test_installs_with_zkg(tmp_path: Path):
    """As `zkg install` does it from a clone; zkg itself needs no Zeek, but says so."""
    clone = tmp_path / "aegis-enrich"
    shutil.copytree(ROOT / "zeek_scripts", clone / "zeek_scripts")
    shutil.copy(ROOT / "zkg.meta", clone)
    git = ["git", "-C", str(clone), "-c", "user.name=test", "-c", "user.email=test@example.test"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "as it is"]):
        subprocess.run([*git, *step], check=True)
    folders = {name: tmp_path / name for name in ("state_dir", "script_dir", "plugin_dir", "bin_dir")}
    config = tmp_path / "zkg.ini"
    config.write_text("[paths]\n" + "".join(f"{name} = {folder}\n" for name, folder in folders.items()))
    zkg = [sys.executable, str(Path(sys.executable).with_name("zkg")), "--configfile", str(config)]
    installed = run(*zkg, "install", "--force", "--skiptests", str(clone))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    package = folders["script_dir"] / "packages" / "aegis-enrich"
    scripts = {p.relative_to(package) for p in package.rglob("*.zeek")}
    assert scripts == {p.relative_to(ROOT / "zeek_scripts") for p in SCRIPTS}
