import pytest

from aegis_enrich.decode.columns import assigned, candidates, canonical, is_set
from aegis_enrich.tables import COLUMN_ALIASES, SETS, TABLES


@pytest.mark.parametrize(
    ("table", "name", "column"),
    [
        ("conn", "id.orig_h", "orig_h"),
        ("x509", "certificate.serial", "certificate_serial"),
        ("x509", "san.dns", "san_dns"),
        ("x509", "id", "fuid"),
        ("software", "version.major", "version_major"),
        ("smb_files", "times.modified", "times_modified"),
        ("files", "source", "source_protocol"),
        ("weird", "source", "source_analyzer"),
        ("conn", "source", None),
        ("conn", "sensor", None),
        ("conn", "extra", None),
        ("conn", "end_ts", None),
        ("dns", "event", None),
        ("conn", "id.ctx.vlan", None),
        ("conn", "_path", None),
    ],
)
def test_columns_of_logs(table, name, column):
    assert canonical(table, name) == column


def test_the_first_of_two_columns_for_one_wins():
    assert assigned("conn", ["id.orig_h", "orig_h"]) == {"orig_h": "id.orig_h"}


def test_sets_and_aliases_name_columns_that_there_are():
    for table, columns in SETS.items():
        assert {TABLES[table].kinds[c] for c in columns} <= {"strings", "addrs"}
    for table, names in COLUMN_ALIASES.items():
        assert set(names.values()) <= TABLES[table].kinds.keys()
    assert is_set("files", "tx_hosts")
    assert not is_set("x509", "san_dns")


def test_every_field_that_a_column_may_stand_in():
    names = ["id.orig_h", "orig_h", "uid", "end_ts", "x"]
    assert candidates("conn", names) == {"orig_h": ["id.orig_h", "orig_h"], "uid": ["uid"]}
