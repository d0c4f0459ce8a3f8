-- What a client sent to one destination outside in 24 h: one row per client and key, the name of the destination where
-- the client told one (SNI, Host), else its address. The days before in the look-back are the client's past.
WITH
-- Clients that sent enough in all, and some of it in the last hour.
senders AS (
    SELECT orig_h
    FROM egress_hour
    WHERE hour_us >= $window_start AND resp_h IS NOT NULL
    GROUP BY orig_h
    HAVING sum(sent_bytes) >= least($least_bytes, $min_bytes, $plain_bytes)
        AND max(hour_us) >= $window_end - 3600000000
),

-- By which name a client called a server most, of those to which anything went.
pairs AS (
    SELECT DISTINCT orig_h, resp_h
    FROM egress_hour
    WHERE resp_h IS NOT NULL AND orig_h IN (SELECT orig_h FROM senders)
),

names AS (
    SELECT
        s.orig_h,
        s.resp_h,
        s.name,
        row_number() OVER (PARTITION BY s.orig_h, s.resp_h ORDER BY sum(s.requests) DESC, s.name) AS nth
    FROM server_name_hour AS s
    INNER JOIN pairs AS p ON s.orig_h = p.orig_h AND s.resp_h = p.resp_h
    WHERE NOT coalesce(s.proxied, false) AND s.name <> s.resp_h
    GROUP BY s.orig_h, s.resp_h, s.name
),

hours AS (
    SELECT
        e.*,
        n.name,
        coalesce(n.name, e.resp_h) AS key,
        -- 0: in the window; 1, 2, …: so many days before it
        CASE WHEN e.hour_us >= $window_start THEN 0 ELSE ($window_start - e.hour_us - 1) // 86400000000 + 1 END AS day
    FROM egress_hour AS e
    LEFT JOIN names AS n ON e.orig_h = n.orig_h AND e.resp_h = n.resp_h AND n.nth = 1
    WHERE e.resp_h IS NOT NULL AND e.orig_h IN (SELECT orig_h FROM senders)
),

sent AS (
    SELECT
        orig_h,
        key,
        max(name) AS name,
        min(resp_h) AS least_server,
        count(DISTINCT resp_h) AS servers,
        min(least_port) AS least_port,
        max(most_port) AS most_port,
        min(least_proto) AS least_proto,
        max(most_proto) AS most_proto,
        CAST(sum(connections) AS BIGINT) AS connections,
        CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,  -- payload
        CAST(sum(received_bytes) AS BIGINT) AS received_bytes,  -- payload
        count(DISTINCT hour_us) AS hours,  -- with 64 KiB or more to one address
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list(uids ORDER BY first_us, resp_h) AS uids
    FROM hours
    WHERE day = 0
    GROUP BY orig_h, key
    HAVING sum(sent_bytes) >= least($least_bytes, $min_bytes, $plain_bytes)
        AND sum(sent_bytes) >= $min_ratio * sum(received_bytes)
        AND max(hour_us) >= $window_end - 3600000000
),

-- Uploads, and how many of them have the size of the middle one, to a twentieth.
uploads AS (
    SELECT h.orig_h, h.key, unnest(h.upload_sizes) AS size
    FROM hours AS h
    INNER JOIN sent AS s ON h.orig_h = s.orig_h AND h.key = s.key
    WHERE h.day = 0
),

middles AS (
    SELECT orig_h, key, quantile_cont(size, 0.5) AS middle, count(*) AS uploads
    FROM uploads
    GROUP BY orig_h, key
),

pieces AS (
    SELECT
        u.orig_h, u.key, max(m.middle) AS upload_median, max(m.uploads) AS uploads,
        count(*) FILTER (WHERE abs(u.size - m.middle) <= 0.05 * m.middle) AS alike
    FROM uploads AS u
    INNER JOIN middles AS m ON u.orig_h = m.orig_h AND u.key = m.key
    GROUP BY u.orig_h, u.key
),

-- The client's past: the most that it sent to this destination, and to any, in a day.
past AS (
    SELECT orig_h, key, day, sum(sent_bytes) AS sent_bytes
    FROM hours
    WHERE day > 0 AND orig_h IN (SELECT orig_h FROM sent)
    GROUP BY orig_h, key, day
),

past_destination AS (
    SELECT orig_h, key, CAST(max(sent_bytes) AS BIGINT) AS most_bytes, count(*) AS days
    FROM past
    GROUP BY orig_h, key
),

past_host AS (
    SELECT orig_h, CAST(max(sent_bytes) AS BIGINT) AS most_bytes
    FROM past
    GROUP BY orig_h
),

-- Since when the client is known: hours before the window.
watched AS (
    SELECT orig_h, greatest(0, ($window_start - min(hour_us)) // 3600000000) AS past_hours, max(clients) AS clients
    FROM egress_hour
    WHERE resp_h IS NULL AND orig_h IN (SELECT orig_h FROM sent)
    GROUP BY orig_h
),

-- How many of our hosts called the destination in one hour: its domain where TLS told one, else its addresses. TLS
-- without a name, on no port of mail's (RFC 3207); QUIC's names are not always read.
told AS (
    SELECT
        s.orig_h,
        s.key,
        max(t.place_clients) FILTER (WHERE t.name = s.name) AS clients,
        CAST(sum(t.sessions) FILTER (
            WHERE t.name IS NULL AND t.proto = 'tcp' AND t.resp_p NOT IN (25, 465, 587)
        ) AS BIGINT) AS nameless
    FROM sent AS s
    INNER JOIN tls_server_hour AS t
        ON s.orig_h = t.orig_h AND (s.name = t.name OR s.name IS NULL AND s.key = t.resp_h)
    GROUP BY s.orig_h, s.key
),

called AS (
    SELECT h.orig_h, h.key, max(h.server_clients) AS clients
    FROM hours AS h
    INNER JOIN sent AS s ON h.orig_h = s.orig_h AND h.key = s.key
    GROUP BY h.orig_h, h.key
)

SELECT
    s.orig_h, s.key, s.name, s.least_server, s.servers, s.least_port, s.most_port, s.least_proto, s.most_proto,
    s.connections, s.sent_bytes, s.received_bytes, s.hours, s.first_us, s.last_us, flatten(s.uids) AS uids,
    coalesce(p.uploads, 0) AS uploads,  -- connections with 8 KiB or more out
    p.upload_median,  -- bytes
    coalesce(p.alike, 0) AS uploads_alike,
    coalesce(w.past_hours, 0) AS past_hours,
    coalesce(d.most_bytes, 0) AS past_destination_most,  -- bytes in a day
    coalesce(d.days, 0) AS past_destination_days,
    coalesce(h.most_bytes, 0) AS past_host_most,  -- bytes in a day to one destination
    coalesce(t.clients, c.clients, 1) AS destination_clients,
    coalesce(t.nameless, 0) AS nameless,  -- TLS handshakes
    coalesce(w.clients, 0) AS clients
FROM sent AS s
LEFT JOIN pieces AS p ON s.orig_h = p.orig_h AND s.key = p.key
LEFT JOIN past_destination AS d ON s.orig_h = d.orig_h AND s.key = d.key
LEFT JOIN past_host AS h ON s.orig_h = h.orig_h
LEFT JOIN watched AS w ON s.orig_h = w.orig_h
LEFT JOIN told AS t ON s.orig_h = t.orig_h AND s.key = t.key
LEFT JOIN called AS c ON s.orig_h = c.orig_h AND s.key = c.key
