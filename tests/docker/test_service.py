"""The systemd unit: what it runs is a command of ours, its times fit together, and systemd takes it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest

from aegis_enrich.cli.watch import DELIVER_STOP_S
from aegis_enrich.config import Metrics

UNIT = "aegis-enrich.service"


@pytest.fixture
def unit(docker) -> dict[str, list[str]]:
    """Settings to their values, in order."""
    found: dict[str, list[str]] = {}
    for line in (docker / UNIT).read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(min|s|)", text).groups()
    return float(number) * (60 if unit == "min" else 1)


def test_it_runs_a_command_of_ours(unit, parsed):
    program, *arguments = shlex.split(unit["ExecStart"][0])
    assert program.endswith("/bin/aegis-enrich")
    assert parsed(arguments)["command"] == "watch"
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_it_is_watched_and_its_times_fit(unit):
    assert unit["Type"] == ["notify"] and unit["NotifyAccess"] == ["main"]
    assert seconds(unit["WatchdogSec"][0]) > Metrics().stall_s  # /healthz says so first
    assert seconds(unit["TimeoutStopSec"][0]) >= 30 + DELIVER_STOP_S
    assert seconds(unit["TimeoutStartSec"][0]) > 90  # a large state may have to be brought up to date
    assert "PYTHONFAULTHANDLER=1" in unit["Environment"]  # SIGABRT then says where it hung


def test_it_may_speak_to_the_service_manager_and_to_sinks_only(unit):
    assert set(unit["RestrictAddressFamilies"][0].split()) == {"AF_UNIX", "AF_INET", "AF_INET6"}
    assert unit["CapabilityBoundingSet"] == [""] and unit["NoNewPrivileges"] == ["yes"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_it(docker, tmp_path):
    """With a program, a user and a group that are here."""
    text = (docker / UNIT).read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(User|Group|SupplementaryGroups)=.*\n", "", text)
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text)
    (tmp_path / UNIT).write_text(text, encoding="utf-8")
    ran = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / UNIT)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr.strip()) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_finds_it_little_exposed(docker):
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(docker / UNIT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in ran.stderr:
        pytest.skip("this systemd does not look at files")
    assert ran.returncode == 0, ran.stdout.splitlines()[-1]
