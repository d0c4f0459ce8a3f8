"""What scripts cost: user CPU time of `zeek -r CAPTURE` with and without them, side by side.

    python3 tests/zeek/price.py CAPTURE [--runs 7] [SCRIPT...]

Without SCRIPT: the whole package, then each module alone. Prints the ratio of the medians and the least and greatest
ratio of neighbouring runs. Start-up counts too: take a capture that keeps Zeek busy for many seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "zeek_scripts"


def user_s(capture: Path, scripts: list[Path]) -> float:
    """Seconds of user CPU time of one run, its logs thrown away. Raises CalledProcessError if Zeek fails."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.times().children_user
        command = ["zeek", "-C", "-r", str(capture), *map(str, scripts)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return os.times().children_user - before


def compare(capture: Path, scripts: list[Path], runs: int) -> str:
    pairs = [(user_s(capture, []), user_s(capture, scripts)) for _ in range(runs)]
    base = statistics.median(b for b, _ in pairs)
    with_them = statistics.median(w for _, w in pairs)
    ratios = [w / b for b, w in pairs]
    return f"{with_them / base:.3f}  ({min(ratios):.3f}-{max(ratios):.3f}; {base:.2f} s without)"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("scripts", type=Path, nargs="*")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_intermixed_args()
    capture = options.capture.resolve()
    if options.scripts:
        say(compare(capture, [s.resolve() for s in options.scripts], options.runs))
        return
    for script in (SCRIPTS / "__load__.zeek", *sorted(SCRIPTS.glob("[!_]*.zeek"))):
        name = "package" if script.name == "__load__.zeek" else script.stem
        say(f"{name:16}{compare(capture, [script], options.runs)}")


if __name__ == "__main__":
    main()
