"""Mutated logs through `analyze` and what is shown of them: no crash, every line counted, nothing that is obeyed."""

from __future__ import annotations

import json

from fuzz.pipeline_fuzz import write
from fuzz.program import OBEYED, aegis, letters, read_of

SEED = 5


def test_mutated_logs_go_all_the_way(tmp_path):
    changed = write(tmp_path / "logs", SEED)
    assert changed > 3_000, SEED
    ran = aegis(
        "analyze", tmp_path / "logs", "--state", tmp_path / "s", "-o", tmp_path / "a.ndjson",
        "--report", tmp_path / "r.html", cwd=tmp_path, timeout_s=400,
    )  # fmt: skip
    assert ran.code == 0, (SEED, ran.err[-2000:])
    assert not OBEYED.search(ran.out + ran.err), SEED
    read = read_of(tmp_path / "s")
    assert sum(bad for _, bad in read.values()) == len(letters(tmp_path / "s")) > 1_000, SEED
    documents = [json.loads(line) for line in (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines()]
    assert {d["rule"]["id"] for d in documents} >= {"beaconing", "dns_tunnel", "port_scan"}, SEED
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    for command in (("alerts", "list"), ("incidents", "list"), ("hosts",), ("doctor",)):
        shown = aegis(*command, "--state", tmp_path / "s", cwd=tmp_path)
        assert shown.code == 0 or command == ("doctor",), (command, shown.err)
        assert not OBEYED.search(shown.out + shown.err), command
