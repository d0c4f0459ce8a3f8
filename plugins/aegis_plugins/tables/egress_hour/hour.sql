-- One row per client inside and server outside to which 64 KiB of payload or more went in answered connections, and
-- one per client, without a server, of all that it sent. Rarity compares clients, so this runs over all at once.
WITH
-- Payload of each connection. Zeek takes it from sequence numbers, which forged or odd packets can make anything, so it
-- is at most what IP carried; Suricata does not tell it, so it is what IP carried less the shortest headers. Read twice:
-- to keep it takes longer.
moved AS NOT MATERIALIZED (
    SELECT
        orig_h,
        resp_h,
        resp_p,
        proto,
        uid,
        ts_us,
        end_us,
        CASE
            WHEN orig_bytes IS NOT NULL THEN least(orig_bytes, coalesce(orig_ip_bytes, orig_bytes))
            ELSE greatest(0, coalesce(orig_ip_bytes - coalesce(orig_pkts, 0)
                * (CASE proto WHEN 'tcp' THEN 40 ELSE 28 END + CASE WHEN resp_h LIKE '%:%' THEN 20 ELSE 0 END), 0))
        END AS sent,
        CASE
            WHEN resp_bytes IS NOT NULL THEN least(resp_bytes, coalesce(resp_ip_bytes, resp_bytes))
            ELSE greatest(0, coalesce(resp_ip_bytes - coalesce(resp_pkts, 0)
                * (CASE proto WHEN 'tcp' THEN 40 ELSE 28 END + CASE WHEN resp_h LIKE '%:%' THEN 20 ELSE 0 END), 0))
        END AS received
    FROM conn
    WHERE direction = 'outbound' AND orig_h IS NOT NULL AND resp_h IS NOT NULL
        AND coalesce(resp_pkts, 1) > 0  -- what nobody answers is a flood or a scan
),

everyone AS MATERIALIZED (
    SELECT
        orig_h, resp_h, min(resp_p) AS least_port, max(resp_p) AS most_port, min(proto) AS least_proto,
        max(proto) AS most_proto, count(*) AS connections, sum(sent) AS sent, sum(received) AS received,
        min(ts_us) AS first_us, max(end_us) AS last_us
    FROM moved
    GROUP BY orig_h, resp_h
),
pairs AS (
    SELECT *
    FROM everyone
    WHERE sent >= 65536
),
servers AS (
    SELECT resp_h, count(*) AS clients
    FROM everyone
    WHERE resp_h IN (SELECT resp_h FROM pairs)
    GROUP BY resp_h
),
clients AS (
    SELECT
        orig_h,
        CAST(sum(connections) AS BIGINT) AS connections,
        CAST(sum(sent) AS BIGINT) AS sent_bytes,
        CAST(sum(received) AS BIGINT) AS received_bytes,
        min(first_us) AS first_us,
        max(last_us) AS last_us
    FROM everyone
    GROUP BY orig_h
),

-- Connections that sent 8 KiB or more, or no less than the pair's mean, by what they sent: there are far fewer sizes than
-- connections, and of these nothing is sorted.
sizes AS (
    SELECT
        m.orig_h, m.resp_h, m.sent,
        count(*) AS connections,
        count(*) FILTER (WHERE m.sent >= 8192 AND m.sent >= 3 * m.received) AS uploads,
        min(m.uid, 5) AS uids  -- the first five
    FROM moved AS m
    INNER JOIN pairs AS p ON m.orig_h = p.orig_h AND m.resp_h = p.resp_h
    WHERE m.sent >= 8192 OR m.sent * p.connections >= p.sent
    GROUP BY m.orig_h, m.resp_h, m.sent
),
ranked AS (
    SELECT
        orig_h, resp_h, sent, uploads, uids,
        CAST(sum(connections) OVER largest_first AS BIGINT) - connections AS larger,
        CAST(sum(uploads) OVER largest_first AS BIGINT) - uploads AS larger_uploads
    FROM sizes
    WINDOW largest_first AS (PARTITION BY orig_h, resp_h ORDER BY sent DESC)
),
each_upload AS (
    SELECT orig_h, resp_h, sent, unnest(range(least(uploads, 1000 - larger_uploads))) AS nth
    FROM ranked
    WHERE uploads > 0 AND larger_uploads < 1000
),
sized AS (
    SELECT orig_h, resp_h, list_sort(list(sent)) AS upload_sizes
    FROM each_upload
    GROUP BY orig_h, resp_h
),
examples AS (
    SELECT orig_h, resp_h, sent, unnest(uids) AS uid
    FROM ranked
    WHERE larger < 5
),
numbered AS (
    SELECT orig_h, resp_h, uid, row_number() OVER (PARTITION BY orig_h, resp_h ORDER BY sent DESC, uid) AS nth
    FROM examples
),
named AS (
    SELECT orig_h, resp_h, list(uid ORDER BY nth) AS uids
    FROM numbered
    WHERE nth <= 5
    GROUP BY orig_h, resp_h
),
uploads AS (
    SELECT
        p.orig_h, p.resp_h, p.least_port, p.most_port, p.least_proto, p.most_proto, p.connections,
        CAST(p.sent AS BIGINT) AS sent_bytes, CAST(p.received AS BIGINT) AS received_bytes, coalesce(z.upload_sizes, []) AS upload_sizes,
        p.first_us, p.last_us, n.uids
    FROM pairs AS p
    LEFT JOIN sized AS z ON p.orig_h = z.orig_h AND p.resp_h = z.resp_h
    LEFT JOIN named AS n ON p.orig_h = n.orig_h AND p.resp_h = n.resp_h
)

SELECT
    u.orig_h, u.resp_h, u.least_port, u.most_port, u.least_proto, u.most_proto, u.connections, u.sent_bytes,
    u.received_bytes, u.upload_sizes, v.clients AS server_clients,
    (SELECT count(*) FROM clients) AS clients,
    u.first_us, u.last_us, u.uids
FROM uploads AS u
INNER JOIN servers AS v ON u.resp_h = v.resp_h
UNION ALL
SELECT
    orig_h, NULL AS resp_h, NULL AS least_port, NULL AS most_port, NULL AS least_proto, NULL AS most_proto, connections,
    sent_bytes, received_bytes, CAST(NULL AS BIGINT[]) AS upload_sizes, NULL AS server_clients,
    (SELECT count(*) FROM clients) AS clients,
    first_us, last_us, CAST(NULL AS VARCHAR[]) AS uids
FROM clients
