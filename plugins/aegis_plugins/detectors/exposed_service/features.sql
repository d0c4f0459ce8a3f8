-- Services for inside use only that answered from outside: one row per host, port and protocol.
WITH
ports AS (
    SELECT
        CAST(split_part(item, '/', 1) AS BIGINT) AS resp_p,
        split_part(split_part(item, ' ', 1), '/', 2) AS proto,
        substr(item, strpos(item, ' ') + 1) AS name
    FROM (SELECT unnest($services) AS item) AS listed
),
-- a service that Zeek recognised by its protocol, at whatever port
analyzers AS (
    SELECT split_part(item, ' ', 1) AS said, substr(item, strpos(item, ' ') + 1) AS name
    FROM (SELECT unnest($analyzers) AS item) AS listed
),
-- Connections that came about: the client acknowledged (TCP), the server sent something (UDP).
reached AS (
    SELECT
        orig_h, resp_h, resp_p, proto, service, ts_us, end_us, uid,
        -- payload, or where the sensor does not tell it, what IP carried less the shortest headers
        coalesce(orig_bytes, greatest(0, orig_ip_bytes - orig_pkts * header), 0) AS sent,
        coalesce(resp_bytes, greatest(0, resp_ip_bytes - resp_pkts * header), 0) AS answer
    FROM (SELECT *, CASE proto WHEN 'tcp' THEN 60 ELSE 28 END AS header FROM conn) AS c
    WHERE direction = 'inbound' AND resp_pkts > 0 AND resp_h IS NOT NULL AND resp_p IS NOT NULL AND orig_h IS NOT NULL
        AND CASE proto
            WHEN 'tcp' THEN conn_state IN ('SF', 'S1', 'S2', 'S3', 'RSTO', 'RSTR')
                AND CASE WHEN history IS NULL THEN orig_pkts > 2 ELSE history LIKE '%A%' END
            -- from a port of servers, it is the late answer to a client here
            WHEN 'udp' THEN coalesce(resp_bytes, 1) > 0 AND orig_pkts > 0 AND orig_p >= 1024
            ELSE false
        END
),
-- What Zeek calls each of the services that were met, in our words (`gssapi,smb,ntlm` is smb).
spoken AS (
    SELECT s.service, min(a.name) AS name
    FROM (SELECT DISTINCT service FROM conn WHERE direction = 'inbound' AND service IS NOT NULL) AS s
    INNER JOIN analyzers AS a ON list_contains(string_split(s.service, ','), a.said)
    GROUP BY s.service
),
named AS (
    SELECT
        r.*,
        coalesce(s.name, p.name) AS name,
        -- by its protocol; or HTTP or TLS where that is how it speaks
        CASE WHEN s.name IS NOT NULL
            OR (list_contains($over_http, p.name) AND regexp_matches(coalesce(r.service, ''), 'http|ssl'))
            THEN 1 ELSE 0 END AS confirmed,
        CASE WHEN p.name IS NOT NULL THEN 1 ELSE 0 END AS usual_port,
        -- another protocol at the port: what is there is not what its number says
        CASE WHEN s.name IS NULL AND r.service IS NOT NULL
            AND NOT (list_contains($over_http, p.name) AND regexp_matches(r.service, 'http|ssl')) THEN 1 ELSE 0
        END AS other
    FROM reached AS r
    LEFT JOIN ports AS p ON r.resp_p = p.resp_p AND r.proto = p.proto
    LEFT JOIN spoken AS s ON r.service = s.service
    WHERE coalesce(s.name, p.name, 'none') <> 'none'
        AND NOT list_contains($allowed, concat(r.resp_h, ' ', CAST(r.resp_p AS VARCHAR), '/', r.proto))
),
sockets AS (
    SELECT
        resp_h,
        resp_p,
        proto,
        coalesce(min(CASE WHEN confirmed = 1 THEN name END), min(name)) AS service,
        max(confirmed) AS confirmed,
        max(usual_port) AS usual_port,
        count(*) AS connections,
        count(*) FILTER (WHERE sent > 0 AND answer > 0) AS spoken,  -- payload both ways
        count(*) FILTER (WHERE sent > 0 AND answer >= $min_answer_bytes AND other = 0) AS used,
        CAST(sum(answer) AS BIGINT) AS answer_bytes,
        max(answer) AS largest_answer_bytes,
        min(ts_us) AS first_us,
        max(end_us) AS last_us
    FROM named
    GROUP BY resp_h, resp_p, proto
    HAVING max(end_us) >= $window_end - 1800000000 AND min(other) = 0
),
-- Who accepts connections at many of these ports and says nothing is a firewall or a tarpit, not a server.
hosts AS (
    SELECT *
    FROM (SELECT *, count(*) FILTER (WHERE spoken = 0) OVER (PARTITION BY resp_h) AS silent FROM sockets) AS counted
    WHERE spoken > 0 OR silent <= $max_silent_ports
),
by_source AS (
    SELECT
        n.resp_h, n.resp_p, n.proto, n.orig_h,
        row_number() OVER (
            PARTITION BY n.resp_h, n.resp_p, n.proto ORDER BY max(n.answer) DESC, min(n.ts_us), n.orig_h
        ) AS nth
    FROM named AS n
    INNER JOIN hosts AS h ON n.resp_h = h.resp_h AND n.resp_p = h.resp_p AND n.proto = h.proto
    GROUP BY n.resp_h, n.resp_p, n.proto, n.orig_h
),
sources AS (
    SELECT
        resp_h, resp_p, proto,
        count(*) AS sources,
        list(orig_h ORDER BY nth) FILTER (WHERE nth <= 20) AS sources_sample
    FROM by_source
    GROUP BY resp_h, resp_p, proto
),
numbered AS (
    SELECT resp_h, resp_p, proto, uid, row_number() OVER (PARTITION BY resp_h, resp_p, proto ORDER BY ts_us, uid) AS nth
    FROM named
    WHERE uid IS NOT NULL
),
examples AS (
    SELECT resp_h, resp_p, proto, list(uid ORDER BY nth) AS uids
    FROM numbered
    WHERE nth <= 20
    GROUP BY resp_h, resp_p, proto
)

SELECT h.*, s.sources, s.sources_sample, coalesce(e.uids, []) AS uids
FROM hosts AS h
INNER JOIN sources AS s ON h.resp_h = s.resp_h AND h.resp_p = s.resp_p AND h.proto = s.proto
LEFT JOIN examples AS e ON h.resp_h = e.resp_h AND h.resp_p = e.resp_p AND h.proto = e.proto
