"""The configurations that the pages about delivery show are good ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from aegis_enrich.config import load
from aegis_enrich.deliver.sections import make, sections
from aegis_enrich.registry import load as installed

ROOT = Path(__file__).resolve().parents[2]
SINKS = ROOT / "plugins" / "aegis_plugins" / "sinks"
PAGES = [ROOT / "docs" / "delivery.md", *(SINKS / name / "README.md" for name in ("ndjson", "syslog", "webhook"))]
EXAMPLES = [(page, text) for page in PAGES for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=[f"{p.parent.name}-{n}" for n, (p, _) in enumerate(EXAMPLES)])
def test_an_example_is_a_configuration_whose_sinks_check(page, text, tmp_path, monkeypatch) -> None:
    for name in re.findall(r"env:([A-Z_]+)", text):
        monkeypatch.setenv(name, f"https://hooks.test/{name}")
    pem = (ROOT / "tests" / "data" / "tls" / "localhost.pem").read_text()
    (tmp_path / "ca.pem").write_text(pem)
    text = re.sub(r"/etc/ssl/\w+\.pem", str(tmp_path / "ca.pem"), text)
    (tmp_path / "aegis.yml").write_text(text.replace("/var/log/aegis-enrich", str(tmp_path)))
    config = load(tmp_path / "aegis.yml")
    made = make(sections(config, installed(), Path(config.output) if config.output else None))
    assert made
    for sink in made.values():
        sink.close()


def test_there_are_examples_of_each() -> None:
    named = {
        entry.get("sink") for _, text in EXAMPLES for entry in (yaml.safe_load(text).get("plugins") or {}).values()
    }
    assert named >= {"webhook", "syslog"} and len({page for page, _ in EXAMPLES}) == 4


@pytest.mark.parametrize("name", ["webhook", "syslog"])
def test_each_setting_is_told_of(name) -> None:
    module = __import__(f"aegis_plugins.sinks.{name}", fromlist=["Settings"])
    text = (SINKS / name / "README.md").read_text()
    told = set(re.findall(r"`(\w+)`", text))
    assert set(module.Settings.__dataclass_fields__) - told - {"allow_http"} == set()
