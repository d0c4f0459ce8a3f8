"""The public rules, where a copy of SigmaHQ's repository is given by AEGIS_SIGMA_RULES: for each a hit and a miss made
of its own condition, as Zeek writes them, through the whole of the pipeline."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule
from sigma_conditions import Unmade, row

from aegis_enrich import registry
from aegis_enrich.config import Config
from aegis_enrich.decide import load_rules
from aegis_enrich.follow import Follower
from aegis_enrich.pipeline.engine import Engine, assemble
from aegis_enrich.sigma.compiled import compiled
from aegis_enrich.sigma.taxonomy import place
from aegis_enrich.store import Store
from aegis_enrich.tables import TABLES

GIVEN = os.environ.get("AEGIS_SIGMA_RULES", "")
FOLDERS = ("rules", "rules-emerging-threats", "rules-threat-hunting", "rules-compliance")
CATEGORIES = ("dns", "proxy", "webserver", "firewall")
START_S = 1_767_571_200
# Those that no network shows, with the field that says so.
UNREAD = {
    "proxy_hktl_cobalt_strike_malleable_c2_requests.yml": "cs-cookie",
    "web_lnx_exploit_cve_2025_31324_sap_netviewer_webshell_uploaded.yml": "cs-content-type",
}
NAMES = {"orig_h": "id.orig_h", "orig_p": "id.orig_p", "resp_h": "id.resp_h", "resp_p": "id.resp_p"}

pytestmark = pytest.mark.skipif(not GIVEN, reason="AEGIS_SIGMA_RULES names no copy of the public rules")


@dataclass(frozen=True)
class Public:
    path: Path
    rule: SigmaRule

    @property
    def log(self) -> str:
        return place(self.rule.logsource).table


def public(*, zeek: bool) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in FOLDERS:
        for path in sorted((Path(GIVEN) / folder).rglob("*.yml")):
            for data in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                source = data.get("logsource", {})
                if source.get("product") == "zeek" if zeek else _is_generic(source):
                    yield path, data


def _is_generic(source: dict[str, Any]) -> bool:
    return source.get("category") in CATEGORIES and "product" not in source


def test_every_rule_for_zeek_loads_unchanged(tmp_path) -> None:
    found = list(public(zeek=True))
    (tmp_path / "sigma").mkdir()
    for path, _ in found:
        (tmp_path / "sigma" / path.name).write_bytes(path.read_bytes())
    rules = load_rules(tmp_path, {}, lambda table: TABLES[table].schema)
    assert len(rules.rows) == len(found) >= 24 and not rules.off
    assert {r.id for r in rules} == {data["id"] for _, data in found}


def test_generic_rules_compile_but_for_those_that_ask_what_no_network_shows() -> None:
    refused = {}
    compiled_of: Counter[str] = Counter()
    for path, data in public(zeek=False):
        try:
            compiled(SigmaRule.from_dict(data), {})
            compiled_of[data["logsource"]["category"]] += 1
        except SigmaError as error:
            refused[path.name] = str(error)
    assert {name for name, why in refused.items() if UNREAD.get(name, "?") not in why} == set()
    assert set(compiled_of) == set(CATEGORIES) and compiled_of.total() >= 150


def test_each_has_a_hit_and_a_miss(tmp_path) -> None:
    held, unmade = [], []
    for path, data in (*public(zeek=True), *public(zeek=False)):
        rule = SigmaRule.from_dict(data)
        try:
            compiled(rule, {})
            rows = [row(rule, meets=True), row(rule, meets=False)]
        except Unmade:
            unmade.append(path.name)
        except SigmaError:
            assert path.name in UNREAD
        else:
            held.append((Public(path, rule), rows))
    assert sum(p.rule.logsource.product == "zeek" for p, _ in held) >= 24
    assert len(unmade) <= 0.05 * len(held), unmade  # regular expressions for which no text is made here
    uids = _write(tmp_path, held)
    alerts = _analyze(tmp_path)
    wrong = [
        (public.path.name, kind)
        for number, (public, _) in enumerate(held)
        for kind in ("hit", "miss")
        if ((str(public.rule.id), uids[number, kind]) in alerts) is not (kind == "hit")
    ]
    assert wrong == []


def _write(folder: Path, held: list[tuple[Public, list[dict[str, Any]]]]) -> dict[tuple[int, str], str]:
    """Logs in Zeek's JSON, and the rules beside; the uid (of x509 the fingerprint) of each row."""
    (folder / "rules" / "sigma").mkdir(parents=True)
    (folder / "logs").mkdir()
    uids = {}
    for number, (public, rows) in enumerate(held):
        (folder / "rules" / "sigma" / f"{number}_{public.path.name}").write_bytes(public.path.read_bytes())
        for kind, columns in zip(("hit", "miss"), rows, strict=True):
            uid = uids[number, kind] = f"C{kind}{number}"
            ends = {"id.orig_h": f"20.{kind == 'hit':d}.{number // 250}.{number % 250}", "id.resp_h": "192.0.2.9"}
            ends |= {"id.orig_p": 40_000, "id.resp_p": 4_000} if public.log != "x509" else {}
            named = {"ts": START_S + number, "uid": uid, **ends} | {_name(public.log, c): v for c, v in columns.items()}
            if public.log == "x509":
                named = {"ts": START_S, "fingerprint": uid, **{k: v for k, v in named.items() if "certificate" in k}}
            with (folder / "logs" / f"{public.log}.log").open("a", encoding="utf-8") as file:
                file.write(json.dumps({k: v for k, v in named.items() if v is not None}) + "\n")
    return uids


def _name(log: str, column: str) -> str:
    """Zeek's name of a column."""
    if log == "x509":
        return column.replace("certificate_", "certificate.")
    return NAMES.get(column, column)


def _analyze(folder: Path) -> set[tuple[str, str]]:
    """(rule, uid or fingerprint) of every alert."""
    config = Config(state=str(folder / "state"), rules=str(folder / "rules"), threads=1)
    with Store(config.state_dir) as store, Follower({"sensor": [folder / "logs"]}, [], poll=True) as follower:
        engine = Engine(assemble(config, registry.load()), store, follower, {}, live=False)
        engine.run_to_end()
        assert sum(engine.intake.counts.bad.values()) == 0
        documents = [json.loads(text) for (text,) in store.query("SELECT document FROM alerts")]
    return {
        (doc["rule"]["id"], uid)
        for doc in documents
        for uid in (*doc["aegis"]["uids"], doc["aegis"]["entity"].get("fingerprint"))
        if uid
    }
