"""DNS: who asks for what."""

from __future__ import annotations

from ..description import (
    Board,
    Panel,
    Rows,
    Search,
    count,
    different,
    highest,
    latest,
    median,
    over_time,
    percentile,
    total,
)
from ..views import ALERTS, LOG_ROWS
from .common import DNS, LOG_HOST, LOG_SENSOR, RISK, links, values

OF_DNS = {"rule.id": ["dga", "dns_tunnel", "fast_flux"]}
CLIENT = values("Client", "source.ip", 15)

SEARCH = Search(
    "dns",
    "DNS queries",
    LOG_ROWS,
    ("source.ip", "dns.question.name", "dns.question.type", "dns.response_code", "aegis.dns.answers"),
    DNS,
    "Rows of dns, the newest first.",
)
BOARD = Board(
    "dns",
    "DNS",
    "Who asks for what: many names below one domain, names that do not exist, odd types, slow resolvers.",
    (
        (4, (links("dns", "Needs log rows of dns."),)),
        (
            6,
            (
                Panel("Queries", "number", LOG_ROWS, 12, (count("Queries"),), where=DNS),
                Panel("Different names", "number", LOG_ROWS, 12, (different("Names", "dns.question.name"),), where=DNS),
                Panel(
                    "Names that do not exist",
                    "number",
                    LOG_ROWS,
                    12,
                    (count("NXDOMAIN"),),
                    where=DNS | {"dns.response_code": "NXDOMAIN"},
                ),
                Panel("Alerts about DNS", "number", ALERTS, 12, (count(),), where=OF_DNS),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Answers over time",
                    "bars",
                    LOG_ROWS,
                    32,
                    (count("Queries"),),
                    (over_time(), values("Answer", "dns.response_code", 6)),
                    DNS,
                ),
                Panel("Types", "donut", LOG_ROWS, 16, (count("Queries"),), (values("Type", "dns.question.type"),), DNS),
            ),
        ),
        (
            14,
            (
                Panel(
                    "Domains by different names",
                    "table",
                    LOG_ROWS,
                    26,
                    (
                        different("Names", "dns.question.name"),
                        count("Queries"),
                        highest("Longest name", "aegis.dns.query_len"),
                        total("Bytes answered", "aegis.dns.answer_bytes"),
                        different("Clients", "source.ip"),
                    ),
                    (values("Domain", "dns.question.registered_domain", 20),),
                    DNS,
                ),
                Panel(
                    "Clients by different names",
                    "table",
                    LOG_ROWS,
                    22,
                    (different("Names", "dns.question.name"), count("Queries")),
                    (CLIENT,),
                    DNS,
                    to=("host",),
                ),
            ),
        ),
        (
            13,
            (
                Panel(
                    "Clients by names that do not exist",
                    "table",
                    LOG_ROWS,
                    16,
                    (count("NXDOMAIN"), different("Names", "dns.question.name")),
                    (CLIENT,),
                    DNS | {"dns.response_code": "NXDOMAIN"},
                    to=("host",),
                ),
                Panel(
                    "Resolvers",
                    "table",
                    LOG_ROWS,
                    16,
                    (count("Queries"), median("Median wait", "aegis.dns.rtt"), percentile("p95", "aegis.dns.rtt", 95)),
                    (values("Resolver", "destination.ip"),),
                    DNS,
                ),
                Panel(
                    "Alerts by rule about DNS",
                    "table",
                    ALERTS,
                    16,
                    (RISK, count(), latest("Why", "event.reason")),
                    (values("Rule", "rule.name"), values("Host", "source.ip", 5)),
                    OF_DNS,
                    to=("host", "alerts"),
                ),
            ),
        ),
        (16, (Rows("Queries, the newest first", "dns", 48),)),
    ),
    (LOG_HOST, LOG_SENSOR),
)
