"""`rules new`: begins a rule from a template that checks and whose tests pass."""

from __future__ import annotations

import re
import uuid
from dataclasses import fields
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import yaml

from ...config import shipped_rules
from ...decide import load_rules
from ...errors import ConfigError
from ...plugin import Detector
from ...registry import Registry, load
from ...tables import TABLES
from ..options import config_option
from .options import configured, rules_option

NAME = re.compile(r"[a-z][a-z0-9_]{1,63}")
FOLDERS = {"detector": "detectors", "rows": "rows", "sigma": "sigma", "correlation": "correlation"}


@click.command()
@click.argument("name")
@click.option("--detector", metavar="DETECTOR", help="For the findings of a detector: a copy of its shipped rule.")
@click.option("--rows", "table", metavar="TABLE", help="For single rows of a table (this is the default, with conn).")
@click.option("--sigma", is_flag=True, help="A Sigma rule.")
@click.option("--correlation", is_flag=True, help="A sequence that makes an incident worse.")
@rules_option
@config_option
def new(
    name: str,
    detector: str | None,
    table: str | None,
    sigma: bool,
    correlation: bool,
    folder: Path | None,
    config_file: Path | None,
    state: Path | None,
) -> None:
    """Begin a rule: NAME.yml in your folder of rules, made so that it checks and its tests pass.

    NAME is in small letters, digits and _, and becomes the rule's id; a detector's rule bears the detector's name, and
    takes the place of the shipped one.
    """
    kinds = [k for k, said in zip(FOLDERS, (detector, table, sigma, correlation), strict=True) if said] or ["rows"]
    if len(kinds) > 1:
        raise click.UsageError("a rule is for one thing: --detector, --rows, --sigma or --correlation")
    if not NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r}: write small letters, digits and _, beginning with a letter")
    config = configured(folder, config_file, state)
    if not config.rules:
        raise ConfigError(
            "these rules come with AegisEnrich, and an update would overwrite yours; name a folder of your own with"
            " --rules or `rules:` in the configuration (docs/tuning.md tells how it begins)",
            where=str(shipped_rules()),
        )
    name = detector or name
    path = config.rules_dir / FOLDERS[kinds[0]] / f"{name}.yml"
    registry = load()
    text = _for_detector(detector, registry) if detector else _text(kinds[0], name, table or "conn")
    _free(path, name, config.rules_dir, registry, replaces=detector is not None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path}: edit it; `aegis-enrich rules check {config.rules_dir}` and `rules test -k {name}` try it")


def _free(path: Path, name: str, folder: Path, registry: Registry, *, replaces: bool) -> None:
    """Raises ConfigError where there is such a file or rule; one of the folder that is extended may be replaced."""
    if path.exists():
        raise ConfigError("is there already; take another name", where=str(path))
    for rule in load_rules(folder, registry.detectors) if folder.is_dir() else ():
        if rule.id == name and not (replaces and not Path(rule.path).is_relative_to(folder)):
            raise ConfigError(f"there is a rule {name!r} already; change it there", where=rule.path)


def _text(kind: str, name: str, table: str) -> str:
    words = {"uuid": uuid.uuid4(), "date": datetime.now(UTC).date(), "table": _table(table)}
    return _template(kind).format(name=name, title=_title(name), **words)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _template(kind: str) -> str:
    return (files(__package__) / "templates" / f"{kind}.yml").read_text(encoding="utf-8")


def _table(name: str) -> str:
    if name not in TABLES:
        raise ConfigError(f"there is no such table; there are {', '.join(TABLES)}", where=f"--rows {name}")
    if "orig_h" not in TABLES[name].schema.names:
        raise ConfigError("its rows name no originator, whom an alert could be about", where=f"--rows {name}")
    return name


def _for_detector(name: str, registry: Registry) -> str:
    """The rule that ships for it, where there is one; else a template with its tunables."""
    detector = registry.detectors.get(name)
    if detector is None:
        raise ConfigError(f"no such detector; there are {', '.join(registry.detectors)}", where=f"--detector {name}")
    shipped = shipped_rules() / "detectors" / f"{name}.yml"
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    table = (*detector.reads, "conn")[0]
    return _template("detector").format(
        name=name, title=_title(name), entity=detector.entity[0], tuning=_tuning(detector), table=table
    )


def _tuning(detector: type[Detector]) -> str:
    lines = [
        f"  {f.name}: {_value(f.default)}  # {f.metadata.get('doc', '')}{_unit(f.metadata)}\n"
        for f in fields(detector.tuning)
    ]
    return "".join(lines) or "  {}\n"


def _unit(metadata: Any) -> str:
    return f" ({metadata['unit']})" if metadata.get("unit") else ""


def _value(default: Any) -> str:
    value = list(default) if isinstance(default, tuple) else default
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
