"""ECS's own word on the fields that our templates use.

`python tests/ecs_fields.py FIELDS.CSV > tests/data/ecs/fields.tsv` makes it anew: FIELDS.CSV is
`generated/csv/fields.csv` of a release of the Elastic Common Schema (https://github.com/elastic/ecs), of which name and
type of those fields are kept that a template of ours has. A field of ours that is not in it is none of ECS.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent / "data" / "ecs" / "fields.tsv"
OWN = "aegis."
# Types that count as one to who asks: Elasticsearch's families, and numbers of any size.
FAMILIES = {
    "constant_keyword": "keyword",
    "wildcard": "keyword",
    "match_only_text": "text",
    "scaled_float": "float",
    "double": "float",
    "integer": "long",
    "nested": "object",
}


def published() -> tuple[str, dict[str, str]]:
    """The release, and its fields with their types, as far as we use them."""
    head, *lines = FILE.read_text(encoding="utf-8").splitlines()
    return head.split()[-1], dict(line.split("\t") for line in lines)


def family(kind: str) -> str:
    return FAMILIES.get(kind, kind)


def mapped() -> dict[str, dict[str, str]]:
    """Fields (dotted) with their types, by index template."""
    from aegis_enrich.registry import load
    from aegis_plugins.sinks.elasticsearch.templates import INDEX, templates

    made = (t for t in templates("30d", load()) if t.kind == INDEX)
    return {t.name: dict(leaves(t.body["template"]["mappings"])) for t in made}


def leaves(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, below in node["properties"].items():
        if "properties" in below:
            yield from leaves(below, f"{path}{name}.")
        else:
            yield f"{path}{name}", below["type"]


def main(source: str) -> None:
    with Path(source).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ours = {name for fields in mapped().values() for name in fields if not name.startswith(OWN)}
    sys.stdout.write(f"# Elastic Common Schema, generated/csv/fields.csv, release {rows[0]['ECS_Version']}\n")
    for row in sorted(rows, key=lambda r: r["Field"]):
        if row["Field"] in ours:
            sys.stdout.write(f"{row['Field']}\t{row['Type']}\n")


if __name__ == "__main__":
    main(sys.argv[1])
