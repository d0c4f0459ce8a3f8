-- What a client's hour was like: one row per client with enough connections. Each feature, with unit, formula and source,
-- is declared by its derived table; null stays null here, what it means is said in measures.py.
SELECT
    s.orig_h,
    s.first_us,
    s.last_us,
    s.uid,
    $window_end AS window_end_us,
    s.connections, s.peers, s.ports, s.peer_entropy, s.port_entropy, s.sent_bytes, s.received_bytes,
    s.upload_download_log2, s.bytes_median, s.bytes_p90, s.packets_median, s.sent_packet_bytes,
    s.received_packet_bytes, s.duration_median, s.duration_p90, s.failed_share, s.unanswered_share,
    t.gap_median, t.gap_cv, t.burstiness, t.gap_regularity, t.active_minutes, t.minute_fano, t.spectral_peak,
    d.dns_queries, d.dns_names_per_domain_max, d.dns_name_length_mean, d.dns_bigram_bits_mean, d.dns_nxdomain_share,
    d.dns_failed_share, d.dns_text_share, d.dns_answer_bytes_mean,
    e.tls_sessions, e.tls_names, e.tls_nameless_share, e.tls_self_signed_share, e.tls_failed_share,
    e.tls_odd_port_share
FROM host_statistical_hour AS s
LEFT JOIN host_timing_hour AS t ON s.orig_h = t.orig_h AND s.hour_us = t.hour_us
LEFT JOIN host_dns_hour AS d ON s.orig_h = d.orig_h AND s.hour_us = d.hour_us
LEFT JOIN host_tls_hour AS e ON s.orig_h = e.orig_h AND s.hour_us = e.hour_us
WHERE s.connections >= $min_connections
