"""Loads a log with zat's LogToDataFrame and prints rows and seconds, imports left out."""

from __future__ import annotations

import json
import sys
import time

from zat.log_to_dataframe import LogToDataFrame

begun = time.perf_counter()
frame = LogToDataFrame().create_dataframe(sys.argv[1])
sys.stdout.write(json.dumps({"rows": len(frame), "seconds": time.perf_counter() - begun}) + "\n")
