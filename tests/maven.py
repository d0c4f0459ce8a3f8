"""What servers of tests consist of, from Maven Central: fetched once, kept in the user's cache folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

COPY = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"


class Unavailable(Exception):
    """This machine lacks what a server needs; says what."""


def jars(kept: str, dependency: str) -> Path:
    """The folder of an artefact's jars (`group:artefact:version`) with all that it needs; raises Unavailable."""
    group, artefact, version = dependency.split(":")
    pom = (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>tests</groupId><artifactId>tests</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies><dependency><groupId>{group}</groupId><artifactId>{artefact}</artifactId>"
        f"<version>{version}</version></dependency></dependencies></project>"
    )
    return fetched(kept, [COPY, "-DoutputDirectory=jars", "-DincludeScope=runtime"], "jars", pom)


def fetched(kept: str, goal: Sequence[str], made: str, pom: str = "") -> Path:
    """`kept` below the cache folder: what a run of Maven leaves under the name `made`; raises Unavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aegis-enrich"
    target = cache / kept
    if target.exists():
        return target
    maven = shutil.which("mvn")
    if not maven:
        raise Unavailable("no Maven (mvn) to fetch it with")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
        if pom:
            (Path(fresh) / "pom.xml").write_text(pom)
        done = subprocess.run([maven, "-q", "-B", *goal], cwd=fresh, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"Maven could not fetch it: {(done.stdout + done.stderr).strip()[-500:]}")
        with contextlib.suppress(OSError):  # another session was faster
            (Path(fresh) / made).replace(target)
    return target
