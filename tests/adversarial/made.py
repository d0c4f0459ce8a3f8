"""Logs of networks that are busy, odd and harmless, as Zeek would write them; drawn with a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

START_S = 1_795_305_600  # a full hour in November 2026
TYPES = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
    "proto": "enum", "duration": "interval", "query": "string", "rcode": "count", "rcode_name": "string",
    "qtype_name": "string", "answers": "vector[string]", "TTLs": "vector[interval]", "rejected": "bool",
    "orig_bytes": "count", "resp_bytes": "count", "missed_bytes": "count", "orig_pkts": "count",
    "orig_ip_bytes": "count", "resp_pkts": "count", "resp_ip_bytes": "count", "local_orig": "bool",
    "local_resp": "bool",
}  # fmt: skip
_WORDS = """
able acid arch army away baby back ball band bank base bath bear beat bell belt bird blow blue boat body bond
bone book boot born boss bowl bulk burn bush busy cake call calm camp card care case cash cast cell chat chip
city club coal coat code cold come cook cool cope copy core cost crew crop dark data date dawn deal dear debt
deep deny desk dial diet disc dish dock door dose down draw drop duke dust duty each earn east easy edge else
even ever exit face fact fair fall farm fast fear feed feel file fill film find fine fire firm fish five flat
flow food foot ford form fort four free fuel full fund gain game gate gear gift girl give glad goal gold golf
good gray grow hair half hall
"""
WORDS = tuple(_WORDS.split())


def write(path: Path, name: str, rows: pd.DataFrame) -> None:
    """A log in Zeek's TSV, in the order of its rows' ends."""
    ends = rows["ts"] + (rows["duration"].fillna(0) if "duration" in rows else 0)
    rows = rows.iloc[np.argsort(ends.to_numpy(), kind="stable")]
    head = [r"#separator \x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{name}"]
    head += ["\t".join(["#fields", *rows.columns]), "\t".join(["#types", *(TYPES.get(c, "string") for c in rows)])]
    with (path / f"{name}.log").open("w", encoding="utf-8") as file:
        file.write("\n".join(head) + "\n")
        rows.to_csv(file, sep="\t", header=False, index=False, na_rep="-", float_format="%.6f")


def uids(rows: int) -> list[str]:
    return [f"C{n:017d}" for n in range(rows)]


def through_the_day(random: np.random.Generator, rows: int, hours: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Times that come more densely at the middle of each day, ascending."""
    at = np.sort(random.uniform(0, hours, rows * 3))
    weight = 0.15 + 0.85 * np.sin(np.pi * (at % 24) / 24) ** 2
    kept = np.sort(random.choice(at, rows, replace=False, p=weight / weight.sum()))
    return START_S + kept * 3600


def connections(
    random: np.random.Generator,
    ts: np.ndarray[Any, np.dtype[np.float64]],
    clients: Sequence[str],
    servers: Sequence[tuple[str, int]],
    *,
    failed: float = 0.02,
    popularity: float = 1.2,
) -> pd.DataFrame:
    """TCP connections of clients that are drawn evenly to servers of which few are called by most."""
    rows = len(ts)
    rank = 1 / np.arange(1, len(servers) + 1) ** popularity
    server = random.choice(len(servers), rows, p=rank / rank.sum())
    client = random.integers(0, len(clients), rows)
    state = random.choice(["SF", "S0", "REJ", "RSTO"], rows, p=[1 - failed, failed / 2, failed / 4, failed / 4])
    history = pd.Series(state).map({"SF": "ShADadFf", "S0": "S", "REJ": "Sr", "RSTO": "ShADadR"})
    served = (state == "SF") | (state == "RSTO")
    sent = np.where(served, random.lognormal(6.5, 0.8, rows), 0).astype(np.int64)
    received = np.where(served, random.lognormal(8.5, 1.6, rows), 0).astype(np.int64)
    pkts_out = np.where(served, 6 + received // 2800, np.where(state == "S0", 2, 1))
    pkts_in = np.where(served, 5 + received // 1400, np.where(state == "S0", 0, 1))
    return pd.DataFrame(
        {
            "ts": ts,
            "uid": uids(rows),
            "id.orig_h": np.array(clients)[client],
            "id.orig_p": random.integers(1024, 65_535, rows),
            "id.resp_h": np.array([s[0] for s in servers])[server],
            "id.resp_p": np.array([s[1] for s in servers])[server],
            "proto": "tcp",
            "service": np.where(
                served, np.where(np.array([s[1] for s in servers])[server] == 443, "ssl", "http"), None
            ),
            "duration": np.where(served, random.exponential(8, rows) + 0.02, np.where(state == "S0", 3.0, 0.001)),
            "orig_bytes": sent,
            "resp_bytes": received,
            "conn_state": state,
            "local_orig": "T",
            "local_resp": "F",
            "missed_bytes": 0,
            "history": history.to_numpy(),
            "orig_pkts": pkts_out,
            "orig_ip_bytes": sent + 40 * pkts_out,
            "resp_pkts": pkts_in,
            "resp_ip_bytes": received + 40 * pkts_in,
        }
    )


def names(random: np.random.Generator, many: int) -> list[str]:
    """Domains as people register them: two words, at times a number or a hyphen."""
    first, second = (random.choice(WORDS, many) for _ in range(2))
    middle = random.choice(["", "", "", "-"], many)
    number = random.choice(["", "", "", "", "", "24", "365"], many)
    suffix = random.choice(["com", "com", "com", "net", "org", "de", "co.uk"], many)
    made = (f"{a}{m}{b}{n}.{s}" for a, m, b, n, s in zip(first, middle, second, number, suffix, strict=True))
    return list(dict.fromkeys(made))


def mistyped(random: np.random.Generator, name: str) -> str:
    """With one letter left out, doubled or exchanged."""
    label, _, suffix = name.partition(".")
    at = int(random.integers(0, len(label)))
    how = int(random.integers(0, 3))
    if how == 0:
        return f"{label[:at]}{label[at + 1 :] or 'x'}.{suffix}"
    if how == 1:
        return f"{label[:at]}{label[at]}{label[at:]}.{suffix}"
    return f"{label[:at]}{random.choice(list('asdfghjklqwertzuiop'))}{label[at + 1 :]}.{suffix}"


def lookups(
    random: np.random.Generator,
    ts: np.ndarray[Any, np.dtype[np.float64]],
    clients: Sequence[str],
    domains: Sequence[str],
    *,
    resolver: str = "10.0.0.2",
    typos: float = 0.02,
) -> pd.DataFrame:
    """Questions for hosts below domains that exist, and for mistyped ones that do not."""
    rows = len(ts)
    rank = 1 / np.arange(1, len(domains) + 1)
    domain = random.choice(len(domains), rows, p=rank / rank.sum())
    host = random.choice(["www", "api", "cdn", "img", "mail"], rows)
    wrong = random.random(rows) < typos
    asked = [
        mistyped(random, domains[d]) if w else f"{h}.{domains[d]}" for d, h, w in zip(domain, host, wrong, strict=True)
    ]
    address = [f"198.51.{d % 200}.{d % 250 + 1}" for d in domain]
    return pd.DataFrame(
        {
            "ts": ts,
            "uid": [f"D{n:017d}" for n in range(rows)],
            "id.orig_h": np.array(clients)[random.integers(0, len(clients), rows)],
            "id.orig_p": random.integers(1024, 65_535, rows),
            "id.resp_h": resolver,
            "id.resp_p": 53,
            "proto": "udp",
            "query": asked,
            "qtype_name": "A",
            "rcode": np.where(wrong, 3, 0),
            "rcode_name": np.where(wrong, "NXDOMAIN", "NOERROR"),
            "answers": np.where(wrong, None, address),
            "TTLs": np.where(wrong, None, "300.000000"),
            "rejected": "F",
        }
    )


def told(alerts: Iterable[Mapping[str, Any]], least: int = 47) -> list[tuple[str, int, str]]:
    """Rule, severity and reason of the alerts from this severity on."""
    loud = [a for a in alerts if a["event"]["severity"] >= least]
    return sorted((a["rule"]["id"], a["event"]["severity"], a["event"]["reason"]) for a in loud)
