"""States that the report is made of, a reader of its HTML, and a browser where there is one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis_enrich.cli import main
from aegis_enrich.config import load as configuration
from aegis_enrich.correlate.load import load_correlation
from aegis_enrich.decide import load_rules
from aegis_enrich.registry import load
from aegis_enrich.report.contents import Contents, Reading, read
from aegis_enrich.report.page import page
from aegis_enrich.store import Store

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "\"'></title></style></script></td><script>document.documentElement.dataset.pwned=1</script>"
HOSTILE += "<img src=x onerror=alert(1)>\u202e\x00"


@pytest.fixture(scope="session")
def reading() -> Reading:
    """With the rules that ship."""
    config = configuration(None)
    rules = load_rules(config.rules_dir, load().detectors)
    return Reading(rules=rules, correlation=load_correlation(config.rules_dir, [r.id for r in rules]))


def analyzed(root: Path, *logs: Path | str) -> Path:
    with pytest.raises(SystemExit) as ended:
        main(["analyze", *map(str, logs), "--state", str(root)])
    assert not ended.value.code
    return root


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One incident: scan, guessing, beacon, scan, guessing, tunnel, upload."""
    return analyzed(tmp_path_factory.mktemp("report") / "multistage", LAB / "multistage/tsv")


@pytest.fixture(scope="session")
def quiet_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing is found in it."""
    return analyzed(tmp_path_factory.mktemp("report") / "benign", LAB / "benign_tls/tsv")


def contents_of(root: Path, reading: Reading) -> Contents:
    with Store(root, read_only=True) as store:
        return read(store, reading)


@pytest.fixture(scope="session")
def contents(state: Path, reading: Reading) -> Contents:
    return contents_of(state, reading)


@pytest.fixture(scope="session")
def quiet(quiet_state: Path, reading: Reading) -> Contents:
    return contents_of(quiet_state, reading)


@pytest.fixture(scope="session")
def html(contents: Contents) -> str:
    return page(contents)


KNOWN = (
    "10.10.0.14",
    "203.0.113.66",
    "tunnel.test",
    "Brute force",
    "Port scan",
    "T1046",
    "Break-in",
    "C0hacR3n7S8ae6vfZj",
)


def spoiled(value: Any) -> Any:
    """A document whose values are hostile wherever one of these is in them."""
    if isinstance(value, dict):
        return {k: spoiled(v) for k, v in value.items()}
    if isinstance(value, list):
        return [spoiled(v) for v in value]
    if isinstance(value, str):
        for known in KNOWN:
            value = value.replace(known, known + HOSTILE)
    return value


@pytest.fixture(scope="session")
def hostile(state: Path, reading: Reading, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The same incident, where hosts, names, rules and logs are called what breaks out of a careless page."""
    root = tmp_path_factory.mktemp("report") / "hostile"
    shutil.copytree(state, root)
    with contextlib.closing(sqlite3.connect(root / "state.db")) as db, db:
        for table, key in (("alerts", "alert_id"), ("incidents", "incident_id")):
            for ident, text in db.execute(f"SELECT {key}, document FROM {table}").fetchall():
                document = json.dumps(spoiled(json.loads(text)))
                db.execute(f"UPDATE {table} SET document = ? WHERE {key} = ?", (document, ident))
        db.execute("UPDATE logs SET name = name || ?", (HOSTILE,))
        db.execute("INSERT INTO dead_letters (origin, offset, reason, body) VALUES ('x', 0, ?, '')", (HOSTILE,))
    made = contents_of(root, reading)
    talkers = tuple({**row, "host": row["host"] + HOSTILE} for row in made.talkers)
    return dataclasses.replace(made, talkers=talkers, health={HOSTILE: made.health["sensor"]})


@dataclass(frozen=True)
class Browser:
    """Chromium without a head and without a network; `log`: what its console said."""

    command: str
    folder: Path

    def run(self, page: Path, *options: str) -> tuple[str, str]:
        """What it prints, and its log."""
        fixed = ("--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars")
        quiet = ("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={self.folder / 'profile'}")
        done = subprocess.run(
            [self.command, *fixed, *quiet, *options, page.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout, done.stderr

    def dom(self, html: str, script: str = "", *options: str) -> tuple[str, list[str]]:
        """The page after its scripts (and this one, which its policy is lifted for) ran, and the console's lines."""
        if script:
            html = html.replace('http-equiv="Content-Security-Policy"', 'name="policy"')
            html = html.replace("</body>", f"<script>{script}</script></body>")
        file = self.folder / "page.html"
        file.write_text(html, encoding="utf-8")
        out, log = self.run(file, "--dump-dom", *options)
        return out, [line for line in log.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    command = next((c for c in map(shutil.which, BROWSERS) if c), None)
    if command is None:
        pytest.skip("no Chromium; apt-get install chromium")
    yield Browser(command, tmp_path_factory.mktemp("browser"))
