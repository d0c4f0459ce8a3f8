"""`aegis-enrich doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import dataclasses
import logging
import time
from pathlib import Path

import click

from .. import doctor
from ..capture import CAPTURES
from ..errors import AegisError
from ..plugin import MICROS
from ..registry import load
from ..store import Store
from ..visible import visible
from .options import config_option, configuration, json_option, print_json
from .run import sensor_options, with_elasticsearch

MARKS = {"ok": click.style("ok     ", fg="green"), "note": "note   ", "problem": click.style("PROBLEM", fg="red")}


@click.command("doctor")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--es", "url", help="Elasticsearch to look at.")
@click.option("--sensor", "sensors", multiple=True, metavar="NAME=DIR", help="A sensor's folder; may be repeated.")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of rules.")
@config_option
@json_option
def command(
    paths: tuple[Path, ...],
    url: str | None,
    sensors: tuple[str, ...],
    rules: Path | None,
    config_file: Path | None,
    state: Path | None,
    as_json: bool,
) -> int:
    """Tell what is wrong here and what to do. PATHS: log folders; default: those of the configuration or the state.

    Ends with 1 where there is a problem.
    """
    logging.disable(logging.WARNING)  # what the parts would log is said here
    now_s = time.time()
    found: list[doctor.Check] = []
    try:
        config = configuration(config_file, state, rules=str(rules.absolute()) if rules else None)
        registry = load()
    except AegisError as error:
        found = [doctor.Check("configuration", "problem", str(p)) for p in error.problems]
        return _tell(found, as_json=as_json)
    config = with_elasticsearch(config, url, None)
    named = sensor_options(sensors, config)
    if paths:
        named.setdefault("sensor", []).extend(paths)
    found += doctor.rules(config, registry, int(now_s * MICROS))
    found += doctor.taken_up(config, registry)
    found += doctor.enrichers(config, registry, now_s)
    found += doctor.sensors()
    found += doctor.logs(named or _known(config.state_dir), now_s)
    found += doctor.disk(config)
    found += doctor.state(config, int(now_s * MICROS))
    found += doctor.listener(config)
    found += doctor.delivered(config, registry)
    return _tell(found, as_json=as_json)


def _known(folder: Path) -> dict[str, list[Path]]:
    """The folders in which the state's live logs were last seen, by sensor."""
    if not (folder / "state.db").exists():
        return {}
    with Store(folder, read_only=True) as store:
        rows = store.query("SELECT sensor, path FROM logs WHERE done = 0 ORDER BY seen_us DESC LIMIT 100")
    found: dict[str, list[Path]] = {}
    for sensor, path in rows:
        parent = Path(path).parent
        if parent.is_relative_to(folder / CAPTURES):
            continue  # its logs went when it was analyzed
        if parent not in found.setdefault(sensor, []):
            found[sensor].append(parent)
    return found


def _tell(found: list[doctor.Check], *, as_json: bool) -> int:
    problems = sum(c.level == "problem" for c in found)
    if as_json:
        print_json([dataclasses.asdict(c) for c in found])
    else:
        for check in found:
            click.echo(visible(f"{MARKS[check.level]} {check.area}: {check.what}"))
        click.echo(f"{problems} problems" if problems != 1 else "1 problem")
    return 1 if problems else 0
