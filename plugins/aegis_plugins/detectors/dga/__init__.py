"""Finds clients that ask for many unlike domains which do not exist, as a domain generation algorithm does."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar

import pandas as pd

from aegis_enrich.evidence import typed
from aegis_enrich.plugin import Detector, tunable

from .model import Trees, load
from .names import Traits, is_encoded, traits

HALF = 2.0  # doublings of the least number of names that score 0.5
MIXED = 0.5  # what a sure name counts where most that failed are others' names
WORDS_MOST = 0.4  # where behaviour alone speaks, no score is higher: names of words fail for other reasons, too
SURE = 0.8  # a name so likely generated is alike, however much likelier the others are
SHOWN = 10
LOCAL = (
    "alt",
    "corp",
    "domain",
    "example",
    "fritz.box",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "workgroup",
)
# Suffixes below which a provider names hosts at random; a generator that rents its names there is not seen.
RENTED = (
    "akamaiedge.net",
    "akamaihd.net",
    "akamaized.net",
    "azureedge.net",
    "azurefd.net",
    "azurewebsites.net",
    "blob.core.windows.net",
    "cloudapp.net",
    "cloudflare.net",
    "cloudfront.net",
    "edgekey.net",
    "edgesuite.net",
    "fastlylb.net",
    "s3.amazonaws.com",
    "trafficmanager.net",
    "ts.net",
)


@dataclass(frozen=True)
class Tuning:
    """From where on failed names are generated ones."""

    min_names: int = tunable(12, "unlikely registered domains that failed in an hour", least=5, most=100_000)
    min_share: float = tunable(0.5, "of the domains that failed, the least part that is unlikely", least=0.0, most=1.0)
    min_sure_share: float = tunable(
        0.05, "or of these, the least part that is as unlikely as one real name in 1,000", least=0.0, most=1.0
    )
    min_probability: float = tunable(
        0.5, "that a name is a generator's, as the model has it, from which on it is unlikely", least=0.01, most=1.0
    )
    min_letters: int = tunable(5, "letters and digits of a name below which nothing is told of it", least=3, most=63)
    min_word_names: int = tunable(
        40,
        "domains that do not exist, in an hour, whatever their letters: generated from words",
        least=10,
        most=100_000,
    )
    min_bare_share: float = tunable(
        0.9, "of these, asked for themselves and for no host below (pages ask for hosts)", least=0.0, most=1.0
    )
    min_failed_share: float = tunable(
        0.5, "of all domains that the client asked for meanwhile, did not exist", least=0.0, most=1.0
    )
    skip_suffixes: tuple[str, ...] = tunable(LOCAL + RENTED, "suffixes of names that nobody registers")
    skip_domains: tuple[str, ...] = tunable((), "registered domains that do not count, the site's own for example")
    model: str = tunable("", "file made by `aegis-enrich train dga`; empty: the one that ships")


class Dga(Detector):
    """Counts queries answered NXDOMAIN, SERVFAIL or REFUSED; see README.md."""

    name = "dga"
    reads = ("dns",)
    window_s = 3_600
    every_s = 1_800
    lateness_s = 60  # a row of dns comes with its answer
    counts: ClassVar = {"dns": ({"rcode_name": ("NXDOMAIN", "SERVFAIL", "REFUSED")},)}
    shard_key = "orig_h"
    entity = ("orig_h",)
    tuning = Tuning
    evidence = typed(
        string="kind suffixes examples resolved_sample model",
        count=(
            "failed_domains known_domains nxdomain_domains bare_domains failed_queries nxdomain servfail refused "
            "judged_domains unlikely_domains sure_domains resolved_alike"
        ),
        double=(
            "unlikely_share probability_mean surprise_bits_mean entropy_bits_mean letters_mean digits_share "
            "consonants_in_a_row_mean duration_s"
        ),
    )

    @classmethod
    def idle(cls, tuning: Tuning) -> str:
        """Never; raises ConfigError where the model that the tuning names cannot be used."""
        load(tuning.model)
        return ""

    def score(self, features: pd.DataFrame, tuning: Tuning) -> pd.DataFrame:
        """Findings; score = x / (x + 2), x = log2(1 + unlikely names * their share / min_names)."""
        judge = Judge(load(tuning.model), tuning.min_letters)
        rows = features.to_dict("records")
        judge.learn(label for row in rows for label in _labels(row["failed"]))
        found = (_finding(row, judge, tuning) for row in rows)
        return pd.DataFrame([finding for finding in found if finding is not None])


class Judge:
    """What the model has each name for; a name that fails for many clients (a resolver is down) is read once."""

    def __init__(self, trees: Trees, min_letters: int) -> None:
        self.digest = trees.digest()
        self.sure = trees.sure
        self._trees = trees
        self._min_letters = min_letters
        self._known: dict[str, float] = {}

    def learn(self, labels: Iterable[str]) -> None:
        new = sorted(set(labels) - self._known.keys())
        long = [label for label in new if sum(map(str.isalnum, label)) >= self._min_letters]
        self._known |= dict.fromkeys(new, 0.0) | dict(zip(long, self._trees.probabilities(long).tolist(), strict=True))

    def chances(self, labels: Sequence[str]) -> list[float]:
        """That each is a generator's; 0.0 for those that are too short to tell."""
        self.learn(labels)
        return [self._known[label] for label in labels]


def _labels(names: Sequence[str]) -> list[str]:
    """Of `label suffix …`, those of which something can be told."""
    labels = (name.split(" ", 1)[0] for name in names)
    return [label for label in labels if not is_encoded(label)]


def _finding(row: Mapping[Hashable, Any], judge: Judge, tuning: Tuning) -> dict[str, Any] | None:
    judged = _labels(row["failed"])
    chances = judge.chances(judged)
    many = sum(p >= tuning.min_probability for p in chances)
    sure = sum(p > judge.sure for p in chances)
    share = many / max(1, len(judged))
    if many >= tuning.min_names and share >= tuning.min_share:
        kind, score, least = "letters", _score(many * share / tuning.min_names), tuning.min_probability
    elif sure >= tuning.min_names and sure >= tuning.min_sure_share * len(judged):
        kind, score, least = "letters among others", _score(MIXED * sure / tuning.min_names), judge.sure
    elif len(judged) >= tuning.min_word_names and _of_words(row, tuning):
        kind, score, least = "words", WORDS_MOST * _score(row["nxdomain_domains"] / tuning.min_word_names), 0.0
    else:
        return None
    unlikely = {label: p for label, p in zip(judged, chances, strict=True) if p >= least}
    resolved = _alike(row["resolved"], unlikely, judge) if kind != "words" else []
    evidence = {
        "kind": kind,
        **_counts(row),
        "judged_domains": len(judged),
        "unlikely_domains": many,
        "unlikely_share": share,
        "sure_domains": sure,
        "probability_mean": sum(chances) / max(1, len(judged)),
        **_letters([traits(label) for label in (unlikely if kind != "words" else judged)]),
        "suffixes": list(row["suffixes"])[:SHOWN],
        "examples": list(row["examples"]),
        "duration_s": (row["last_us"] - row["first_us"]) / 1e6,
        "resolved_alike": len(resolved),
        "resolved_sample": resolved[:SHOWN],
        "model": judge.digest,
    }
    return {
        "orig_h": row["orig_h"],
        "resp_h": row["least_resolver"] if row["least_resolver"] == row["most_resolver"] else None,
        "score": score,
        "first_us": int(row["first_us"]),
        "last_us": int(row["last_us"]),
        "evidence": evidence,
        "reason": _reason(row, evidence),
        "uids": list(row["uids"]),
    }


def _score(times: float) -> float:
    doublings = log2(1 + times)
    return doublings / (doublings + HALF)


def _of_words(row: Mapping[Hashable, Any], tuning: Tuning) -> bool:
    """Names that tell nothing by themselves, but of which many do not exist, each asked for alone, and few do."""
    absent, failed, known = row["nxdomain_domains"], row["failed_domains"], row["known_domains"]
    return bool(
        absent >= tuning.min_word_names
        and row["bare_domains"] >= tuning.min_bare_share * failed
        and absent >= tuning.min_failed_share * (failed + known)
    )


def _alike(resolved: Any, unlikely: Mapping[str, float], judge: Judge) -> list[str]:
    """Of `label suffix address`, those as unlikely as nine of ten of the names that failed, and about as long."""
    asked = [] if resolved is None else [text.split(" ", 2) for text in resolved]
    asked = [parts for parts in asked if not is_encoded(parts[0])]
    sizes = [len(label) for label in unlikely]
    least = min(SURE, sorted(unlikely.values())[len(unlikely) // 10])
    chances = judge.chances([label for label, _, _ in asked])
    return [
        f"{label}.{suffix} {address}"
        for (label, suffix, address), p in zip(asked, chances, strict=True)
        if p >= least and 0.75 * min(sizes) <= len(label) <= 1.25 * max(sizes)
    ]


def _counts(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    names = ("failed_domains", "known_domains", "nxdomain_domains", "bare_domains", "failed_queries")
    return {name: int(row[name]) for name in (*names, "nxdomain", "servfail", "refused")}


def _letters(names: Sequence[Traits]) -> dict[str, float]:
    """Means over the names that the finding is about."""
    many = max(1, len(names))
    return {
        "surprise_bits_mean": sum(t.milli_pair for t in names) / 1000 / many,
        "entropy_bits_mean": sum(t.milli_entropy for t in names) / 1000 / many,
        "letters_mean": sum(t.letters for t in names) / many,
        "digits_share": sum(t.digits for t in names) / max(1, sum(t.letters for t in names)),
        "consonants_in_a_row_mean": sum(t.longest_consonants for t in names) / many,
    }


def _reason(row: Mapping[Hashable, Any], evidence: Mapping[str, Any]) -> str:
    seconds = evidence["duration_s"]
    span = f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
    resolved = f"; {evidence['resolved_alike']} alike resolved" if evidence["resolved_alike"] else ""
    about = (
        f"{evidence['unlikely_domains']:,} of them unlikely names (mean probability {evidence['probability_mean']:.2f})"
        if evidence["kind"] == "letters"
        else f"{evidence['sure_domains']:,} of them unlikelier names than 999 of 1,000"
        if evidence["kind"] == "letters among others"
        else f"{evidence['bare_domains']:,} of them without a host, and for {evidence['known_domains']:,} that exist"
    )
    return (
        f"{row['orig_h']} asked for {evidence['failed_domains']:,} registered domains in {span} that all failed, "
        f"{about}, such as {', '.join(evidence['examples'][:3])}{resolved}"
    )
