#!/usr/bin/env python3
"""Measures the rules as they are shipped against logs of which the truth is known, and writes docs/evaluation.json.

    .venv/bin/python docs/evaluate.py [--public FOLDER]     then docs/generate.py

The lab's logs are in tests/data; FOLDER holds the public ones that tests/data/public.yml tells of. Without it their
figures stay as they were.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "evaluation.json"
DATA = ROOT / "tests" / "data"


def evaluate(logs: str, labels: Path | None) -> dict[str, Any]:
    """What `aegis-enrich evaluate` prints as JSON; its exit code tells of misses, which are figures here."""
    command = [sys.executable, "-m", "aegis_enrich", "evaluate", logs, "--json"]
    ran = subprocess.run([*command, "--labels", str(labels)] if labels else command, capture_output=True, text=True)
    if not ran.stdout:
        raise SystemExit(ran.stderr)
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def figures(told: dict[str, Any]) -> dict[str, Any]:
    """The numbers without what logs say."""
    scenarios = {
        scenario["scenario"]: {
            "host_days": scenario["host_days"],
            "missed": scenario["missed"],
            "false": dict(Counter(f"{alert['rule']} {alert['severity']}" for alert in scenario["false"])),
        }
        for scenario in told["scenarios"]
    }
    return {"rules": told["rules"], "scenarios": scenarios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path)
    public = parser.parse_args().public
    found = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    found["lab"] = figures(evaluate(str(DATA / "lab" / "{}" / "tsv"), DATA / "lab" / "truth.yml"))
    if public is not None:
        found["public"] = figures(evaluate(str(public / "{}"), DATA / "public.yml"))
        labelled = evaluate(str(public / "strato-008"), None)
        labelled["scenarios"][0]["scenario"] = "strato-008"
        found["labelled"] = figures(labelled)
    FIGURES.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
