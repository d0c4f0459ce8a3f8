"""Options and services of the whole test session."""

from __future__ import annotations

import contextlib
import os
import re
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import elasticsearch_server
import opensearch_server
import pytest
from elasticsearch_server import JDKS, NoJdk, Server, Unavailable
from hypothesis import HealthCheck, settings

GIVEN = os.environ.get("AEGIS_TEST_ES_URL", "")
OLDEST = min(JDKS)
IN_CI = bool(os.environ.get("CI") or os.environ.get("AEGIS_CI"))
SINK = Path(__file__).resolve().parents[1] / "plugins" / "aegis_plugins" / "sinks" / "elasticsearch"

# How long an example takes says how busy the machine is.
settings.register_profile("aegis", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aegis")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Write what is found now into tests/golden.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need a server run in one worker, so that there is one server at a time."""
    for item in items:
        if item.get_closest_marker("elasticsearch"):
            item.add_marker(pytest.mark.xdist_group("elasticsearch"))
        elif "s3" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("s3"))


@pytest.fixture(scope="session", params=["given"] if GIVEN else sorted(JDKS))
def elasticsearch(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server without security: the one at AEGIS_TEST_ES_URL, else each of the versions that run here.

    Tests share it: they use alerts' indices by `forget_alerts`, and tell log rows by a sensor's name of their own.
    """
    if GIVEN:
        yield Server(GIVEN.rstrip("/"))
    else:
        yield from _started(request.param)


@pytest.fixture(scope="session")
def secured_elasticsearch() -> Iterator[Server]:
    """A server with HTTPS, the roles that the sink's README lists, and users who have them."""
    (roles,) = re.findall(r"```yaml\n(aegis_setup:.*?)```", (SINK / "README.md").read_text(), flags=re.DOTALL)
    roles += "aegis_reader:\n  cluster: [monitor]\naegis_stranger:\n  cluster: []\n"
    names = {"setup", "writer", "dropper", "reader", "stranger"}
    users = {"admin": "superuser", **{name: f"aegis_{name}" for name in sorted(names)}}
    yield from _started(OLDEST, roles=roles, users=users)


@pytest.fixture(scope="session")
def opensearch() -> Iterator[Server]:
    """An OpenSearch without security; skipped (in CI failed) where none can be had."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(opensearch_server.running())
        except Unavailable as error:
            if IN_CI:
                pytest.fail(f"no OpenSearch: {error}")
            pytest.skip(f"no OpenSearch: {error}")
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The endpoint of an S3 server: moto's, on loopback."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The URI of an empty lake there, and the endpoint."""
    from pyarrow import fs

    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"b{uuid.uuid4().hex[:12]}"
    address = s3.partition("://")[2]
    fs.S3FileSystem(endpoint_override=address, scheme="http", allow_bucket_creation=True).create_dir(name)
    return f"s3://{name}/lake", s3


def _started(version: str, **security: Any) -> Iterator[Server]:
    """A server that is always stopped. Where none can be had, CI fails and others skip.

    A version that needs a newer JDK than the oldest one is left out where there is none.
    """
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(elasticsearch_server.running(version, **security))
        except Unavailable as error:
            why = f"no Elasticsearch {version}: {error}"
            if IN_CI and not (isinstance(error, NoJdk) and version != OLDEST):
                pytest.fail(why)
            pytest.skip(why)
        yield server
