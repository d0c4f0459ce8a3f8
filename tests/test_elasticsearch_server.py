"""What the tests' server says where a machine cannot run it."""

from __future__ import annotations

import elasticsearch_server
import pytest
from elasticsearch_server import JDKS, Unavailable, fetch, find_jdk


def test_the_oldest_jdk_that_runs_it_is_taken(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(elasticsearch_server.shutil, "which", lambda name: None)
    for major in (17, 21, 25):
        (tmp_path / str(major) / "bin").mkdir(parents=True)
        (tmp_path / str(major) / "bin" / "java").touch()
        (tmp_path / str(major) / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{major}.0.1"\n')
        monkeypatch.setenv(f"JAVA{major}_HOME", str(tmp_path / str(major)))
    assert find_jdk(JDKS["8.19.3"]) == tmp_path / "17"
    assert find_jdk(JDKS["9.2.0"]) == tmp_path / "21"
    with pytest.raises(Unavailable, match="no JDK from 90 to 98"):
        find_jdk(range(90, 99))


def test_without_maven_it_cannot_be_fetched(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(elasticsearch_server.shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="Maven"):
        fetch("8.19.3")
