"""Finds a host that works its way through others by Windows' own means: remote calls, services, tasks, admin shares."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import MICROS, Detector, tunable


def _all(class_: str, technique: str, endpoint: str, operations: str) -> tuple[str, ...]:
    return tuple(f"{class_} {technique} {endpoint} {operation}" for operation in operations.split())


# Operations by what they are good for, as Zeek names them. Sources: MS-SCMR, MS-TSCH, MS-WMI, MS-RPRN (execution);
# MS-SAMR, MS-LSAD, MS-SRVS, MS-WKST (discovery); MS-DRSR, MS-RRP, MS-EFSR (credentials); MS-EVEN, MS-EVEN6 (evasion).
OPERATIONS = (
    *_all("execution", "T1569.002", "svcctl", "CreateServiceA CreateServiceW CreateServiceWOW64A CreateServiceWOW64W"),
    *_all("execution", "T1569.002", "svcctl", "StartServiceA StartServiceW ChangeServiceConfigA ChangeServiceConfigW"),
    *_all("execution", "T1053.002", "atsvc", "NetrJobAdd"),
    *_all("execution", "T1053.005", "ITaskSchedulerService", "SchRpcRegisterTask SchRpcRun SchRpcEnableTask"),
    *_all("execution", "T1047", "IWbemServices", "ExecMethod ExecMethodAsync"),
    *_all("execution", "T1210", "spoolss", "RpcAddPrinterDriver RpcAddPrinterDriverEx"),
    *_all("discovery", "T1087.002", "samr", "SamrEnumerateUsersInDomain SamrQueryDisplayInformation"),
    *_all("discovery", "T1087.002", "samr", "SamrQueryDisplayInformation2 SamrQueryDisplayInformation3"),
    *_all("discovery", "T1069.002", "samr", "SamrEnumerateGroupsInDomain SamrEnumerateAliasesInDomain"),
    *_all("discovery", "T1069.002", "samr", "SamrGetMembersInGroup SamrGetMembersInAlias"),
    *_all("discovery", "T1087", "lsarpc", "LsarEnumerateAccounts LsarEnumerateAccountsWithUserRight"),
    *_all("discovery", "T1482", "lsarpc", "LsarEnumerateTrustedDomains LsarEnumerateTrustedDomainsEx"),
    *_all("discovery", "T1135", "srvsvc", "NetrShareEnum NetrShareEnumSticky"),
    *_all("discovery", "T1049", "srvsvc", "NetrSessionEnum NetrConnectionEnum NetrFileEnum"),
    *_all("discovery", "T1124", "srvsvc", "NetrRemoteTOD"),
    *_all("discovery", "T1033", "wkssvc", "NetrWkstaUserEnum"),
    *_all("discovery", "T1007", "svcctl", "EnumServicesStatusA EnumServicesStatusW"),
    *_all("discovery", "T1007", "svcctl", "EnumServicesStatusExA EnumServicesStatusExW"),
    *_all("credentials", "T1003.006", "drsuapi", "DRSGetNCChanges"),
    *_all("credentials", "T1003.004", "lsarpc", "LsarRetrievePrivateData"),
    *_all("credentials", "T1003.002", "winreg", "BaseRegSaveKey BaseRegSaveKeyEx"),
    *_all("credentials", "T1187", "efsrpc", "EfsRpcOpenFileRaw EfsRpcEncryptFileSrv EfsRpcDecryptFileSrv"),
    *_all("credentials", "T1187", "efsrpc2", "EfsRpcOpenFileRaw EfsRpcEncryptFileSrv EfsRpcDecryptFileSrv"),
    *_all("evasion", "T1685.005", "eventlog", "ElfrClearELFA ElfrClearELFW"),
    *_all("evasion", "T1685.005", "IEventService", "EvtRpcClearLog"),
)
# Score of one host of each kind; more hosts take it further towards 1.
KINDS: Mapping[str, tuple[str, float]] = {
    "copy and execution": ("copied_and_ran", 0.75),
    "share and execution": ("shared_and_ran", 0.45),
    "credentials": ("stolen_from", 0.6),
    "cleared logs": ("cleared_on", 0.6),
}


@dataclass(frozen=True)
class Tuning:
    """Which calls mean what, and from how many hosts on calls are more than work on one."""

    operations: tuple[str, ...] = tunable(
        OPERATIONS, "class (execution, discovery, credentials, evasion), technique, endpoint and operation of a call"
    )
    min_hosts: int = tunable(3, "hosts with a copy to an admin share, or with something run", least=2, most=10_000)
    min_operations: int = tunable(5, "different discovery operations of one source", least=2, most=1_000)
    min_explored: int = tunable(10, "hosts on which one source called a discovery operation", least=2, most=100_000)


class LateralMovement(Detector):
    """Copies to admin shares, remote execution, discovery, credentials and cleared logs, by source; see README.md."""

    name = "lateral_movement"
    reads = ("dce_rpc", "smb_mapping", "smb_files", "files")
    window_s = 3_600
    every_s = 1_800
    entity = ("orig_h",)
    tuning = Tuning
    evidence = typed(
        string="kinds leading_kind techniques operations_sample files_sample",
        addr="hosts_sample",
        bool="controller",
        count=(
            "hosts copied_and_ran_hosts shared_and_ran_hosts copied_to_hosts ran_on_hosts explored_hosts "
            "stolen_from_hosts shared_by_hosts cleared_on_hosts discovery_operations"
        ),
        double="duration_s",
    )

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; the score is the highest of its kinds', 0.75 for one host with a copy and an execution."""
        return pd.DataFrame([_finding(row, tuning) for row in features.to_dict("records")])


def _finding(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, Any]:
    scores, hosts = _scores(row, tuning), int(row["hosts"])
    lead = max(scores, key=lambda kind: scores[kind])
    only = row["hosts_sample"][0] if hosts == 1 else None
    return {
        "orig_h": row["orig_h"],
        "resp_h": only,
        "score": scores[lead],
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": {
            "kinds": sorted(scores),
            "leading_kind": lead,
            "techniques": _texts(row["techniques"]),
            "hosts": hosts,
            **{
                f"{name}_hosts": int(row[name])
                for name in ("copied_and_ran", "shared_and_ran", "copied_to", "ran_on", "explored", "stolen_from")
            },
            "shared_by_hosts": int(row["shared_by"]),
            "cleared_on_hosts": int(row["cleared_on"]),
            "discovery_operations": int(row["discovery_operations"]),
            "controller": bool(row["controller"]),
            "operations_sample": _texts(row["operations_sample"]),
            "files_sample": _texts(row["files_sample"]),
            "hosts_sample": _texts(row["taken_sample"]) or _texts(row["hosts_sample"]),
            "duration_s": (row["last_us"] - row["first_us"]) / MICROS,
        },
        "reason": _reason(row, lead, hosts),
        "uids": list(row["uids"]),
    }


def _scores(row: Mapping[Hashable, Any], tuning: Tuning) -> dict[str, float]:
    """By kind: of the first four, `least` at one host, half the way to 1 at two …; of the others, n / (n + minimum)."""
    scores = {
        kind: 1 - (1 - least) / int(row[column]) for kind, (column, least) in KINDS.items() if int(row[column]) > 0
    }
    if row["controller"] and "credentials" in scores:
        scores["credentials"] = 0.2  # controllers replicate
    for kind, column, least in (
        ("copies to many", "copied_to", tuning.min_hosts),
        ("execution on many", "ran_on", tuning.min_hosts),
        ("shares of many", "shared_by", 2 * tuning.min_hosts),
    ):
        if (n := int(row[column])) >= least:
            scores[kind] = n / (n + least)
    kinds, explored = int(row["discovery_operations"]), int(row["explored"])
    if kinds >= tuning.min_operations or explored >= tuning.min_explored:
        x = kinds / tuning.min_operations + explored / tuning.min_explored
        scores["discovery"] = x / (x + 2)
    return scores


def _reason(row: Mapping[Hashable, Any], lead: str, hosts: int) -> str:
    files, operations = _texts(row["files_sample"]), _texts(row["operations_sample"])
    copied = f"copied files to admin shares of {int(row['copied_to']):,} (such as {files[0]})" if files else ""
    ran = f"ran something on {int(row['ran_on']):,}" if row["ran_on"] else ""
    explored = f"explored {int(row['explored']):,}" if row["explored"] else ""
    others = {
        "credentials": f"read credentials of {int(row['stolen_from']):,}",
        "cleared logs": f"cleared logs of {int(row['cleared_on']):,}",
        "shares of many": f"opened admin shares of {int(row['shared_by']):,}",
        "share and execution": f"opened admin shares of {int(row['shared_by']):,}",
    }
    said = [text for text in (copied, ran, explored, others.get(lead, "")) if text]
    calls = f" by {', '.join(operations[:4])}" if operations else ""
    return f"{row['orig_h']} {', '.join(said)}, of {hosts:,} hosts{calls}"


def _texts(values: Any) -> list[str]:
    """A list of the query, which is null where nothing was in it."""
    return [] if values is None else [str(v) for v in values]
