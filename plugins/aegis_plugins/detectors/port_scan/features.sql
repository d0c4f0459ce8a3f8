-- Sources that probed many ports of one host (a target) or one port of many hosts (a sweep): one row per source, from
-- conn, or from the sensor's scan log where conn does not show the attempts.
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
),

-- A source's scans as conn shows them.
shown AS (
    SELECT
        f.orig_h,
        0 AS of_log,
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
        list_sort(list(DISTINCT f.resp_p) FILTER (WHERE f.port_nth <= 20 AND f.resp_p IS NOT NULL)) AS ports_sample,
        min(f.proto) AS least_proto,
        max(f.proto) AS most_proto,
        max(f.orig_internal) AS orig_internal,
        count(DISTINCT f.resp_h) FILTER (WHERE f.resp_internal = 1) AS internal_hosts,
        count(DISTINCT f.resp_h) FILTER (WHERE f.resp_internal = 0) AS external_hosts,
        list_sort(list(DISTINCT f.uid) FILTER (WHERE f.nth <= 20 AND f.uid IS NOT NULL)) AS uids,
        coalesce(max(i.hosts), 0) AS icmp_hosts,
        max(i.types) AS icmp_types
    FROM scanned AS f
    LEFT JOIN pings AS i ON f.orig_h = i.orig_h
    GROUP BY f.orig_h
    HAVING max(f.last_us) >= $window_end - 1800000000
),

-- What the samples of the scan log's rows name, as host:port/proto, IPv6 in brackets. A port that is skipped does not
-- count, nor does UDP to ephemeral ports.
named AS (
    SELECT
        orig_h, node, ts_us, end_us, target,
        regexp_extract(target, '^\[?([^\]]+)\]?:[0-9]+/', 1) AS host,
        TRY_CAST(regexp_extract(target, ':([0-9]+)/', 1) AS BIGINT) AS port
    FROM (
        SELECT orig_h, coalesce(node, '') AS node, ts_us, end_us, unnest(sample) AS target
        FROM aegis_scan
    )
    WHERE target NOT LIKE '%/icmp'
),
samples AS (
    SELECT
        orig_h, node, ts_us, end_us,
        max(CASE WHEN list_contains($skip_ports, port) OR (target LIKE '%/udp' AND port >= 32768) THEN 0 ELSE 1 END)
            AS counts,
        CASE WHEN min(host) = max(host) THEN min(host) END AS only_host,
        CASE WHEN min(port) = max(port) THEN min(port) END AS only_port
    FROM named
    GROUP BY orig_h, node, ts_us, end_us
),

-- The scan log: failed attempts of a source within a minute, with their distinct hosts and ports, as one node of Zeek
-- saw them. Of an interval that begins before the window conn shows a part only.
logged AS (
    SELECT
        l.orig_h, coalesce(l.node, '') AS node, l.ts_us, l.end_us, l.kind, l.attempts, l.hosts, l.ports,
        coalesce(l.capped, false) AS capped,
        coalesce(l.refused, 0) AS refused,
        coalesce(l.unanswered, 0) AS unanswered,
        coalesce(l.half_open, 0) AS half_open,
        coalesce(l.syn, 0) AS syn,
        coalesce(l.udp, 0) AS udp,
        coalesce(l.answered, 0) AS answered,
        least(l.attempts, coalesce(l.syn, 0) + coalesce(l.udp, 0)) AS failed,  -- ICMP is no reason to alert
        CAST(coalesce(l.orig_internal, l.local_orig) AS INTEGER) AS orig_internal,
        CASE WHEN l.hosts = 1 THEN s.only_host END AS only_host,
        CASE WHEN l.ports = 1 THEN s.only_port END AS only_port
    FROM aegis_scan AS l
    LEFT JOIN samples AS s
        ON l.orig_h = s.orig_h AND coalesce(l.node, '') = s.node AND l.ts_us = s.ts_us AND l.end_us = s.end_us
    WHERE l.kind IN ('vertical', 'horizontal', 'mixed') AND l.ts_us >= $window_start AND l.attempts > 0
        AND l.orig_h IS NOT NULL AND l.hosts > 0 AND l.ports > 0 AND coalesce(s.counts, 1) = 1
),

-- Rows of several nodes that overlap are parts of one picture. Connections are divided among nodes, so attempts add up
-- exactly; distinct hosts and ports lie between the most and the sum, unless the parts name the same one. Each other
-- node adds one row at most: a chain of overlaps does not make an hour one picture.
others AS (
    SELECT
        l.orig_h, l.node, l.ts_us, l.end_us,
        max(o.failed) AS failed,
        max(o.answered) AS answered,
        max(o.hosts) AS hosts,
        max(o.ports) AS ports,
        max(CASE WHEN o.only_host = l.only_host THEN 0 ELSE 1 END) AS more_hosts,
        max(CASE WHEN o.only_port = l.only_port THEN 0 ELSE 1 END) AS more_ports
    FROM logged AS l
    INNER JOIN logged AS o ON l.orig_h = o.orig_h AND l.node <> o.node AND l.ts_us <= o.end_us AND o.ts_us <= l.end_us
    GROUP BY l.orig_h, l.node, l.ts_us, l.end_us, o.node
),
beside AS (
    SELECT
        orig_h, node, ts_us, end_us,
        CAST(sum(failed) AS BIGINT) AS failed,
        CAST(sum(answered) AS BIGINT) AS answered,
        max(hosts) AS most_hosts,
        max(ports) AS most_ports,
        CAST(sum(hosts) AS BIGINT) * max(more_hosts) AS more_hosts,
        CAST(sum(ports) AS BIGINT) * max(more_ports) AS more_ports
    FROM others
    GROUP BY orig_h, node, ts_us, end_us
),
pictures AS (
    SELECT
        l.*,
        l.failed + coalesce(b.failed, 0) AS all_failed,
        l.answered + coalesce(b.answered, 0) AS all_answered,
        greatest(l.hosts, coalesce(b.most_hosts, 0)) AS least_hosts,
        greatest(l.ports, coalesce(b.most_ports, 0)) AS least_ports,
        l.hosts + coalesce(b.more_hosts, 0) AS all_hosts,
        l.ports + coalesce(b.more_ports, 0) AS all_ports
    FROM logged AS l
    LEFT JOIN beside AS b ON l.orig_h = b.orig_h AND l.node = b.node AND l.ts_us = b.ts_us AND l.end_us = b.end_us
),

-- Sockets are at most the failed attempts, and hosts times ports. A host then has so many ports, and a port so many
-- hosts, in the mean: peers at a port each come to little, however many they are. Of the kind "vertical" Zeek says
-- that one of the hosts has enough ports.
sized AS (
    SELECT
        *,
        least(all_failed, all_hosts * all_ports) AS sockets,
        1000 * all_failed // greatest(all_failed + all_answered, 1) AS failed_permille
    FROM pictures
),
judged AS (
    SELECT
        *,
        CASE
            WHEN sockets >= $min_ports * all_hosts THEN sockets
            WHEN kind = 'vertical' AND all_ports >= $min_ports THEN least(sockets, all_ports)
            ELSE 0
        END AS vertical,
        CASE
            WHEN sockets >= $min_hosts * all_ports AND failed_permille >= 1000 * $min_failed_share
                THEN sockets * failed_permille
            ELSE 0
        END AS swept_permille
    FROM sized
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY orig_h
            ORDER BY
                1000 * $min_hosts * vertical + $min_ports * swept_permille DESC,
                ts_us, end_us, node, all_failed DESC, all_hosts, all_ports, kind
        ) AS nth
    FROM judged
    WHERE vertical > 0 OR swept_permille > 0
),

-- What conn shows of the same sources, whatever it makes of that.
tried AS (
    SELECT c.orig_h, count(*) AS attempts
    FROM conn AS c
    INNER JOIN ranked AS r ON c.orig_h = r.orig_h AND r.nth = 1
    WHERE c.conn_state IN ('REJ', 'S0', 'SH', 'RSTOS0', 'RSTO', 'RSTR')
    GROUP BY c.orig_h
),
sampled AS (
    SELECT
        orig_h,
        list_sort(list(DISTINCT host) FILTER (WHERE host <> ''))[1:20] AS hosts,
        list_sort(list(DISTINCT port) FILTER (WHERE port IS NOT NULL))[1:20] AS ports
    FROM named
    GROUP BY orig_h
),
from_log AS (
    SELECT
        r.orig_h,
        min(r.ts_us) AS first_us,
        max(r.end_us) AS last_us,
        CAST(sum(r.attempts) AS BIGINT) AS attempts,
        CAST(sum(r.answered) AS BIGINT) AS answered,
        CAST(sum(r.refused) AS BIGINT) AS refused,
        CAST(sum(r.unanswered) AS BIGINT) AS unanswered,
        CAST(sum(r.half_open) AS BIGINT) AS half_open,
        CAST(sum(r.failed) AS BIGINT) AS failed,
        CAST(sum(r.syn) AS BIGINT) AS syn,
        CAST(sum(r.udp) AS BIGINT) AS udp,
        greatest(CAST(sum(r.syn + r.udp) AS BIGINT), 1) AS probes,
        max(CASE WHEN r.nth = 1 THEN r.sockets END) AS sockets,
        max(CASE WHEN r.nth = 1 THEN r.all_hosts END) AS hosts,
        max(CASE WHEN r.nth = 1 THEN r.all_ports END) AS ports,
        max(CASE WHEN r.nth = 1 THEN r.least_hosts END) AS least_hosts,
        max(CASE WHEN r.nth = 1 THEN r.least_ports END) AS least_ports,
        max(CASE WHEN r.nth = 1 THEN r.vertical END) AS vertical,
        max(CASE WHEN r.nth = 1 THEN r.swept_permille END) AS swept_permille,
        max(CASE WHEN r.nth = 1 THEN r.failed_permille END) AS failed_permille,
        count(DISTINCT r.node) AS nodes,
        max(CAST(r.capped AS INTEGER)) AS capped,
        max(r.orig_internal) AS orig_internal
    FROM ranked AS r
    GROUP BY r.orig_h
),

-- The scan log speaks where conn shows less than half of its attempts: the site drops such rows, or they are still to
-- come. Where conn has them it judges, and nothing is counted twice.
told AS (
    SELECT l.*, s.hosts AS hosts_sample, s.ports AS ports_sample
    FROM from_log AS l
    LEFT JOIN tried AS t ON l.orig_h = t.orig_h
    LEFT JOIN sampled AS s ON l.orig_h = s.orig_h
    WHERE 2 * coalesce(t.attempts, 0) < l.failed AND l.last_us >= $window_end - 1800000000
)

SELECT s.*, 0 AS answered, 0 AS nodes, 0 AS least_hosts, 0 AS least_ports, 0 AS capped
FROM shown AS s
WHERE NOT EXISTS (SELECT 1 FROM told AS t WHERE t.orig_h = s.orig_h)
UNION ALL
SELECT
    t.orig_h,
    1 AS of_log,
    t.first_us, t.last_us, t.attempts, t.sockets, t.hosts, t.ports, t.refused, t.unanswered, t.half_open,
    t.vertical * t.syn // t.probes AS vertical_tcp,
    t.vertical - t.vertical * t.syn // t.probes AS vertical_udp,
    (t.swept_permille // 1000) * t.syn // t.probes AS horizontal_tcp,
    t.swept_permille // 1000 - (t.swept_permille // 1000) * t.syn // t.probes AS horizontal_udp,
    t.udp AS udp_sockets,
    t.sockets // t.hosts AS most_ports,
    t.sockets // t.ports AS most_hosts,
    t.swept_permille, t.failed_permille, t.hosts_sample, t.ports_sample,
    CASE WHEN t.syn > 0 THEN 'tcp' ELSE 'udp' END AS least_proto,
    CASE WHEN t.udp > 0 THEN 'udp' ELSE 'tcp' END AS most_proto,
    t.orig_internal,
    0 AS internal_hosts,
    0 AS external_hosts,
    CAST([] AS VARCHAR[]) AS uids,
    0 AS icmp_hosts,
    CAST(NULL AS BIGINT[]) AS icmp_types,
    t.answered, t.nodes, t.least_hosts, t.least_ports, t.capped
FROM told AS t
