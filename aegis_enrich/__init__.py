"""AegisEnrich: enriches Zeek and Suricata logs, detects what is wrong in them, and tells it as ATT&CK-mapped alerts."""

__version__ = "0.1.0"
