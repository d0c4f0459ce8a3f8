"""The fuzzer as a program: so many mutated lines over two processes, with the seed to run any of them again.

python tests/fuzz/run.py --count 1000000 --seed 7
"""

from __future__ import annotations

import argparse
import faulthandler
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.lines_fuzz import LINES, case, check, report

HANG_S = 300  # a chunk that takes longer than this prints where it is and ends the process
RSS_MIB = 1_500
TELL = 50_000  # mutated lines between two signs of life


def one(seed: int, number: int) -> tuple[int, Counter[str], str]:
    """A chunk's mutated lines, what became of all lines, and what failed."""
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    given = case(seed, number)
    counts: Counter[str] = Counter()
    failed = ""
    try:
        found = check(given, cuts=number % 7 == 0)
        counts.update(rows=sum(t.num_rows for t in found.tables.values()), bad=len(found.bad), ignored=found.ignored)
        counts.update(f"reason: {_kind(bad.reason)}" for bad in found.bad)
    except Exception as error:  # noqa: BLE001 (a fuzzer wants them all)
        failed = report(seed, number, given, error)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if rss > RSS_MIB and not failed:
        failed = f"seed {seed}, chunk {number}: the process has {rss} MiB, at most {RSS_MIB} are allowed"
    faulthandler.cancel_dump_traceback_later()
    return sum(not g for g in given.good), counts, failed


def _kind(reason: str) -> str:
    return "".join(c for c in reason.split(":")[-1] if not c.isdigit())[-40:].strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="mutated lines")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", type=int, help="one chunk of the seed")
    parser.add_argument("--failures", type=int, default=20, help="chunks that fail before it gives up")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.only is not None:
        _, counts, failed = one(options.seed, options.only)
        say(failed or f"seed {options.seed}, chunk {options.only}: {told(counts)}")
        return 1 if failed else 0
    say(f"seed {options.seed}: {options.count:,} mutated lines among as many good ones")
    chunks = -(-options.count * 5 // (2 * LINES))  # about half of a chunk's lines are mutated
    begun_s, lines, total, failures, said = time.monotonic(), 0, Counter[str](), 0, 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for n, counts, failed in pool.map(one, [options.seed] * chunks, range(chunks), chunksize=8):
            lines += n
            total += counts
            if failed:
                failures += 1
                say(failed)
            if lines >= said + TELL:
                said = lines // TELL * TELL
                say(f"  {lines:,} mutated lines, {time.monotonic() - begun_s:.0f} s")
            if lines >= options.count or failures >= options.failures:
                pool.shutdown(cancel_futures=True)
                break
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    say(f"{told(total)}; at most {most} MiB a process")
    say(f"{lines:,} mutated lines, {failures} failed chunks, {time.monotonic() - begun_s:.0f} s, seed {options.seed}")
    return 1 if failures else 0


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def told(counts: Counter[str]) -> str:
    """What became of the lines, and for which reasons most of the bad ones are bad."""
    reasons = Counter({k.removeprefix("reason: "): n for k, n in counts.items() if k.startswith("reason: ")})
    most = ", ".join(f"{reason} ({n:,})" for reason, n in reasons.most_common(5))
    return f"{counts['rows']:,} rows, {counts['bad']:,} bad lines, {counts['ignored']:,} left out; {most}"


if __name__ == "__main__":
    sys.exit(main())
