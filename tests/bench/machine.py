"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("aegis-enrich", "duckdb", "pyarrow", "pandas", "numpy", "zat")


def machine() -> dict[str, object]:
    """Processor, memory and versions; no name of the machine."""
    cpu = re.search(r"model name\s*: (.*)", _text("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*([0-9]+) kB", _text("/proc/meminfo"))
    return {
        "processor": cpu[1] if cpu else platform.machine(),
        "virtual": " hypervisor" in _text("/proc/cpuinfo"),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(int(memory[1]) / 2**20) if memory else 0,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 1),  # when the bench began: other work
        "packages": {name: version(name) for name in PACKAGES},
    }


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""
