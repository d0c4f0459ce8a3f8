"""`aegis-enrich demo`: recorded logs through the whole pipeline, with nothing to set up."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from . import analyze

SCENARIOS = ("beacon_http_60s", "beacon_https_60s", "benign_tls", "dns_tunnel", "scan_slow_1min", "scan_vertical")


@click.command("demo")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write the alerts to this NDJSON file."
)
@click.pass_context
def command(ctx: click.Context, output: Path | None) -> int:
    """Analyze recorded logs of a small network: two beacons, a DNS tunnel, two port scans, and harmless traffic.

    Everything is that of `analyze`: the logs are real Zeek's, the state is a temporary folder.
    """
    folders = [recorded() / name / "tsv" for name in SCENARIOS]
    click.echo(f"analyzing the recorded logs in {recorded()}")
    code: int = ctx.invoke(analyze.command, paths=tuple(folders), output=output, sensors=())
    if output is not None:
        click.echo(f"the alerts as NDJSON: {output}")
    click.echo("next: aegis-enrich analyze FOLDER, or aegis-enrich watch /var/log/zeek")
    return code


def recorded() -> Path:
    """The recorded logs that come with the package, or those of the source tree."""
    packaged = Path(str(files("aegis_enrich"))) / "_data" / "demo"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "tests" / "data" / "lab"
