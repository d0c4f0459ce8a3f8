"""TLS: sessions without a name, certificates that nobody vouches for, rare fingerprints."""

from __future__ import annotations

from ..description import ANY, NONE, Board, Panel, Rows, Search, count, different, latest, over_time
from ..views import ALERTS, LOG_ROWS
from .common import LOG_HOST, LOG_SENSOR, QUIC, RISK, SSL, links, values

OF_TLS = {"rule.id": ["quic_c2", "tls_c2"]}

SEARCH = Search(
    "tls",
    "TLS sessions",
    LOG_ROWS,
    ("source.ip", "destination.ip", "tls.client.server_name", "tls.version", "tls.server.issuer", "aegis.tls.ja4"),
    SSL,
    "Rows of ssl, the newest first.",
)
BOARD = Board(
    "tls",
    "TLS",
    "Sessions without a name, old versions, certificates that nobody vouches for, rare fingerprints.",
    (
        (4, (links("tls", "Needs log rows of ssl (and quic); fingerprints need the sensor's scripts."),)),
        (
            6,
            (
                Panel("Sessions", "number", LOG_ROWS, 10, (count("Sessions"),), where=SSL),
                Panel("Servers", "number", LOG_ROWS, 10, (different("Servers", "destination.ip"),), where=SSL),
                Panel(
                    "Without a name",
                    "number",
                    LOG_ROWS,
                    9,
                    (count("Sessions"),),
                    where=SSL | {"tls.client.server_name": NONE},
                ),
                Panel(
                    "Self-signed",
                    "number",
                    LOG_ROWS,
                    9,
                    (count("Sessions"),),
                    where=SSL | {"aegis.ssl.self_signed": True},
                ),
                Panel("Alerts about TLS", "number", ALERTS, 10, (count(),), where=OF_TLS),
            ),
        ),
        (
            12,
            (
                Panel(
                    "Versions over time",
                    "bars",
                    LOG_ROWS,
                    30,
                    (count("Sessions"),),
                    (over_time(), values("Version", "tls.version", 6)),
                    SSL,
                ),
                Panel("Ports", "donut", LOG_ROWS, 18, (count("Sessions"),), (values("Port", "destination.port"),), SSL),
            ),
        ),
        (
            14,
            (
                Panel(
                    "Servers without a name",
                    "table",
                    LOG_ROWS,
                    24,
                    (count("Sessions"), different("Clients", "source.ip"), latest("Subject", "tls.server.subject")),
                    (values("Server", "destination.ip", 20), values("Port", "destination.port", 3)),
                    SSL | {"tls.client.server_name": NONE},
                    to=("host",),
                ),
                Panel(
                    "Certificates",
                    "table",
                    LOG_ROWS,
                    24,
                    (
                        count("Sessions"),
                        latest("Self-signed", "aegis.ssl.self_signed"),
                        latest("Validation", "aegis.ssl.validation_status"),
                        latest("Valid to", "tls.server.not_after"),
                    ),
                    (values("Issuer", "tls.server.issuer", 20),),
                    SSL | {"tls.server.issuer": ANY},
                ),
            ),
        ),
        (
            13,
            (
                Panel(
                    "Names",
                    "table",
                    LOG_ROWS,
                    16,
                    (count("Sessions"), different("Clients", "source.ip")),
                    (values("Name", "tls.client.server_name", 20),),
                    SSL,
                ),
                Panel(
                    "Client fingerprints",
                    "table",
                    LOG_ROWS,
                    16,
                    (count("Sessions"), different("Clients", "source.ip")),
                    (values("JA4", "aegis.tls.ja4", 20),),
                    SSL,
                ),
                Panel(
                    "Ciphers", "table", LOG_ROWS, 16, (count("Sessions"),), (values("Cipher", "tls.cipher", 15),), SSL
                ),
            ),
        ),
        (
            12,
            (
                Panel(
                    "QUIC names",
                    "table",
                    LOG_ROWS,
                    20,
                    (count("Sessions"), different("Clients", "source.ip")),
                    (values("Name", "tls.client.server_name", 20),),
                    QUIC,
                ),
                Panel(
                    "Alerts by host about TLS",
                    "table",
                    ALERTS,
                    28,
                    (RISK, count(), latest("Why", "event.reason")),
                    (values("Host", "source.ip"), values("Rule", "rule.name", 3)),
                    OF_TLS,
                    to=("host", "alerts"),
                ),
            ),
        ),
        (16, (Rows("Sessions, the newest first", "tls", 48),)),
    ),
    (LOG_HOST, LOG_SENSOR),
)
