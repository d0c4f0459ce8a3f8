"""Copies to admin shares, remote execution and discovery; and the work of users, servers and controllers."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from aegis_enrich.plugin import HOUR_US, MICROS
from aegis_plugins.detectors.lateral_movement import OPERATIONS, LateralMovement

SOURCE, HOST = "10.0.0.9", "10.0.1.5"


def call(operation: str, *hosts: str, ts: float = 100, **columns: Any) -> list[dict[str, Any]]:
    """`endpoint.operation` on each of the hosts."""
    endpoint, name = operation.split(".")
    given = {"ts": ts, "orig_h": SOURCE, "resp_p": 445, "endpoint": endpoint, "operation": name}
    return [given | {"resp_h": host} | columns for host in hosts or (HOST,)]


def mapped(*hosts: str, share: str = "ADMIN$", ts: float = 90, **columns: Any) -> list[dict[str, Any]]:
    given = {"ts": ts, "orig_h": SOURCE, "resp_p": 445, "share_type": "DISK"}
    return [given | {"resp_h": host, "path": rf"\\{host}\{share}"} | columns for host in hosts or (HOST,)]


def written(*hosts: str, share: str = "ADMIN$", name: str = "a.exe", **columns: Any) -> list[dict[str, Any]]:
    """Programs that came to be as they were opened."""
    given = {"ts": 95, "orig_h": SOURCE, "resp_p": 445, "action": "SMB::FILE_OPEN", "name": name}
    given |= {"times_created": 475_000 * HOUR_US + 95 * MICROS}
    return [given | {"resp_h": host, "path": rf"\\{host}\{share}"} | columns for host in hosts or (HOST,)]


def some(count: int) -> list[str]:
    return [f"10.0.{2 + n // 250}.{n % 250 + 1}" for n in range(count)]


@pytest.fixture
def tried(evaluate, rows):
    """The findings of rows by table."""

    def run(**tables: list[dict[str, Any]]) -> list[Any]:
        made: dict[str, pa.Table] = {}
        for name, given in tables.items():
            # files are of the connection in which they were opened
            log = "smb_files" if name == "files" else name
            made |= rows(name, [row | {"uid": f"{log}{n:05}"} for n, row in enumerate(given)])
        return list(evaluate(LateralMovement, made))

    return run


def test_a_copy_and_a_service(tried):
    (found,) = tried(
        smb_mapping=mapped(), smb_files=written(), dce_rpc=call("svcctl.CreateServiceW") + call("svcctl.StartServiceW")
    )
    assert (found.entity, found.context) == ({"orig_h": SOURCE}, {"resp_h": HOST})
    assert (found.evidence["leading_kind"], found.score) == ("copy and execution", 0.75)
    assert found.evidence["techniques"] == ["T1569.002"]
    assert found.evidence["operations_sample"] == ["CreateServiceW", "StartServiceW"]
    assert found.reason == (
        r"10.0.0.9 copied files to admin shares of 1 (such as \\10.0.1.5\ADMIN$\a.exe), ran something on 1, of 1 hosts "
        "by CreateServiceW, StartServiceW"
    )
    assert found.uids[0].startswith("smb_files")


@pytest.mark.parametrize(
    "columns",
    [
        {"times_created": None, "action": "SMB::FILE_WRITE", "name": "x.dat"},
        {"times_created": None, "name": "x.dat"},  # files.log tells
        {"share": "C$"},
        {"name": "Temp\\a.ps1"},
        {"resp_h": HOST, "path": "\\\\host.example.test\\admin$\\"},
    ],
)
def test_what_is_a_copy(tried, columns):
    files = [{"ts": 95, "filename": "x.dat", "source_protocol": "SMB", "is_orig": True}]
    (found,) = tried(smb_files=written(**columns), files=files, dce_rpc=call("atsvc.NetrJobAdd"))
    assert found.evidence["leading_kind"] == "copy and execution"


@pytest.mark.parametrize(
    "columns",
    [
        {"times_created": 400_000 * HOUR_US},  # there before
        {"name": "report.docx"},
        {"times_created": None, "name": "x.dat"},  # read
        {"action": "SMB::FILE_DELETE"},
        {"share": "projects"},
        {"share": "print$"},
        {"share": "IPC$"},
        {"resp_h": "10.0.1.77"},  # of another host
    ],
)
def test_what_is_no_copy(tried, columns):
    files = [{"ts": 95, "filename": "x.dat", "source_protocol": "SMB", "is_orig": False}]
    found = tried(smb_files=written(**columns), files=files, dce_rpc=call("atsvc.NetrJobAdd"))
    assert all(f.evidence["leading_kind"] == "share and execution" and f.score < 0.5 for f in found)


def test_copies_to_many_and_execution_on_many(tried):
    (copies,) = tried(smb_files=written(*some(3)))
    assert (copies.evidence["kinds"], copies.score) == (["copies to many"], 0.5)
    assert tried(smb_files=written(*some(2))) == []
    (runs,) = tried(dce_rpc=call("IWbemServices.ExecMethod", *some(9)))
    assert (runs.evidence["kinds"], runs.score) == (["execution on many"], 0.75)
    assert runs.evidence["techniques"] == ["T1047"]
    (shares,) = tried(smb_mapping=mapped(*some(6), share="C$"))
    assert (shares.evidence["kinds"], shares.evidence["shared_by_hosts"]) == (["shares of many"], 6)


def test_output_that_is_read_back_from_a_share(tried):
    """WMI and service tools without a copy: 0.45 for one host, more for two."""
    (one,) = tried(smb_mapping=mapped(), dce_rpc=call("IWbemServices.ExecMethod"))
    assert (one.evidence["leading_kind"], one.score) == ("share and execution", pytest.approx(0.45))
    (two,) = tried(smb_mapping=mapped(*some(2)), dce_rpc=call("IWbemServices.ExecMethod", *some(2)))
    assert two.score == pytest.approx(0.725)


def test_discovery(tried):
    listing = ["samr.SamrEnumerateUsersInDomain", "samr.SamrEnumerateGroupsInDomain", "samr.SamrGetMembersInGroup"]
    listing += ["srvsvc.NetrShareEnum", "srvsvc.NetrSessionEnum"]
    (found,) = tried(dce_rpc=[row for name in listing for row in call(name)])
    assert (found.evidence["kinds"], found.evidence["discovery_operations"]) == (["discovery"], 5)
    assert found.evidence["techniques"] == ["T1049", "T1069.002", "T1087.002", "T1135"]
    assert found.score < 0.4
    assert tried(dce_rpc=[row for name in listing[1:] for row in call(name)]) == []
    (found,) = tried(dce_rpc=call("srvsvc.NetrSessionEnum", *some(100)))
    assert (found.evidence["explored_hosts"], found.score > 0.8) == (100, True)


@pytest.mark.parametrize(
    "operation",
    ["lsarpc.LsarRetrievePrivateData", "winreg.BaseRegSaveKey", "efsrpc.EfsRpcOpenFileRaw", "eventlog.ElfrClearELFW"],
)
def test_one_call_is_enough_for_these(tried, operation):
    (found,) = tried(dce_rpc=call(operation))
    assert found.score == pytest.approx(0.6)


def test_a_controller_may_replicate(tried):
    replication = call("drsuapi.DRSGetNCChanges")
    (found,) = tried(dce_rpc=replication)
    assert (found.evidence["controller"], found.score) == (False, pytest.approx(0.6))
    (found,) = tried(dce_rpc=replication + call("netlogon.NetrLogonSamLogonEx", SOURCE, orig_h="10.0.9.9"))
    assert (found.evidence["controller"], found.score) == (True, pytest.approx(0.2))


def test_a_domain_at_work_is_none(tried):
    """Five hundred members that log on, look names up, print and open files; a print server that adds drivers."""
    members = [f"10.1.{n // 250}.{n % 250 + 1}" for n in range(500)]
    usual = ["samr.SamrConnect5", "samr.SamrLookupNamesInDomain", "samr.SamrCloseHandle", "lsarpc.LsarLookupNames3"]
    usual += [
        "netlogon.NetrLogonSamLogonEx",
        "netlogon.DsrGetDcNameEx2",
        "spoolss.RpcOpenPrinter",
        "srvsvc.NetrShareEnum",
    ]
    made = [row for n, m in enumerate(members) for name in usual for row in call(name, orig_h=m, ts=100 + n)]
    shares = [row for n, m in enumerate(members) for row in mapped(share="home", orig_h=m, ts=100 + n)]
    assert tried(dce_rpc=made, smb_mapping=shares, smb_files=written(share="home", orig_h="10.1.0.1")) == []


def test_operations_are_listed_as_they_are_read():
    for item in OPERATIONS:
        kind, technique, _, operation = item.split(" ")
        assert kind in ("execution", "discovery", "credentials", "evasion"), item
        assert technique[0] == "T" and operation[0].isupper()
    assert len(set(OPERATIONS)) == len(OPERATIONS)


def test_ipv6_and_order(evaluate, rows):
    files = written(*(f"fd00::{n}" for n in range(1, 9)), orig_h="fd00::99")
    calls = [row for n in range(1, 9) for row in call("svcctl.CreateServiceW", f"fd00::{n}", orig_h="fd00::99")]
    calls = [row | {"uid": f"D{n}"} for n, row in enumerate(calls)]
    files = [row | {"uid": f"F{n}"} for n, row in enumerate(files)]
    whole = evaluate(LateralMovement, rows("smb_files", files) | rows("dce_rpc", calls))
    assert [(f.entity["orig_h"], f.evidence["copied_and_ran_hosts"]) for f in whole] == [("fd00::99", 8)]
    random.Random(1).shuffle(files)
    random.Random(1).shuffle(calls)
    assert evaluate(LateralMovement, rows("smb_files", files) | rows("dce_rpc", calls)) == whole


def test_steps_that_are_hours_apart_are_none(tried):
    assert tried(smb_files=written(ts=10), dce_rpc=call("svcctl.CreateServiceW", ts=3_700)) == []


@pytest.mark.parametrize("scenario", ["benign", "multistage"])
def test_scenarios_without_windows_are_none(evaluate, lab, scenario):
    assert evaluate(LateralMovement, lab(scenario)) == []


@pytest.mark.parametrize("folder", ["slips-test9", "strato-008"])
def test_public_logs_are_none(evaluate, public, folder):
    assert evaluate(LateralMovement, public(folder)) == []
