"""Which log a message is of, by what its sender says: a tag, a dataset, a file's path, the topic."""

from __future__ import annotations

import functools
import re

from ..follow import names
from ..follow.follower import LOG_NAMES
from ..tables import LOG_ALIASES

EVE = "eve"
KNOWN = frozenset({*LOG_NAMES, EVE})
_DATASETS = {"connection": "conn"}  # Filebeat's names of Zeek's logs, where they differ
_CUTS = re.compile(r"[.\-]")


def by_name(name: str) -> str | None:
    """The log that a tag, `_path` or a dataset's last part names; None for none, or for one that is not read."""
    name = _DATASETS.get(name, name)
    name = LOG_ALIASES.get(name, name) or ""
    return name if name in KNOWN else None


def by_dataset(dataset: str) -> str | None:
    """`zeek.connection`, `suricata.eve`: the log."""
    module, _, name = dataset.rpartition(".")
    if module.split(".")[-1] == "suricata":
        return EVE
    return by_name(name)


def by_path(path: str) -> str | None:
    """The log that a file's path names, as Filebeat tells it."""
    parsed = names.parse(path.replace("\\", "/").rpartition("/")[2], LOG_NAMES)
    return parsed.name if parsed else None


@functools.cache
def by_topic(topic: str) -> str | None:
    """`conn`, `zeek.conn`, `zeek-conn`, `site_zeek_smb_files`: the longest log's name that a topic's ends with."""
    whole = _CUTS.sub("_", topic.lower())
    fits = [n for n in (*KNOWN, *LOG_ALIASES, *_DATASETS) if whole == n or whole.endswith(f"_{n}")]
    return by_name(max(fits, key=len)) if fits else None
