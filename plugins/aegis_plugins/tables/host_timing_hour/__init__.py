"""Per hour and client: the rhythm of its connections."""

from __future__ import annotations

from functools import partial

from aegis_enrich.features import distribution
from aegis_enrich.plugin import Column, DerivedTable, Feature

TIMING = partial(Feature, family="timing")
DISTRIBUTION = partial(distribution, family="timing")

GAPS = ("aegis_packets.gaps",)
GOH = "Goh, Barabási 2008, Burstiness and memory in complex systems, EPL 81 48002"
BOX = "Box, Jenkins 1970, Time Series Analysis: Forecasting and Control"
FISHER = "Fisher 1929, Tests of significance in harmonic analysis (his g)"
SHANNON = "Shannon 1948, A mathematical theory of communication"
Y = "y = connections begun in a minute of the hour less their mean; null below 6 or where all are equal"


def _number(
    name: str, doc: str, unit: str, formula: str, source: str, least: float | None = 0, most: float | None = 1
) -> Feature:
    return TIMING(name, "double", doc, unit, formula=formula, source=source, least=least, most=most)


class HostTimingHour(DerivedTable):
    """Gaps, bursts and periods of a client's connections in an hour; see README.md."""

    name = "host_timing_hour"
    reads = ("conn", "aegis_packets")
    level = "host"
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("first_us", "count", "start of the first connection", "µs since the epoch"),
        Column("last_us", "count", "end of the last connection", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        *DISTRIBUTION(
            "gap",
            "gap between the starts of two connections",
            "seconds",
            "mean std min p10 p25 median p75 p90 max cv skew",
            needs=(),
        ),
        _number(
            "burstiness",
            "-1 regular, 0 as by chance (Poisson), 1 bursty; from 2 gaps on",
            "1",
            "(σ - μ) / (σ + μ) of gaps",
            GOH,
            -1,
        ),
        _number(
            "gap_memory",
            "whether long gaps follow long ones; from 2 pairs of gaps on",
            "1",
            "correlation of each gap with the next",
            GOH,
            -1,
        ),
        _number(
            "gap_regularity",
            "1 where all gaps are equal; from 2 gaps on",
            "1",
            "max(0, 1 - median |gap - median gap| / median gap)",
            "Hampel 1974, The influence curve and its role in robust estimation (MAD); RITA, beacon dispersion",
        ),
        _number("gap_short_share", "gaps under a second", "share", "gaps < 1 s / gaps", GOH),
        _number(
            "gap_entropy",
            "spread of gaps over octaves",
            "bits",
            "-Σ p log2 p, p = share of an octave of µs",
            SHANNON,
            0,
            41,
        ),
        TIMING(
            "active_minutes",
            "count",
            "minutes in which it began a connection",
            "minutes",
            formula="minutes of the hour with a start",
            source=GOH,
            least=0,
            most=60,
        ),
        _number(
            "minute_fano",
            "index of dispersion; 0 even, 1 as by chance (Poisson)",
            "1",
            "variance / mean of the starts per minute",
            "Fano 1947, Ionization yield of radiations II, Phys. Rev. 72",
            0,
            None,
        ),
        _number("autocorrelation_1min", "of one minute with the next", "1", f"Σ y[t] y[t+1] / Σ y²; {Y}", BOX, -1),
        _number(
            "autocorrelation_best",
            "the greatest, at 2 to 30 minutes",
            "1",
            f"max over k of Σ y[t] y[t+k] / Σ y²; {Y}",
            BOX,
            -1,
        ),
        TIMING(
            "autocorrelation_lag",
            "count",
            "where that is, the shortest",
            "minutes",
            formula=f"k of autocorrelation_best; {Y}",
            source=BOX,
            least=2,
            most=30,
        ),
        _number(
            "spectral_peak",
            "how much of the variation one period makes",
            "share",
            f"max P / Σ P, P = power at 1 to 30 cycles an hour of the discrete Fourier transform of y; {Y}",
            FISHER,
        ),
        _number("spectral_period", "that period, the longest", "minutes", "60 / cycles of the max P", FISHER, 2, 60),
        _number(
            "spectral_entropy",
            "0 one period, 1 noise",
            "1",
            "-Σ p log2 p / log2 30, p = P / Σ P",
            "Inouye et al. 1991, Quantification of EEG irregularity by use of the entropy of the power spectrum",
        ),
        TIMING(
            "handshake_rtt_median",
            "double",
            "median round trip of TCP handshakes",
            "seconds",
            formula="quantile 0.50 of orig_rtt + resp_rtt",
            source="RFC 6298, Computing TCP's Retransmission Timer; zeek_scripts/conn.zeek",
            least=0,
            needs=("conn.orig_rtt", "conn.resp_rtt"),
        ),
        *DISTRIBUTION(
            "packet_gap",
            "gap between a connection's first packets",
            "seconds",
            "mean std median p90 max cv",
            needs=GAPS,
        ),
        TIMING(
            "packet_burstiness",
            "double",
            "the same of the gaps between a connection's first packets",
            "1",
            formula="(σ - μ) / (σ + μ) of these gaps",
            source=GOH,
            least=-1,
            most=1,
            needs=GAPS,
        ),
    )
