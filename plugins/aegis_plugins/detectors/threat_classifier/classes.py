"""What labels call the same: the words of Stratosphere's data sets, and of files of truths, as one vocabulary."""

from __future__ import annotations

import json

BENIGN = "benign"

# Class and the words by which it is known, the first that fits; none of them: what the label means is not learned.
# https://www.stratosphereips.org/datasets-iot23 names C&C, DDoS, FileDownload, HeartBeat, PartOfAHorizontalPortScan …
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("scan", ("scan", "sweep", "probes of many")),
    ("ddos", ("ddos", "dos attack", "flood")),
    ("brute_force", ("brute", "guess", "password")),
    ("tunnel", ("tunnel",)),
    ("exfil", ("exfil", "upload", "data theft")),
    ("spam", ("spam",)),
    ("dga", ("dga", "random names")),
    ("c2", ("c&c", "command and control", "heartbeat", "beacon", "-c2", "c2-")),
    ("download", ("filedownload", "download")),
    ("attack", ("attack",)),
)
_C2 = ("cc", "c2")
CLASSES = (*(name for name, _ in _WORDS), "malicious")


def class_of(what: str) -> str | None:
    """The class of an act or a detailed label; None where it is of no class."""
    text = what.strip().lower()
    if text in _C2:
        return "c2"
    if text == "malicious":
        return "malicious"
    return next((name for name, words in _WORDS if any(word in text for word in words)), None)


def class_of_row(extra: str | None) -> str | None:
    """The class that a row of conn says by itself, in `label` and `detailedlabel` of its unknown columns (JSON).

    `benign`, one of CLASSES, or None: no label, background, or a label of no class. `malicious` with no more said.
    """
    told = {str(k).replace("-", "").replace("_", ""): str(v) for k, v in json.loads(extra or "{}").items()}
    label = told.get("label", "").strip().lower()
    if label.startswith(("benign", "normal")):
        return BENIGN
    if not label.startswith("malicious"):
        return None
    detailed = told.get("detailedlabel", "").strip()
    return class_of(detailed) if detailed not in ("", "-", "(empty)") else "malicious"
