"""Golden logs: what Zeek with the project's scripts, and Suricata with its configuration, write of the lab's captures.

    cd tests && python3 -m lab.read data/pcap data/zeek [SCENARIO...]

Needs zeek and suricata on PATH; without suricata, Zeek's logs alone. Of the same capture Zeek's logs are the same
bytes: uids come of a fixed seed, the times of opening and closing are left out, and gzip keeps no time. Suricata
draws its flow ids anew each time.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORDED = ROOT / "tests" / "data" / "lab"  # what lies there has Suricata's events already
BIG = 20_000  # bytes from which on a log is gzipped
SETTINGS = (
    "Site::local_nets={10.0.0.0/8,[fd00:10::]/64,[fd00:20::]/64}",
    "Site::private_address_space_is_local=F",
    "FilteredTraceDetection::enable=F",  # scans are mostly SYNs, and it would warn
)
OURS = ("aegis_scan", "aegis_retransmission", "aegis_packets")
PROTOCOLS = ("dns", "http", "ssl", "x509", "files", "ssh", "ntp", "weird", "notice")

QUIET: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
ODD = (("weird", "notice"), ())

# what is read: which logs are kept beside conn and our own, and what Zeek loads beside the package's scripts
SCENARIOS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **dict.fromkeys(("scan_vertical", "scan_vertical_v6", "scan_horizontal", "scan_udp", "icmp_sweep"), QUIET),
    **dict.fromkeys(("scan_slow", "scan_slow_1min", "syn_flood", "syn_flood_drop", "syn_flood_spoofed"), QUIET),
    **dict.fromkeys(("loss_0", "loss_5", "loss_20", "loss_download_20", "loss_20_id0"), QUIET),
    **dict.fromkeys(("loss_0_v6", "loss_5_v6", "loss_20_v6", "loss_download_20_v6"), QUIET),
    **dict.fromkeys(("loss_0_span", "loss_20_span", "loss_20_v6_span"), ODD),
    **dict.fromkeys(("loss_0_holes", "loss_20_holes", "loss_0_v6_holes"), ODD),
    **dict.fromkeys(("keepalive", "keepalive_byte", "latency", "latency_9h"), ODD),
    **dict.fromkeys(("benign_span", "benign_holes", "benign_tls", "multistage", "ssh_bruteforce"), (PROTOCOLS, ())),
    "benign_hour": (PROTOCOLS, ("packet_stats",)),
}


def zeek(capture: Path, folder: Path, scripts: Sequence[Path | str]) -> None:
    """Runs Zeek in the folder. Raises RuntimeError if it fails or says anything on standard error."""
    command = ["zeek", "-D", "-r", str(capture), *SETTINGS, *map(str, scripts)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(f"zeek over {capture}: {done.stderr or done.returncode}")


def suricata(capture: Path, folder: Path) -> None:
    """Runs Suricata with the project's configuration after that of its package; leaves eve.json, without stats."""
    own = ROOT / "plugins" / "suricata" / "aegis.yaml"
    command = ["suricata", "-c", "/etc/suricata/suricata.yaml", "--include", own, "-S", "/dev/null", "-k", "none"]
    command += ["--runmode", "single", "-r", capture, "-l", folder]
    subprocess.run([*map(str, command)], capture_output=True, check=True)
    lines = (folder / "eve.json").read_bytes().splitlines(keepends=True)
    (folder / "eve.json").write_bytes(b"".join(line for line in lines if b'"event_type":"stats"' not in line))


def timeless(log: bytes) -> bytes:
    """A log without the lines that say when Zeek opened and closed it."""
    return b"".join(x for x in log.splitlines(keepends=True) if not x.startswith((b"#open\t", b"#close\t")))


def keep(source: Path, target: Path) -> None:
    """Copies a log, gzipped if it is big; the other form of it goes."""
    data = timeless(source.read_bytes())
    packed = target.with_name(target.name + ".gz")
    for old in (target, packed):
        old.unlink(missing_ok=True)
    if len(data) > BIG or target.suffix == ".json":
        packed.write_bytes(gzip.compress(data, 9, mtime=0))
    else:
        target.write_bytes(data)


def read(capture: Path, target: Path, logs: Iterable[str], scripts: Sequence[str]) -> list[str]:
    """Writes a capture's logs to the target folder, which then holds no others; their names."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    package = ROOT / "zeek_scripts"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = folder / "capture"
        plain.write_bytes(gzip.decompress(capture.read_bytes()) if capture.suffix == ".gz" else capture.read_bytes())
        zeek(plain, folder, [package, *(package / f"{script}.zeek" for script in scripts)])
        found = [folder / f"{log}.log" for log in ("conn", *OURS, *logs) if (folder / f"{log}.log").is_file()]
        if shutil.which("suricata") and not (RECORDED / target.name).is_dir():
            suricata(plain, folder)
            found.append(folder / "eve.json")
        for path in found:
            keep(path, target / path.name)
    return [path.name for path in found]


def main(given: Sequence[str]) -> None:
    captures, target, *names = given
    for name in names or SCENARIOS:
        logs, scripts = SCENARIOS[name]
        written = read(Path(captures) / f"{name}.pcap.gz", Path(target) / name, logs, scripts)
        sys.stdout.write(f"{name:22s} {' '.join(written)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
