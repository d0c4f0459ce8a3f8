-- The hosts that moved most bytes, headers included, over all connections of the time.
WITH
flows AS (
    SELECT
        orig_h, resp_h,
        coalesce(orig_internal, local_orig, false) AS orig_inside,
        coalesce(resp_internal, local_resp, false) AS resp_inside,
        least(greatest(coalesce(orig_ip_bytes, orig_bytes, 0), 0), 17592186044416) AS up,
        least(greatest(coalesce(resp_ip_bytes, resp_bytes, 0), 0), 17592186044416) AS down
    FROM conn
    WHERE orig_h IS NOT NULL AND resp_h IS NOT NULL
),
sides AS (
    SELECT orig_h AS host, bool_or(orig_inside) AS inside, sum(up) AS sent, sum(down) AS got, count(*) AS connections
    FROM flows
    GROUP BY orig_h
    UNION ALL
    SELECT resp_h AS host, bool_or(resp_inside) AS inside, sum(down) AS sent, sum(up) AS got, count(*) AS connections
    FROM flows
    GROUP BY resp_h
),
most AS (
    SELECT
        host,
        bool_or(inside) AS inside,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(got) AS BIGINT) AS got,
        CAST(sum(connections) AS BIGINT) AS connections
    FROM sides
    GROUP BY host
    ORDER BY sum(sent + got) DESC, host
    LIMIT $most
),
peers AS (
    SELECT orig_h AS host, resp_h AS peer FROM conn WHERE orig_h IN (SELECT host FROM most)
    UNION
    SELECT resp_h AS host, orig_h AS peer FROM conn WHERE resp_h IN (SELECT host FROM most)
)
SELECT m.host, m.inside, m.sent, m.got, m.connections, count(p.peer) AS peers
FROM most AS m
LEFT JOIN peers AS p ON m.host = p.host
GROUP BY m.host, m.inside, m.sent, m.got, m.connections
ORDER BY m.sent + m.got DESC, m.host
