"""`aegis-enrich config`."""

from __future__ import annotations

import yaml

from aegis_enrich.config import Config, load


def test_what_is_shown_is_a_configuration(aegis, tmp_path, monkeypatch) -> None:
    shown = tmp_path / "shown.yml"
    shown.write_text(aegis("config", "show").out, encoding="utf-8")
    config = load(shown)
    assert (config.threads, config.flush) == (Config().threads, Config().flush)
    assert config.state == str(tmp_path / "default-state")
    assert "# " in shown.read_text(encoding="utf-8")


def test_a_file_and_the_command_line_are_in_force(aegis, tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("threads: 7\nflush: {rows: 5}\n", encoding="utf-8")
    shown = aegis("config", "show", "--config", file, "--state", tmp_path / "here", "--json").json
    assert (shown["threads"], shown["flush"]["rows"], shown["state"]) == (7, 5, str(tmp_path / "here"))


def test_secrets_are_not_shown(aegis, tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("elasticsearch: {api_key: tellnobody, password: norme}\n", encoding="utf-8")
    for form in ([], ["--json"]):
        ran = aegis("config", "show", "--config", file, *form)
        assert "tellnobody" not in ran.out and "norme" not in ran.out
        assert yaml.safe_load(ran.out)["elasticsearch"]["api_key"] == "(set)"


def test_secrets_of_plugins_are_not_shown_but_where_they_stand_is(aegis, tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    hook = "{sink: webhook, url: https://x/tellnobody, secret: norme, headers: {A: orher}, when: [open]}"
    file.write_text(f"plugins: {{chat: {hook}, other: {{sink: webhook, url: 'env:HOOK'}}}}\n", encoding="utf-8")
    for form in ([], ["--json"]):
        ran = aegis("config", "show", "--config", file, *form)
        assert not any(secret in ran.out for secret in ("tellnobody", "norme", "orher"))
        shown = yaml.safe_load(ran.out)["plugins"]
        assert (shown["chat"]["url"], shown["other"]["url"], shown["chat"]["when"]) == ("(set)", "env:HOOK", ["open"])


def test_a_file_is_checked(aegis, tmp_path) -> None:
    file = tmp_path / "aegis.yml"
    file.write_text("threads: 2\n", encoding="utf-8")
    assert aegis("config", "check", file).out == f"{file}: good\n"
    file.write_text("threads: many\nflesh: 1\n", encoding="utf-8")
    ran = aegis("config", "check", file)
    assert ran.code == 1 and f"{file}:1: threads" in ran.err and f"{file}:2: unknown setting flesh" in ran.err
    assert aegis("config", "check", tmp_path / "none.yml").code == 1
