"""States of lab data, each made once: multistage with places known, benign_tls, and one without anything."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from aegis_enrich import ask
from aegis_enrich.cli import main
from aegis_enrich.cli.ask import rules_in_force
from aegis_enrich.config import Config, load
from aegis_enrich.store import Store

LAB = Path(__file__).resolve().parents[1] / "data" / "lab"


@dataclass(frozen=True)
class State:
    """A state that is open for reading, and the rules in force."""

    store: Store
    config: Config
    rules: list[dict[str, Any]]

    def understand(self, question: str) -> ask.Asked | ask.NotUnderstood:
        return ask.understand(question, self.store, self.config)

    def ask(self, question: str) -> tuple[ask.Asked, ask.Answer]:
        asked = self.understand(question)
        assert isinstance(asked, ask.Asked), asked.why
        return asked, ask.answer(asked, lambda: self.rules)


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], State]]:
    """A state by its name; made where it is first asked for."""
    made: dict[str, State] = {}
    folder = tmp_path_factory.mktemp("ask")
    config = _configuration(folder)

    def of(name: str) -> State:
        if name not in made:
            made[name] = _state(folder / name, name, config)
        return made[name]

    yield of
    for one in made.values():
        one.store.close()


def _state(root: Path, name: str, config: Path) -> State:
    if name == "empty":
        Store(root).close()
    else:
        arguments = ["analyze", str(LAB / name / "tsv"), "--state", str(root), "--config", str(config), "--json"]
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with quiet[0], quiet[1], pytest.raises(SystemExit) as ended:
            main(arguments)
        assert not ended.value.code
    settings = load(config)
    return State(Store(root, read_only=True), settings, rules_in_force(settings))


def _configuration(folder: Path) -> Path:
    """203.0.113.0/24 is in Russia and its AS is Example Hosting; 198.51.100.0/24 is in the United States."""
    places = MMDBWriter(4, "GeoLite2-Country", languages=["en"], int_type="u32")
    systems = MMDBWriter(4, "GeoLite2-ASN", languages=["en"], int_type="u32")
    for network, code, name, number, owner in (
        ("203.0.113.0/24", "RU", "Russia", 64500, "Example Hosting"),
        ("198.51.100.0/24", "US", "United States", 64501, "Sample Cloud"),
    ):
        places.insert_network(IPSet([network]), {"country": {"iso_code": code, "names": {"en": name}}})
        systems.insert_network(
            IPSet([network]), {"autonomous_system_number": number, "autonomous_system_organization": owner}
        )
    places.to_db_file(str(folder / "country.mmdb"))
    systems.to_db_file(str(folder / "asn.mmdb"))
    config = folder / "aegis.yml"
    config.write_text("geo: {country: country.mmdb, asn: asn.mmdb}\n", encoding="utf-8")
    return config
