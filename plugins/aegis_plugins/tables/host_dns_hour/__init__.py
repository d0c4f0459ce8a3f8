"""Per hour and client: what names it asked for, and how they were answered."""

from __future__ import annotations

from functools import partial

from aegis_enrich.plugin import Column, DerivedTable, Feature

DNS = partial(Feature, family="dns")

QUERY, DOMAIN, RCODE, TYPE, TTLS = (
    ("dns.query",),
    ("dns.query_domain",),
    ("dns.rcode_name",),
    ("dns.qtype_name",),
    ("dns.TTLs",),
)
ZEEK = "Zeek, DNS::Info (dns.log)"
EXPOSURE = "Bilge et al. 2011, EXPOSURE: Finding malicious domains using passive DNS analysis"
PLEIADES = "Antonakakis et al. 2012, From throw-away traffic to bots (Pleiades)"
SHANNON = "Shannon 1948, A mathematical theory of communication; " + PLEIADES
BORN = "Born, Gustafson 2010, Detecting DNS tunnels using character frequency analysis"
PHOENIX = "Schiavoni et al. 2014, Phoenix: DGA-based botnet tracking and intelligence"
PAXSON = "Paxson et al. 2013, Practical comprehensive bounds on surreptitious communication over DNS"
NAMES = "over the distinct names, without reverse zones"
OWN = NAMES + " and without the public suffix"


def _count(
    name: str,
    doc: str,
    unit: str,
    formula: str,
    source: str = ZEEK,
    needs: tuple[str, ...] = (),
    most: float | None = None,
) -> Feature:
    return DNS(name, "count", doc, unit, formula=formula, source=source, least=0, most=most, needs=needs)


def _share(name: str, doc: str, formula: str, source: str, needs: tuple[str, ...]) -> Feature:
    return DNS(name, "double", doc, "share", formula=formula, source=source, least=0, most=1, needs=needs)


def _number(
    name: str, doc: str, unit: str, formula: str, source: str, needs: tuple[str, ...], most: float | None = None
) -> Feature:
    return DNS(name, "double", doc, unit, formula=formula, source=source, least=0, most=most, needs=needs)


class HostDnsHour(DerivedTable):
    """Names that a client asked for in an hour, and their answers; see README.md."""

    name = "host_dns_hour"
    reads = ("dns",)
    level = "host"
    shard_key = "orig_h"
    columns = (
        Column("orig_h", "addr", "client"),
        Column("first_us", "count", "the first query", "µs since the epoch"),
        Column("last_us", "count", "the last query", "µs since the epoch"),
        Column("uid", "string", "an example: the least uid"),
        _count("dns_queries", "queries", "queries", "rows of dns, without mDNS, LLMNR and NetBIOS"),
        _count("dns_names", "distinct names", "names", f"distinct query {NAMES}", EXPOSURE, QUERY),
        _count("dns_domains", "distinct registered domains", "domains", "distinct query_domain", EXPOSURE, DOMAIN),
        _number(
            "dns_names_per_domain", "mean names below a domain", "names", "distinct names / domains", PAXSON, DOMAIN
        ),
        _count("dns_names_per_domain_max", "names below one domain", "names", "max names of a domain", PAXSON, DOMAIN),
        _share("dns_repeated_share", "queries for a name asked before", "1 - distinct / queries", EXPOSURE, QUERY),
        _count("dns_resolvers", "servers that it asked", "hosts", "distinct resp_h", EXPOSURE, ("dns.resp_h",)),
        _number("dns_name_length_mean", "mean length of names", "characters", f"Σ length / n {NAMES}", BORN, QUERY),
        _count("dns_name_length_max", "the longest name", "characters", f"max length {NAMES}", BORN, QUERY),
        _number("dns_labels_mean", "mean depth of names", "labels", f"Σ labels / n {OWN}", PLEIADES, QUERY),
        _number(
            "dns_label_length_mean",
            "mean of names' longest labels",
            "characters",
            f"Σ longest / n {OWN}",
            PLEIADES,
            QUERY,
        ),
        _count(
            "dns_label_length_max", "the longest label", "characters", f"max length of a label {OWN}", PLEIADES, QUERY
        ),
        _share("dns_digit_share", "digits among the characters", f"digits / characters {OWN}", EXPOSURE, QUERY),
        _number(
            "dns_entropy_mean",
            "mean entropy of a name's characters",
            "bits per character",
            f"-Σ p log2 p, p = share of a character; mean {OWN}",
            SHANNON,
            QUERY,
        ),
        _number(
            "dns_entropy_p90",
            "90th percentile of the same",
            "bits per character",
            f"-Σ p log2 p, p = share of a character; quantile 0.90 {OWN}",
            SHANNON,
            QUERY,
        ),
        _number(
            "dns_bigram_bits_mean",
            "how unlike words names are; about 4 for words, 6 for random letters",
            "bits per bigram",
            f"-log2 p(second letter | first) in words, mean of a name; mean {OWN}",
            PHOENIX,
            QUERY,
            15,
        ),
        _number(
            "dns_bigram_bits_p90",
            "90th percentile of the same",
            "bits per bigram",
            f"-log2 p(second letter | first) in words, mean of a name; quantile 0.90 {OWN}",
            PHOENIX,
            QUERY,
            15,
        ),
        _share("dns_nxdomain_share", "answers that a name does not exist", "NXDOMAIN / replies", PLEIADES, RCODE),
        _share(
            "dns_failed_share", "answers with an error", "rcode other than NOERROR / replies", "RFC 1035 §4.1.1", RCODE
        ),
        _share("dns_unanswered_share", "queries without a reply", "1 - replies / queries", ZEEK, RCODE),
        _count("dns_types", "record types that it asked for", "types", "distinct qtype_name", BORN, TYPE),
        _number(
            "dns_type_entropy",
            "spread over record types",
            "bits",
            "-Σ p log2 p, p = share of a qtype_name",
            SHANNON,
            TYPE,
        ),
        _share(
            "dns_address_share",
            "queries for addresses",
            "A, AAAA, HTTPS or SVCB / queries",
            "RFC 1035, 3596, 9460",
            TYPE,
        ),
        _share(
            "dns_text_share",
            "queries for records that carry more",
            "TXT, NULL, CNAME, MX, SRV, KEY, DNSKEY or PRIVATE / queries",
            PAXSON,
            TYPE,
        ),
        _share("dns_reverse_share", "queries for names of addresses", "PTR / queries", "RFC 1035 §3.5", TYPE),
        _number(
            "dns_answers_mean",
            "mean records of an answer",
            "records",
            "Σ answers / replies with any",
            EXPOSURE,
            ("dns.answer_count|dns.answers",),
        ),
        _number(
            "dns_answer_bytes_mean",
            "mean size of an answer's records as text",
            "bytes",
            "Σ answer_bytes / replies with any",
            PAXSON,
            ("dns.answer_bytes|dns.answers",),
        ),
        _count(
            "dns_answer_bytes_max",
            "the largest answer, as text",
            "bytes",
            "max answer_bytes",
            PAXSON,
            ("dns.answer_bytes|dns.answers",),
        ),
        _number("dns_ttl_mean", "mean time to live of records", "seconds", "Σ TTL / records", EXPOSURE, TTLS),
        _number("dns_ttl_std", "standard deviation of the same", "seconds", "√(ΣTTL²/n - (ΣTTL/n)²)", EXPOSURE, TTLS),
        _count("dns_ttl_min", "the shortest time to live", "seconds", "min TTL", EXPOSURE, TTLS),
        _number("dns_ttl_median", "median time to live", "seconds", "quantile 0.50 of TTL", EXPOSURE, TTLS),
        _share(
            "dns_ttl_short_share",
            "records that live no more than 5 minutes",
            "TTL <= 300 s / records",
            "Holz et al. 2008, Measuring and detecting fast-flux service networks",
            TTLS,
        ),
        _number("dns_rtt_median", "median time to an answer", "seconds", "quantile 0.50 of rtt", ZEEK, ("dns.rtt",)),
        _share("dns_tcp_share", "queries over TCP", "tcp / queries with proto", "RFC 7766", ("dns.proto",)),
    )
