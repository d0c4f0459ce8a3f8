-- Sources that probed many ports of one host (a target) or one port of many hosts (a sweep): one row per source.
WITH
-- TCP attempts that no service took up, and UDP that nobody answered. '^' (Zeek turned the connection round) and a
-- history without SYN are replies to what was not seen: backscatter, asymmetric routes, late packets of a server.
attempts AS (
    SELECT
        orig_h, resp_h, resp_p, proto, uid, ts_us, end_us, orig_internal, resp_internal,
        CASE
            WHEN proto = 'tcp' AND conn_state = 'REJ' THEN 'refused'
            WHEN proto = 'udp' OR conn_state IN ('S0', 'SH', 'RSTOS0') THEN 'unanswered'
            ELSE 'half_open'
        END AS outcome
    FROM conn
    WHERE resp_h NOT LIKE 'ff%'
        AND NOT regexp_matches(resp_h, '^(22[4-9]|23[0-9]|255)\.')  -- multicast, broadcast
        AND NOT list_contains($skip_ports, resp_p)
        AND (
            (
                proto = 'tcp' AND conn_state IN ('REJ', 'S0', 'RSTOS0')
                AND (history IS NULL OR (history LIKE '%S%' AND history NOT LIKE '%^%'))
            )
            OR ( -- a handshake of the source's, then a reset from either side, and no data
                proto = 'tcp' AND conn_state IN ('RSTO', 'RSTR')
                AND coalesce(orig_bytes, 0) = 0 AND coalesce(resp_bytes, 0) = 0 AND orig_pkts <= 4 AND resp_pkts <= 3
                AND (
                    history IS NULL
                    OR (history LIKE '%S%' AND history NOT LIKE '%^%' AND lower(history) NOT LIKE '%d%')
                )
            )
            OR ( -- FIN and Xmas probes; a server's late FIN goes from its port to the client's ephemeral one
                proto = 'tcp' AND conn_state = 'SH' AND history LIKE 'F%' AND lower(history) NOT LIKE '%d%'
                AND orig_p >= 32768 AND resp_p < 32768
            )
            OR ( -- what a service sends from its well-known port to a client is a late reply
                proto = 'udp' AND conn_state = 'S0' AND (history IS NULL OR history NOT LIKE '%^%')
                AND NOT (orig_p < 1024 AND resp_p >= 1024)
            )
        )
),

-- One row per probed socket; an outcome that tells more outranks.
probes AS (
    SELECT
        orig_h, resp_h, resp_p, proto,
        count(*) AS attempts,
        max(CASE outcome WHEN 'refused' THEN 3 WHEN 'half_open' THEN 2 ELSE 1 END) AS outcome,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid,
        max(CAST(orig_internal AS INTEGER)) AS orig_internal,
        max(CAST(resp_internal AS INTEGER)) AS resp_internal
    FROM attempts
    GROUP BY orig_h, resp_h, resp_p, proto
),

-- Vertical. UDP to ephemeral ports is left out: traceroute (33434 and on), peers' and clients' sockets.
targets AS (
    SELECT orig_h, proto, resp_h, count(*) AS ports
    FROM probes
    WHERE proto = 'tcp' OR resp_p < 32768
    GROUP BY orig_h, proto, resp_h
    HAVING count(*) >= $min_ports
),

-- Horizontal: enough hosts, and neither a small part of all that the source fails to reach (peer-to-peer calls many
-- hosts, each at a port of its own) nor a small part of all that it calls at this port (a client of many servers).
crowds AS (
    SELECT orig_h, proto, resp_p, count(*) AS hosts
    FROM probes
    GROUP BY orig_h, proto, resp_p
    HAVING count(*) >= $min_hosts
),
reached AS (
    SELECT p.orig_h, p.proto, count(DISTINCT p.resp_h) AS hosts
    FROM probes AS p
    WHERE EXISTS (SELECT 1 FROM crowds AS s WHERE s.orig_h = p.orig_h AND s.proto = p.proto)
    GROUP BY p.orig_h, p.proto
),
answered AS (
    SELECT c.orig_h, c.proto, c.resp_p, count(DISTINCT c.resp_h) AS hosts
    FROM conn AS c
    INNER JOIN crowds AS s ON c.orig_h = s.orig_h AND c.proto = s.proto AND c.resp_p = s.resp_p
    LEFT JOIN probes AS p
        ON c.orig_h = p.orig_h AND c.resp_h = p.resp_h AND c.resp_p = p.resp_p AND c.proto = p.proto
    -- rows that come soon after their end: what Zeek writes at its timeouts would be late
    WHERE c.conn_state IN ('SF', 'RSTO', 'RSTR') AND p.orig_h IS NULL
    GROUP BY c.orig_h, c.proto, c.resp_p
),
sweeps AS (
    SELECT
        s.orig_h, s.proto, s.resp_p, s.hosts,
        1000 * s.hosts // (s.hosts + coalesce(a.hosts, 0)) AS failed_permille
    FROM crowds AS s
    INNER JOIN reached AS r ON s.orig_h = r.orig_h AND s.proto = r.proto
    LEFT JOIN answered AS a ON s.orig_h = a.orig_h AND s.proto = a.proto AND s.resp_p = a.resp_p
    WHERE s.hosts >= $min_share_of_failed * r.hosts
        AND s.hosts >= $min_failed_share * (s.hosts + coalesce(a.hosts, 0))
),

-- The sockets of targets and sweeps; what else the source failed to reach is no part of the scan.
scanned AS (
    SELECT
        p.*,
        t.ports AS target_ports,
        s.hosts AS sweep_hosts,
        s.failed_permille,
        dense_rank() OVER (PARTITION BY p.orig_h ORDER BY p.resp_h) AS host_nth,
        dense_rank() OVER (PARTITION BY p.orig_h ORDER BY p.resp_p) AS port_nth,
        row_number() OVER (PARTITION BY p.orig_h ORDER BY p.first_us, p.uid) AS nth
    FROM probes AS p
    LEFT JOIN targets AS t
        ON p.orig_h = t.orig_h AND p.proto = t.proto AND p.resp_h = t.resp_h AND (p.proto = 'tcp' OR p.resp_p < 32768)
    LEFT JOIN sweeps AS s ON p.orig_h = s.orig_h AND p.proto = s.proto AND p.resp_p = s.resp_p
    WHERE t.orig_h IS NOT NULL OR s.orig_h IS NOT NULL
),

-- ICMP requests by type: echo 8 and 128, timestamp 13, information 15, address mask 17 (RFC 792, 950, 4443).
pings AS (
    SELECT orig_h, count(DISTINCT resp_h) AS hosts, list_sort(list(DISTINCT orig_p)) AS types
    FROM conn
    WHERE proto = 'icmp' AND orig_p IN (8, 13, 15, 17, 128) AND resp_h NOT LIKE 'ff%'
        AND NOT regexp_matches(resp_h, '^(22[4-9]|23[0-9]|255)\.')
    GROUP BY orig_h
)

SELECT
    f.orig_h,
    min(f.first_us) AS first_us,
    max(f.last_us) AS last_us,
    CAST(sum(f.attempts) AS BIGINT) AS attempts,
    count(*) AS sockets,
    max(f.host_nth) AS hosts,
    max(f.port_nth) AS ports,
    count(*) FILTER (WHERE f.outcome = 3) AS refused,
    count(*) FILTER (WHERE f.outcome = 1) AS unanswered,
    count(*) FILTER (WHERE f.outcome = 2) AS half_open,
    count(*) FILTER (WHERE f.proto = 'tcp' AND f.target_ports IS NOT NULL) AS vertical_tcp,
    count(*) FILTER (WHERE f.proto = 'udp' AND f.target_ports IS NOT NULL) AS vertical_udp,
    count(*) FILTER (WHERE f.proto = 'tcp' AND f.sweep_hosts IS NOT NULL) AS horizontal_tcp,
    count(*) FILTER (WHERE f.proto = 'udp' AND f.sweep_hosts IS NOT NULL) AS horizontal_udp,
    count(*) FILTER (WHERE f.proto = 'udp') AS udp_sockets,
    coalesce(max(f.target_ports), 0) AS most_ports,  -- of one host
    coalesce(max(f.sweep_hosts), 0) AS most_hosts,  -- at one port
    -- sockets of sweeps, each weighed by how many of the hosts called at that port did not answer
    CAST(coalesce(sum(f.failed_permille), 0) AS BIGINT) AS swept_permille,
    max(f.failed_permille) AS failed_permille,
    list_sort(list(DISTINCT f.resp_h) FILTER (WHERE f.host_nth <= 20)) AS hosts_sample,
    list_sort(list(DISTINCT f.resp_p) FILTER (WHERE f.port_nth <= 20)) AS ports_sample,
    min(f.proto) AS least_proto,
    max(f.proto) AS most_proto,
    max(f.orig_internal) AS orig_internal,
    count(DISTINCT f.resp_h) FILTER (WHERE f.resp_internal = 1) AS internal_hosts,
    count(DISTINCT f.resp_h) FILTER (WHERE f.resp_internal = 0) AS external_hosts,
    list_sort(list(DISTINCT f.uid) FILTER (WHERE f.nth <= 20)) AS uids,
    coalesce(max(i.hosts), 0) AS icmp_hosts,
    max(i.types) AS icmp_types
FROM scanned AS f
LEFT JOIN pings AS i ON f.orig_h = i.orig_h
GROUP BY f.orig_h
HAVING max(f.last_us) >= $window_end - 1800000000
