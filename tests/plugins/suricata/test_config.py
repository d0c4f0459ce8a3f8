"""aegis.yaml: Suricata takes it; it turns on what the decoder reads, no more and no less; other settings stay."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis_enrich.config import shipped
from aegis_enrich.decode.eve.shapes import TABLES_OF

CONFIG = Path(__file__).parents[3] / "plugins" / "suricata" / "aegis.yaml"
DATA = Path(__file__).parents[2] / "data"
# Types as the configuration names them, by the event type they write.
WRITES = {"fileinfo": {"files"}, "http": {"http", "http2"}}


def settings() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


def test_the_shipped_file_is_found() -> None:
    assert (shipped("suricata", "plugins/suricata") / "aegis.yaml").read_bytes() == CONFIG.read_bytes()


def test_it_writes_the_event_types_that_are_read_and_no_others() -> None:
    (output,) = settings()["outputs"]
    written = [t if isinstance(t, str) else next(iter(t)) for t in output["eve-log"]["types"]]
    assert sorted(written) == sorted(n for t in TABLES_OF for n in WRITES.get(t, {t}))


def test_suricata_takes_it(suricata, tmp_path) -> None:
    done = suricata("-T", "-S", "/dev/null", "-l", tmp_path)
    assert done.returncode == 0, done.stderr
    assert not re.search(r"^(E|W|Error|Warning):", done.stdout + done.stderr, re.MULTILINE), done.stderr


def test_it_can_be_included_from_the_end_of_a_configuration(suricata, base, tmp_path) -> None:
    config = tmp_path / "suricata.yaml"
    config.write_text(f"{base.read_text()}\ninclude: {CONFIG}\n")
    done = suricata("--dump-config", "-l", tmp_path, config=config, include=False)
    assert "\noutputs.0.eve-log.community-id = yes" in done.stdout
    assert "\noutputs.1" not in done.stdout


def test_it_changes_no_other_setting(suricata, tmp_path) -> None:
    config = tmp_path / "suricata.yaml"
    config.write_text(
        "%YAML 1.1\n---\nstats:\n  interval: 30\noutputs:\n  - fast:\n      enabled: yes\n"
        "app-layer:\n  protocols:\n    tls:\n      enabled: yes\n      detection-ports:\n        dp: 443, 8443\n"
        "      ja3-fingerprints: no\n    ssh:\n      enabled: yes\n"
    )
    done = suricata("--dump-config", "-l", tmp_path, config=config)
    found = dict(line.split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    assert found["app-layer.protocols.tls.detection-ports.dp"] == "443, 8443"
    assert found["app-layer.protocols.tls.ja3-fingerprints"] == "yes"
    assert (found["app-layer.protocols.ssh.enabled"], found["app-layer.protocols.ssh.hassh"]) == ("yes", "yes")
    assert (found["stats.interval"], found["stats.enabled"]) == ("30", "yes")
    # but the list of outputs is another
    assert found["outputs.0"] == "eve-log" and not any("fast" in name for name in found)


def test_outputs_of_one_s_own_are_added_as_the_readme_says(suricata, base, tmp_path) -> None:
    (written,) = re.findall(r"```yaml\n(%YAML.*?)```", (CONFIG.parent / "README.md").read_text(), re.DOTALL)
    own = tmp_path / "own-outputs.yaml"
    own.write_text(written.replace("filetype: syslog", "filename: siem.json"))
    config = tmp_path / "suricata.yaml"
    config.write_text(f"{base.read_text()}\ninclude:\n  - {CONFIG}\n  - {own}\n")
    folder, capture = tmp_path / "logs", tmp_path / "capture.pcap"
    folder.mkdir()
    capture.write_bytes(gzip.decompress((DATA / "pcap" / "scan_horizontal.pcap.gz").read_bytes()))
    rules = CONFIG.parent / "aegis.rules"
    done = suricata("-k", "none", "-S", rules, "-r", capture, "-l", folder, config=config, include=False)
    assert done.returncode == 0, done.stderr
    assert len((folder / "fast.log").read_text().splitlines()) == 2
    assert [json.loads(e)["event_type"] for e in (folder / "siem.json").read_text().splitlines()] == ["alert"] * 2
    assert (folder / "eve.json").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("scenario", "event_type", "names"),
    [
        ("benign_tls_part", "tls", ("sni", "ja3.hash", "ja3s.string", "ja4", "version")),
        ("beacon_https", "tls", ("subject", "issuerdn", "serial", "fingerprint", "notbefore", "notafter", "ja4")),
        ("benign_tls_part", "ssh", ("client.hassh.hash", "server.hassh.hash", "client.software_version")),
        ("beacon_http", "http", ("hostname", "url", "http_user_agent", "http_content_type", "status", "length")),
        ("beacon_http", "fileinfo", ("filename", "size", "md5", "sha1", "sha256")),
        ("beacon_http", "dns", ("version", "type", "id", "rcode", "answers")),
        ("beacon_http", "stats", ("decoder.pkts", "tcp.reassembly_gap", "flow.memcap", "uptime")),
        ("scan_vertical", "flow", ("pkts_toserver", "bytes_toclient", "start", "end", "state")),
    ],
)
def test_events_have_what_is_asked_for(replay, scenario: str, event_type: str, names: tuple[str, ...]) -> None:
    lines = (replay(scenario) / "eve.json").read_text().splitlines()
    events = [e for e in map(json.loads, lines) if e["event_type"] == event_type]
    assert events
    assert event_type == "stats" or all(e.get("community_id") for e in events)
    held: set[str] = set().union(*(flat(e[event_type]) for e in events))
    assert set(names) <= held


def flat(value: dict[str, Any], prefix: str = "") -> set[str]:
    """The dotted names of what is in a nested object."""
    names: set[str] = set()
    for name, inner in value.items():
        names |= flat(inner, f"{prefix}{name}.") if isinstance(inner, dict) else {prefix + name}
    return names


def test_flows_have_their_tcp_flags(replay) -> None:
    lines = (replay("scan_vertical") / "eve.json").read_text().splitlines()
    flows = [e for e in map(json.loads, lines) if e["event_type"] == "flow"]
    assert all({"tcp_flags_ts", "tcp_flags_tc", "state"} <= e["tcp"].keys() for e in flows if e["proto"] == "TCP")
