"""Rules, configuration, networks, assets and lists of indicators gone wrong: each loads, or tells what is wrong."""

# ruff: noqa: E501

from __future__ import annotations

import functools
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from aegis_enrich.config import load as load_config
from aegis_enrich.correlate.load import load_correlation
from aegis_enrich.decide.load import load_rules
from aegis_enrich.decide.testing import Bench
from aegis_enrich.errors import AegisError
from aegis_enrich.registry import load as plugins
from aegis_enrich.yaml_text import ODD
from aegis_plugins.enrichers.assets import load as load_assets
from aegis_plugins.enrichers.intel.lists import load as load_intel
from aegis_plugins.enrichers.networks.site import load as load_networks

from . import mutate

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
MOST_S = 5.0  # of CPU time that one file may take, on any machine
Rng = random.Random

CONFIG = b"""state: /tmp/s
sensors: {a: [/tmp/a, /tmp/b], b: /tmp/c}
rules: rules
intel: [intel]
memory_limit: 512MB
threads: 2
flush: {rows: 1000, seconds: 5}
retention: {rows_days: 30, max_size: 200GB, min_free: 1GB}
elasticsearch: {hosts: ["https://localhost:9200"], verify: true, index_logs: [conn]}
plugins: {webhook: {url: "https://localhost/x"}}
"""
INTEL = b"""indicator,kind,source,severity,description
198.51.100.7,address,us,high,"a, b"
evil.example,domain,,,
hxxp://bad[.]example/x?y=1,url,x,50,
44d88612fea8a8f36de82e1278abb02f,hash,,low,
10.0.0.0/8,network,,critical,z
"""

# Values and pieces that YAML takes in its own way.
SCALARS: list[Any] = [
    None, True, 0, -1, 2**63, 2**64, 10**400, 1e308, float("inf"), float("nan"), "", " ", "x" * 5_000, "\u202e", "\x1b[31m", "(a+)+$",
    "[", "{", "(?=a)", "\\", "{ts}", "{", "}}", "{a.b.c}", "{0}", "%s", "$window_end", "'; DROP TABLE x; --", "*", "10.0.0.0/8", "0.0.0.0/0", "::/0",
    "10.0.0.1/8", "T1071", "T9999", "TA0011", "1d", "-1h", "99999999999d", "2023-02-30", "9999-12-31", "0001-01-01", [], {}, [None], [[]], {"a": {"b": []}}, ["a"] * 2_000,
]  # fmt: skip
PIECES = [
    b"!!python/object/apply:os.system [id]", b"&a [*a]", b"*nowhere", b"<<: {a: b}", b"? [a]", b"\t- x", b"- - - - x", b"--- \n", b"...\n", b"%YAML 9.9\n",
    b"|\n  x", b"!!binary x", b"!!set {a}", b"!!timestamp 0", b"0o777", b"0x" + b"f" * 999, b"1:60:60", b".nan", b"=: x", b"'", b'"', b"\xff", b"\0", b"\xc2\x85", b"[" * 200, b"{a: " * 80,
]  # fmt: skip


@functools.cache
def bench() -> Bench:
    return Bench.of(plugins())


def _of_rules(folder: Path) -> object:
    return load_rules(folder, plugins().detectors, bench().enrichment.schema)


def _of_intel(path: Path) -> object:
    return load_intel(path, severity=73)


@functools.cache
def seeds() -> tuple[tuple[str, bytes, Callable[[Path], object]], ...]:
    """Place in a folder, contents, and what loads the folder or the file."""
    found: list[tuple[str, bytes, Callable[[Path], object]]] = []
    for path in sorted(RULES.rglob("*.yml")):
        place = str(path.relative_to(RULES))
        load: Callable[[Path], object] = _of_rules
        if place == "networks.yml":
            load = load_networks
        elif place.startswith("correlation"):
            load = lambda folder: load_correlation(folder, None)  # noqa: E731
        found.append((place, path.read_bytes(), load))
    found.append(("assets.csv", b"address,name,owner,criticality\n10.0.0.1,a,b,high\nfd00::/8,n,,\n", load_assets))
    found += [("config.yml", CONFIG, load_config)] * 5
    found += [
        (
            "networks.yml",
            (RULES / "networks.yml").read_bytes() + b"internal: [10.0.0.0/8]\nnetworks: {a: 10.1.0.0/16}\n",
            load_networks,
        )
    ]
    return (
        *found,
        ("list.csv", INTEL, _of_intel),
        ("list.txt", (RULES / "intel/local.txt").read_bytes() + b"evil.example # x\n", _of_intel),
    )


def mutated(rng: Rng, data: bytes) -> bytes:
    for _ in range(rng.choice([1, 1, 2, 4])):
        data = rng.choice(
            [
                _value,
                _value,
                _value,
                _value,
                _line,
                _piece,
                mutate.flip,
                mutate.byte,
                mutate.drop,
                mutate.double,
                mutate.insert,
                mutate.cut,
            ]
        )(rng, data)
    return data


def _value(rng: Rng, data: bytes) -> bytes:
    """One value or key of the document given another, anywhere in it."""
    try:
        documents = list(yaml.safe_load_all(data))
    except (yaml.YAMLError, ValueError, *ODD):
        return _line(rng, data)
    here, path = documents, []
    while isinstance(here, (dict, list)) and here and (not path or rng.random() < 0.75):
        key = rng.choice(list(here) if isinstance(here, dict) else range(len(here)))
        path.append((here, key))
        here = here[key]
    if path:
        holder, key = path[-1]
        what = rng.randrange(4)
        if what == 0 and isinstance(holder, dict):
            holder[rng.choice(["x", "id", "enabled", "title", "table", 7, None, "a b", "\u202e"])] = holder.pop(key)
        elif what == 1 and holder is not documents:
            del holder[key]
        else:
            holder[key] = rng.choice(SCALARS)
    return yaml.safe_dump_all(documents, allow_unicode=rng.random() < 0.5, sort_keys=False).encode(
        "utf-8", "surrogatepass"
    )


def _line(rng: Rng, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(4)
    if what == 0:
        lines.insert(at, lines[other])
    elif what == 1:
        lines.pop(at)
    elif what == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = b" " * rng.choice([1, 2, 300]) + lines[at]
    return b"\n".join(lines)


def _piece(rng: Rng, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    key, colon, _ = lines[at].partition(b": ")
    lines[at] = key + colon + rng.choice(PIECES) if colon else rng.choice(PIECES)
    return b"\n".join(lines)


def check(seed: int, number: int) -> bool:
    """Whether a mutated file still loads; raises what is no AegisError, and AssertionError where it takes too long."""
    rng = random.Random(f"{seed}:file:{number}")
    place, data, load = seeds()[number % len(seeds())]
    folder = Path(tempfile.mkdtemp(prefix="aegis-fuzz-"))
    try:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(rng, data))
        begun_s = time.process_time()
        try:
            load(folder if load is _of_rules or "correlation" in place else path)
            loaded = True
        except AegisError as error:
            assert str(error).strip(), "a problem without words"
            loaded = False
        took_s = time.process_time() - begun_s
        assert took_s < MOST_S, f"took {took_s:.1f} s of CPU"
        return loaded
    finally:
        shutil.rmtree(folder)
