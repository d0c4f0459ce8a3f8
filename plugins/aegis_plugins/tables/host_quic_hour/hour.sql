-- One row per client that spoke QUIC, or UDP to port 443, in the hour. What each column is, with unit, formula and
-- source, is declared in __init__.py. Rarity compares the clients of a sensor, so this runs over all of them at once.
WITH
-- One row per handshake: Suricata tells of each side's hello.
handshakes AS (
    SELECT
        orig_h,
        uid,
        min(resp_h) AS resp_h,
        min(version) AS version,
        lower(min(server_name)) AS server_name,
        min(ja3) AS ja3,
        min(ja4) AS ja4,
        lower(min(client_initial_dcid)) AS dcid,
        min(ts_us) AS ts_us,
        max(end_us) AS end_us
    FROM quic
    WHERE orig_h IS NOT NULL AND uid IS NOT NULL
        AND (coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false))
    GROUP BY orig_h, uid
),

-- UDP to port 443 or named QUIC. The first datagram of a client, and each of a server that asks for an ACK in the
-- handshake, carries at least 1,200 bytes (RFC 9000 §14.1): 1,228 with IPv4's and UDP's headers.
flows AS (
    SELECT
        orig_h, uid, ts_us, end_us,
        CASE WHEN orig_ip_bytes >= 0 THEN least(orig_ip_bytes, 1099511627776) END AS up_bytes,
        CASE WHEN orig_pkts >= 0 THEN least(orig_pkts, 1099511627776) END AS up_packets,
        coalesce(contains(service, 'quic'), false) AS named,
        orig_ip_bytes >= 1228 AND resp_ip_bytes >= 1228 AS sized
    FROM conn
    WHERE proto = 'udp' AND (resp_p = 443 OR contains(service, 'quic'))
        AND orig_h IS NOT NULL AND (coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false))
),
plausible AS (
    SELECT
        f.orig_h,
        count(*) AS flows,
        count(*) FILTER (WHERE f.named OR h.uid IS NOT NULL) AS certain,
        count(*) FILTER (WHERE f.named OR h.uid IS NOT NULL OR f.sized) AS likely,
        count(*) FILTER (WHERE f.named OR h.uid IS NOT NULL OR f.sized IS NOT NULL) AS known,
        sum(f.up_bytes) AS up_sum,
        sum(f.up_bytes) / nullif(count(f.up_bytes), 0) AS up_mean,
        -- the variance as n Σx² - (Σx)², of whole numbers, which is exact
        sqrt(
            count(f.up_bytes) * sum(CAST(f.up_bytes AS HUGEINT) * f.up_bytes)
            - CAST(sum(f.up_bytes) AS HUGEINT) * sum(f.up_bytes)
        ) / nullif(count(f.up_bytes), 0) AS up_std,
        sum(f.up_packets) AS up_packets,
        min(f.ts_us) AS first_us,
        max(f.end_us) AS last_us,
        min(f.uid) AS uid
    FROM flows AS f
    LEFT JOIN handshakes AS h ON f.orig_h = h.orig_h AND f.uid = h.uid
    GROUP BY f.orig_h
),

-- Entropy of connection ids, which the client draws at random, 8 bytes at least (RFC 9000 §7.2): over the hexadecimal
-- digits of all of a client's; terms rounded to millionths, so that their sum does not depend on an order.
digits AS (
    SELECT orig_h, digit, count(*) AS c
    FROM (SELECT orig_h, unnest(string_split(dcid, '')) AS digit FROM handshakes)
    WHERE regexp_matches(digit, '^[0-9a-f]$')
    GROUP BY orig_h, digit
),
entropies AS (
    SELECT orig_h, log2(sum(c)) - sum(CAST(round(1000000 * c * log2(c)) AS BIGINT)) / (1000000 * sum(c)) AS bits
    FROM digits
    GROUP BY orig_h
),

name_hosts AS (
    SELECT server_name, count(DISTINCT orig_h) AS hosts
    FROM handshakes
    WHERE server_name IS NOT NULL
    GROUP BY server_name
),
ja4_hosts AS (SELECT ja4, count(DISTINCT orig_h) AS hosts FROM handshakes WHERE ja4 IS NOT NULL GROUP BY ja4),
everybody AS (
    SELECT
        count(DISTINCT orig_h) FILTER (WHERE server_name IS NOT NULL) AS names,
        count(DISTINCT orig_h) FILTER (WHERE ja4 IS NOT NULL) AS ja4
    FROM handshakes
),
spoken AS (
    SELECT
        h.orig_h,
        min(h.ts_us) AS first_us,
        max(h.end_us) AS last_us,
        min(h.uid) AS uid,
        count(*) AS handshakes,
        CASE WHEN count(h.resp_h) > 0 THEN count(DISTINCT h.resp_h) END AS servers,
        CASE WHEN count(h.server_name) > 0 THEN count(DISTINCT h.server_name) END AS names,
        1 - count(nullif(h.server_name, '')) / count(*) AS nameless,
        CASE WHEN count(h.version) > 0 THEN count(DISTINCT h.version) END AS versions,
        count(*) FILTER (WHERE lower(h.version) NOT IN ('1', 'quicv2', 'quic v2', '2')) / nullif(count(h.version), 0)
            AS odd_version,
        sum(length(h.dcid)) / nullif(count(h.dcid), 0) / 2 AS dcid_bytes,
        1 - count(DISTINCT h.dcid) / nullif(count(h.dcid), 0) AS dcid_repeated,
        sum(n.hosts) / nullif(count(n.hosts), 0) AS name_mean,
        min(n.hosts) AS name_least,
        sum(j.hosts) / nullif(count(j.hosts), 0) AS ja4_mean
    FROM handshakes AS h
    LEFT JOIN name_hosts AS n ON h.server_name = n.server_name
    LEFT JOIN ja4_hosts AS j ON h.ja4 = j.ja4
    GROUP BY h.orig_h
)

SELECT
    coalesce(p.orig_h, s.orig_h) AS orig_h,
    least(p.first_us, s.first_us) AS first_us,
    greatest(p.last_us, s.last_us) AS last_us,
    least(p.uid, s.uid) AS uid,
    p.flows AS quic_flows,
    p.likely / nullif(p.known, 0) AS quic_likelihood,
    CASE WHEN s.orig_h IS NOT NULL THEN p.certain / p.flows END AS quic_certain_share,
    1 / (1 + p.up_std / nullif(p.up_mean, 0)) AS quic_size_consistency,
    p.up_sum / nullif(p.up_packets, 0) AS quic_packet_bytes,
    s.handshakes AS quic_handshakes,
    s.servers AS quic_servers,
    s.names AS quic_names,
    s.nameless AS quic_nameless_share,
    1 - s.name_mean / nullif(e.names, 0) AS quic_name_rarity,
    1 - s.name_least / nullif(e.names, 0) AS quic_name_rarity_max,
    1 - s.ja4_mean / nullif(e.ja4, 0) AS quic_ja4_rarity,
    s.versions AS quic_versions,
    s.odd_version AS quic_odd_version_share,
    s.dcid_bytes AS quic_id_length_mean,
    if(d.bits < 0, 0, d.bits) AS quic_id_entropy,
    s.dcid_repeated AS quic_id_repeated_share
FROM plausible AS p
FULL JOIN spoken AS s ON p.orig_h = s.orig_h
LEFT JOIN entropies AS d ON s.orig_h = d.orig_h
CROSS JOIN everybody AS e
