"""The features by which a host's hour is compared with the past; what each is stands in docs/features.md."""

from __future__ import annotations

from aegis_plugins.models.measures import Measure, count, plain, share, size

TABLES = ("host_statistical_hour", "host_timing_hour", "host_dns_hour", "host_tls_hour")

MEASURES: tuple[Measure, ...] = (
    # how much, to whom
    count("connections"),
    count("peers"),
    count("ports"),
    plain("peer_entropy", 0.5),
    plain("port_entropy", 0.5),
    count("sent_bytes"),
    count("received_bytes"),
    plain("upload_download_log2", 1.0),
    size("bytes_median"),
    size("bytes_p90"),
    size("packets_median"),
    size("sent_packet_bytes", 32),
    size("received_packet_bytes", 32),
    size("duration_median", 0.001),
    size("duration_p90", 0.001),
    share("failed_share"),
    share("unanswered_share"),
    # when
    size("gap_median", 0.001),
    size("gap_cv", 0.1),
    plain("burstiness", 0.2),
    share("gap_regularity", 0.1),
    plain("active_minutes", 5.0),
    size("minute_fano"),
    share("spectral_peak", 0.1),
    # names
    count("dns_queries"),
    count("dns_names_per_domain_max"),
    plain("dns_name_length_mean", 5.0),
    plain("dns_bigram_bits_mean", 0.5),
    share("dns_nxdomain_share"),
    share("dns_failed_share"),
    share("dns_text_share"),
    size("dns_answer_bytes_mean", 32),
    # TLS
    count("tls_sessions"),
    count("tls_names"),
    share("tls_nameless_share", 0.1),
    share("tls_self_signed_share", 0.1),
    share("tls_failed_share", 0.1),
    share("tls_odd_port_share", 0.1),
)
