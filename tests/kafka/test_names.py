"""Which log a tag, a dataset, a path or a topic names."""

from __future__ import annotations

import pytest

from aegis_enrich.kafka.names import by_dataset, by_name, by_path, by_topic


@pytest.mark.parametrize(
    ("topic", "log"),
    [
        ("conn", "conn"),
        ("zeek.conn", "conn"),
        ("zeek-smb_files", "smb_files"),
        ("site_zeek_smb-files", "smb_files"),
        ("ZEEK.DNS", "dns"),
        ("zeek_open_conn", "open_conn"),
        ("zeek.connection", "conn"),
        ("suricata-eve", "eve"),
        ("zeek", None),
        ("myconn", None),
        ("conn-raw", None),
    ],
)
def test_a_topic_ends_with_its_log(topic, log):
    assert by_topic(topic) == log


def test_tags_and_datasets():
    assert (by_name("conn"), by_name("connection"), by_name("reporter")) == ("conn", "conn", None)
    assert (by_dataset("zeek.connection"), by_dataset("zeek.dns"), by_dataset("suricata.eve")) == ("conn", "dns", "eve")
    assert by_dataset("nginx.access") is None


def test_paths_of_either_kind():
    assert by_path("/opt/zeek/logs/current/conn.log") == "conn"
    assert by_path("C:\\logs\\dns.2026-01-01-00-00-00.log") == "dns"
    assert by_path("/var/log/suricata/eve.json") == "eve"
    assert by_path("/var/log/syslog") is None
