"""docker/compose.yml as far as it can be checked without an engine: its form, what it mounts, runs and names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from aegis_enrich.config import load
from aegis_enrich.observe.server import address

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
TEXT = (DOCKER / "compose.yml").read_text(encoding="utf-8")
PROJECT = yaml.safe_load(TEXT)
SERVICES = PROJECT["services"]
OURS = [name for name, s in SERVICES.items() if s["image"].startswith("aegis-enrich:")]
# Of the Compose specification: the keys of a service that are used here, with the types that it gives them.
KEYS = {
    "build": dict,
    "cap_add": list,
    "cap_drop": list,
    "command": list,
    "depends_on": dict,
    "entrypoint": list,
    "environment": dict,
    "healthcheck": dict,
    "image": str,
    "init": bool,
    "mem_limit": str,
    "network_mode": str,
    "ports": list,
    "profiles": list,
    "read_only": bool,
    "restart": str,
    "security_opt": list,
    "stop_grace_period": str,
    "tmpfs": list,
    "user": str,
    "volumes": list,
    "working_dir": str,
}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
SINK = ROOT / "plugins" / "aegis_plugins" / "sinks" / "elasticsearch" / "README.md"


def variables(text: str) -> dict[str, str]:
    """Of the environment, by what follows the name (`:?…` where it must be set)."""
    return {m[1]: m[2] for m in re.finditer(r"(?<!\$)\$\{(\w+)([^}]*)\}", text)}


def mounts(service: dict) -> list[tuple[str, str, str]]:
    found = []
    for text in service.get("volumes", ()):
        source, target, *mode = text.split(":")
        found.append((source, target, mode[0] if mode else ""))
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_form_of_the_specification(name):
    service = SERVICES[name]
    for key, value in service.items():
        assert isinstance(value, KEYS[key]), key
    for other, how in service.get("depends_on", {}).items():
        assert set(how) == {"condition"} and how["condition"] in CONDITIONS
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        mine, its = set(service.get("profiles", ())), set(SERVICES[other].get("profiles", ()))
        assert not its or (mine and mine <= its), f"{other} would not run where {name} does"
    for key, value in service.get("environment", {}).items():
        assert isinstance(value, str), f"{key}: in YAML a bare word may be no text"
    for argument in (*service.get("command", ()), *service.get("entrypoint", ())):
        assert isinstance(argument, str)
    assert set(service.get("cap_add", ())) <= {"NET_RAW", "NET_ADMIN", "SYS_NICE"}
    assert service.get("restart", "no") in ("no", "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name):
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image), image


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name):
    for source, target, mode in mounts(SERVICES[name]):
        assert target.startswith("/")
        if source.startswith("."):
            assert (DOCKER / source).exists(), source
            assert mode == "ro"  # nothing of the tree is written
        else:
            assert source in PROJECT["volumes"]
    assert {s for service in SERVICES.values() for s, _, _ in mounts(service) if s[0] != "."} == set(PROJECT["volumes"])


def test_each_port_is_of_this_machine_only():
    assert all(p.startswith("127.0.0.1:") for s in SERVICES.values() for p in s.get("ports", ()))


def test_each_variable_is_in_the_example_and_each_of_the_example_is_used():
    example = (DOCKER / "env.example").read_text(encoding="utf-8")
    named = dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    used = variables(TEXT)
    assert set(named) - {"COMPOSE_PROFILES"} == set(used)
    for name, how in used.items():
        if how.startswith(":?"):
            assert named[name] == ""  # a password that nobody chose is none
        elif named[name]:
            assert how == f":-{named[name]}"
    profiles = {p for s in SERVICES.values() for p in s.get("profiles", ())}
    comment = example[: example.index("COMPOSE_PROFILES=")]
    assert all(re.search(rf"\b{p}\b", comment) for p in profiles)
    assert set(named["COMPOSE_PROFILES"].split(",")) <= profiles


@pytest.mark.parametrize("name", OURS)
def test_what_we_run_is_a_command_of_ours_over_a_configuration_that_checks(name, parsed):
    service = SERVICES[name]
    found = parsed(service["command"])
    (source,) = [s for s, target, _ in mounts(service) if target == str(found["config_file"])]
    load(DOCKER / source)
    paths = [target for _, target, _ in mounts(service)]
    for sensor in found.get("sensors", ()):
        assert str(sensor).partition("=")[2] in paths
    config = load(DOCKER / source)
    assert any(config.elasticsearch.ca_certs.startswith(f"{p}/") for p in paths)


@pytest.mark.parametrize("name", OURS)
def test_what_we_run_may_do_no_more_than_it_needs(name):
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service  # the image's, which is not root


def test_the_writer_s_role_is_the_one_that_the_sink_s_readme_gives():
    (text,) = re.findall(r"```yaml\n(aegis_setup:.*?)```", SINK.read_text(encoding="utf-8"), flags=re.DOTALL)
    wanted = yaml.safe_load(text)["aegis_writer"]
    (given,) = re.findall(r"role/aegis_writer '(.*?)'\n", SERVICES["accounts"]["command"][0], flags=re.DOTALL)
    role = json.loads(given)
    assert role["cluster"] == wanted["cluster"]
    assert [(i["names"], i["privileges"]) for i in role["indices"]] == [
        (i["names"], i["privileges"]) for i in wanted["indices"]
    ]


def test_sinks_and_logs_are_those_that_the_other_services_have():
    config = load(DOCKER / "aegis-enrich.yml")
    assert config.elasticsearch.url == load(DOCKER / "setup.yml").elasticsearch.url == "https://elasticsearch:9200"
    assert config.elasticsearch.username == "aegis"
    written = {target for name in ("zeek", "zeek-pcap") for s, target, _ in mounts(SERVICES[name]) if s == "zeek-logs"}
    assert written <= {t for _, t, _ in mounts(SERVICES["aegis-enrich"])}


def test_prometheus_scrapes_where_aegis_enrich_listens():
    host, port = address(load(DOCKER / "aegis-enrich.yml").metrics.listen)
    scraped = yaml.safe_load((DOCKER / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = scraped["scrape_configs"]
    assert host == "0.0.0.0" and job["static_configs"] == [{"targets": [f"aegis-enrich:{port}"]}]
    assert job["job_name"] == "aegis-enrich"  # the alerting rules name it
    targets = [target for _, target, _ in mounts(SERVICES["prometheus"])]
    assert set(scraped["rule_files"]) <= set(targets)
    assert all(yaml.safe_load(p.read_text(encoding="utf-8")) for p in (DOCKER / "monitoring").iterdir())


def test_zeek_loads_the_scripts_that_are_mounted():
    for name in ("zeek", "zeek-pcap"):
        (target,) = [t for s, t, _ in mounts(SERVICES[name]) if s == "../zeek_scripts"]
        words = " ".join(SERVICES[name]["command"]).split()
        assert target in words and "local" in words
    assert (ROOT / "zeek_scripts" / "__load__.zeek").is_file()


def test_suricata_includes_the_file_that_is_mounted():
    ((source, target, _),) = [m for m in mounts(SERVICES["suricata"]) if m[0].startswith("..")]
    command = SERVICES["suricata"]["command"]
    included = command[command.index("--include") + 1]
    assert included.startswith(f"{target}/")
    assert (DOCKER / source / included.removeprefix(f"{target}/")).is_file()


@pytest.mark.parametrize("name", [n for n, s in SERVICES.items() if "entrypoint" in s])
def test_a_script_is_one_that_the_shell_can_read(name):
    shell, options = SERVICES[name]["entrypoint"]
    assert options == "-euc"
    (script,) = SERVICES[name]["command"]
    ran = subprocess.run([shell, "-n", "-c", script.replace("$$", "$")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not re.search(r"(?<!\$)\$(?!\$)", script), "Compose takes a single $ for a variable of its own"


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="Docker Compose is not installed")
def test_docker_compose_reads_it(tmp_path):
    """The program itself, which needs no engine to read a project."""
    env = tmp_path / "env"
    example = (DOCKER / "env.example").read_text(encoding="utf-8")
    profiles = ",".join(sorted({p for s in SERVICES.values() for p in s.get("profiles", ())}))
    filled = re.sub(r"(?m)PASSWORD=$", "PASSWORD=x", example)
    env.write_text(re.sub(r"COMPOSE_PROFILES=.*", f"COMPOSE_PROFILES={profiles}", filled), encoding="utf-8")
    command = [
        "docker-compose",
        "--env-file",
        str(env),
        "-f",
        str(DOCKER / "compose.yml"),
        "config",
        "--format",
        "json",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert set(json.loads(ran.stdout)["services"]) == set(SERVICES)
