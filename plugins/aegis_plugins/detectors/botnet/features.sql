-- What a host does that was made part of a botnet: one row per kind of it, client and what it is about. Columns that
-- the kinds share: `members` (names, peers, servers, connections or clients), `failed` (of these), `calls` (rows),
-- `spread`, `known`, `amount` and `others`, which each kind says by itself; `sample` (members by name).
WITH
-- 1. One path on many names. A name of which the client asked for nothing but one path.
names AS (
    SELECT
        orig_h,
        agent,
        host_domain,
        min(path) AS path,
        count(*) AS calls,
        max(CASE WHEN status_code < 400 THEN 1 ELSE 0 END) AS served,
        min(referrer) AS least_referrer,
        max(referrer) AS most_referrer,
        min(resp_h) AS resp_h,
        -- "not modified" is an answer of the name's own
        CASE WHEN max(status_code) = 304 THEN host_domain ELSE concat(max(status_code), ' ', max(response_body_len))
        END AS answer,
        min(ts_us) AS first_us,
        max(ts_us) AS last_us,
        min(uid) AS uid
    FROM (
        SELECT
            orig_h, coalesce(user_agent, '') AS agent, host_domain, resp_h, status_code, response_body_len, ts_us, uid,
            CASE WHEN referrer IS NULL OR strpos(referrer, host_domain) > 0 THEN '' ELSE referrer END AS referrer,
            -- of a request to a proxy, what follows the server
            coalesce(nullif(regexp_replace(split_part(uri, '?', 1), '^[A-Za-z]+://[^/]*', ''), ''), '/') AS path
        FROM http
        WHERE host_domain IS NOT NULL AND orig_h IS NOT NULL AND direction IN ('outbound', 'internal')
    ) AS asked
    GROUP BY orig_h, agent, host_domain
    HAVING min(path) = max(path) AND count(*) <= $max_requests
),
paths AS (
    SELECT
        orig_h,
        agent,
        path,
        count(*) AS members,
        CAST(sum(1 - served) AS BIGINT) AS failed,
        CAST(sum(calls) AS BIGINT) AS calls,
        count(DISTINCT resp_h) AS spread,  -- addresses
        count(DISTINCT answer) AS known,  -- different answers: status and length
        min(first_us) AS first_us,
        max(last_us) AS last_us
    FROM names
    WHERE NOT list_contains($common_paths, lower(path)) AND lower(path) NOT LIKE '/.well-known/%'
    GROUP BY orig_h, agent, path
    -- links that a browser follows come from many pages; a program says none, or always the same
    HAVING count(*) >= $min_names AND min(least_referrer) = max(most_referrer)
        AND max(last_us) >= $window_end - 1800000000
),

-- 2. An overlay of peers: one UDP socket of a client that talks to many hosts outside, nearly each at its own port.
udp AS (
    SELECT
        orig_h, orig_p, resp_h, resp_p, uid, ts_us, end_us,
        CASE WHEN resp_pkts > 0 THEN 1 ELSE 0 END AS answered,
        coalesce(orig_ip_bytes, 0) + coalesce(resp_ip_bytes, 0) AS bytes,
        CASE WHEN list_contains($sharing_ports, resp_p) THEN 1 ELSE 0 END AS sharing
    FROM conn
    WHERE proto = 'udp' AND direction = 'outbound' AND resp_p >= 1024 AND service IS NULL AND orig_h IS NOT NULL
),
sockets AS (
    SELECT orig_h, orig_p
    FROM udp
    GROUP BY orig_h, orig_p
    HAVING count(*) >= $min_peers AND max(end_us) >= $window_end - 1800000000
),
peers AS (
    SELECT
        u.orig_h, u.orig_p, u.resp_h,
        count(*) AS calls,
        min(u.resp_p) AS resp_p,
        max(u.answered) AS answered,
        max(u.sharing) AS sharing,
        CAST(sum(u.bytes) AS BIGINT) AS bytes,
        min(u.ts_us) AS first_us,
        max(u.end_us) AS last_us,
        min(u.uid) AS uid
    FROM udp AS u
    INNER JOIN sockets AS s ON u.orig_h = s.orig_h AND u.orig_p = s.orig_p
    GROUP BY u.orig_h, u.orig_p, u.resp_h
),
overlays AS (
    SELECT
        orig_h,
        orig_p,
        count(*) AS members,
        count(*) FILTER (WHERE answered = 0) AS failed,
        CAST(sum(calls) AS BIGINT) AS calls,
        count(DISTINCT resp_p) AS spread,  -- ports
        count(*) FILTER (WHERE sharing = 1) AS known,  -- peers at ports of file sharing
        CAST(sum(bytes) AS BIGINT) AS amount,  -- bytes both ways
        min(first_us) AS first_us,
        max(last_us) AS last_us
    FROM peers
    GROUP BY orig_h, orig_p
    -- somebody answers; a scan goes to few ports of many hosts, or to many ports of a few
    HAVING count(*) >= $min_peers AND 2 * count(DISTINCT resp_p) >= count(*) AND sum(answered) >= 5
        AND 20 * sum(answered) >= count(*)
),

-- 3. Mail to many servers outside by a host that takes none itself.
mail AS (
    SELECT
        orig_h, resp_h, uid, ts_us, end_us,
        CASE WHEN resp_pkts > 0 AND coalesce(conn_state, '') NOT IN ('REJ', 'S0', 'RSTOS0', 'SH') THEN 1 ELSE 0
        END AS open,
        coalesce(orig_bytes, 0) AS bytes
    FROM conn
    WHERE proto = 'tcp' AND resp_p = 25 AND direction = 'outbound' AND orig_h IS NOT NULL
        AND NOT list_contains($mail_servers, orig_h)
),
mailers AS (
    SELECT orig_h
    FROM mail
    GROUP BY orig_h
    HAVING count(*) >= $min_mail_servers AND max(end_us) >= $window_end - 1800000000
),
replies AS (
    SELECT
        s.orig_h, s.resp_h,
        max(CASE WHEN regexp_matches(s.last_reply, '^[45]') THEN 1 ELSE 0 END) AS refused,
        max(CASE WHEN regexp_matches(s.last_reply, '^2') THEN 1 ELSE 0 END) AS taken
    FROM smtp AS s
    INNER JOIN mailers AS m ON s.orig_h = m.orig_h
    GROUP BY s.orig_h, s.resp_h
),
senders AS (
    SELECT s.orig_h, count(DISTINCT lower(split_part(rtrim(s.mailfrom, '> '), '@', 2))) AS domains
    FROM smtp AS s
    INNER JOIN mailers AS m ON s.orig_h = m.orig_h
    WHERE s.mailfrom LIKE '%@%'
    GROUP BY s.orig_h
),
served AS (
    SELECT c.resp_h AS orig_h, count(*) AS served
    FROM conn AS c
    INNER JOIN mailers AS m ON c.resp_h = m.orig_h
    WHERE c.proto = 'tcp' AND c.resp_p IN (25, 465, 587) AND c.resp_pkts > 1
        AND c.conn_state IN ('SF', 'S1', 'RSTO', 'RSTR')
    GROUP BY c.resp_h
),
mail_servers AS (
    SELECT
        c.orig_h, c.resp_h,
        count(*) AS calls,
        CASE WHEN max(c.open) = 0 OR (max(coalesce(r.refused, 0)) = 1 AND max(coalesce(r.taken, 0)) = 0) THEN 1 ELSE 0
        END AS failed,
        CAST(sum(c.bytes) AS BIGINT) AS bytes,
        min(c.ts_us) AS first_us,
        max(c.end_us) AS last_us,
        min(c.uid) AS uid
    FROM mail AS c
    INNER JOIN mailers AS m ON c.orig_h = m.orig_h
    LEFT JOIN replies AS r ON c.orig_h = r.orig_h AND c.resp_h = r.resp_h
    GROUP BY c.orig_h, c.resp_h
),
spammers AS (
    SELECT
        m.orig_h,
        count(*) AS members,
        CAST(sum(m.failed) AS BIGINT) AS failed,
        CAST(sum(m.calls) AS BIGINT) AS calls,
        max(coalesce(d.domains, 0)) AS spread,  -- domains of senders
        max(coalesce(v.served, 0)) AS known,  -- connections in which it took mail
        CAST(sum(m.bytes) AS BIGINT) AS amount,  -- bytes sent
        min(m.first_us) AS first_us,
        max(m.last_us) AS last_us
    FROM mail_servers AS m
    LEFT JOIN senders AS d ON m.orig_h = d.orig_h
    LEFT JOIN served AS v ON m.orig_h = v.orig_h
    GROUP BY m.orig_h
    HAVING count(*) >= $min_mail_servers
),

-- 4. Mining pools: by their names, and where these are not seen, by ports of their protocol (Stratum).
pools AS (
    SELECT orig_h, query_domain AS domain, query AS name, unnest(answers) AS address, uid, ts_us
    FROM dns
    WHERE list_contains($pools, query_domain) AND lower(query) NOT IN (query_domain, concat('www.', query_domain))
        AND orig_h IS NOT NULL AND len(answers) > 0
    UNION ALL
    SELECT orig_h, server_domain AS domain, server_name AS name, resp_h AS address, uid, ts_us
    FROM ssl
    WHERE list_contains($pools, server_domain)
        AND lower(server_name) NOT IN (server_domain, concat('www.', server_domain)) AND orig_h IS NOT NULL
),
pool_hosts AS (
    SELECT orig_h, domain, address, min(name) AS name
    FROM pools
    GROUP BY orig_h, domain, address
),
jobs AS (
    SELECT
        c.orig_h, p.domain AS place, p.name, c.resp_h, c.resp_p, c.uid, c.ts_us, c.end_us, 1 AS named,
        CAST(coalesce(c.duration, 0) AS BIGINT) AS seconds
    FROM conn AS c
    INNER JOIN pool_hosts AS p ON c.orig_h = p.orig_h AND c.resp_h = p.address
    WHERE c.proto = 'tcp' AND c.direction = 'outbound' AND c.orig_bytes > 0 AND c.resp_bytes > 0
    UNION ALL
    SELECT
        orig_h, concat(resp_h, ':', CAST(resp_p AS VARCHAR)) AS place, CAST(NULL AS VARCHAR), resp_h, resp_p, uid,
        ts_us, end_us, 0 AS named, CAST(duration AS BIGINT) AS seconds
    FROM conn
    WHERE proto = 'tcp' AND direction = 'outbound' AND list_contains($stratum_ports, resp_p) AND service IS NULL
        AND duration >= $min_job_s AND orig_bytes > 0 AND resp_bytes > 0
        AND orig_bytes + resp_bytes <= 200 * duration  -- a job and its shares: a few hundred bytes, now and then
        AND orig_h IS NOT NULL
),
miners AS (
    SELECT
        orig_h, place, max(name) AS name, min(resp_h) AS resp_h, min(resp_p) AS resp_p, max(named) AS known,
        count(*) AS calls,
        -- no visit to the pool's pages
        count(*) FILTER (WHERE resp_p NOT IN (80, 443) OR seconds >= $min_job_s) AS spread,
        CAST(sum(seconds) AS BIGINT) AS amount,  -- s
        min(ts_us) AS first_us,
        max(end_us) AS last_us
    FROM jobs
    GROUP BY orig_h, place
    HAVING max(end_us) >= $window_end - 1800000000
),

-- 5. IRC, by its protocol, wherever it is served.
irc AS (
    SELECT orig_h, resp_h, resp_p, uid, ts_us, end_us, coalesce(orig_bytes, 0) + coalesce(resp_bytes, 0) AS bytes
    FROM conn
    WHERE list_contains(string_split(service, ','), 'irc') AND direction = 'outbound' AND resp_pkts > 0
        AND orig_h IS NOT NULL
),
chats AS (
    SELECT
        orig_h, resp_h, resp_p, count(*) AS calls, CAST(sum(bytes) AS BIGINT) AS amount,
        max(CASE WHEN list_contains($irc_ports, resp_p) THEN 1 ELSE 0 END) AS known,
        min(ts_us) AS first_us,
        max(end_us) AS last_us
    FROM irc
    GROUP BY orig_h, resp_h, resp_p
    HAVING max(end_us) >= $window_end - 1800000000
),

-- 6. In step: many clients that call one place outside all the time, at the same pace, and speak nothing that Zeek
-- knows, or IRC. First pairs that were active in most of the twelve five minutes of an hour, then places with enough.
dials AS NOT MATERIALIZED (
    SELECT
        orig_h, resp_h, resp_p, proto, ts_us, end_us, uid,
        CASE WHEN resp_pkts > 0 THEN 1 ELSE 0 END AS answered
    FROM conn
    WHERE direction = 'outbound' AND proto IN ('tcp', 'udp') AND orig_h IS NOT NULL AND resp_h IS NOT NULL
        AND NOT list_contains($skip_ports, resp_p) AND (service IS NULL OR service LIKE '%irc%')
),
pairs AS (
    SELECT orig_h, resp_h, resp_p, proto
    FROM dials
    GROUP BY orig_h, resp_h, resp_p, proto
    HAVING count(*) BETWEEN 10 AND 720 AND bit_count(bit_or(1::BIGINT << CAST(ts_us // 300000000 % 12 AS INTEGER))) >= 9
),
places AS (
    SELECT resp_h, resp_p, proto
    FROM pairs
    GROUP BY resp_h, resp_p, proto
    HAVING count(*) >= $min_clients
),
gaps AS (
    SELECT
        d.orig_h, d.resp_h, d.resp_p, d.proto, d.ts_us, d.end_us, d.uid, d.answered,
        d.ts_us - lag(d.ts_us) OVER (
            PARTITION BY d.orig_h, d.resp_h, d.resp_p, d.proto ORDER BY d.ts_us, d.uid
        ) AS gap_us
    FROM dials AS d
    INNER JOIN pairs AS p ON d.orig_h = p.orig_h AND d.resp_h = p.resp_h AND d.resp_p = p.resp_p AND d.proto = p.proto
    INNER JOIN places AS l ON d.resp_h = l.resp_h AND d.resp_p = l.resp_p AND d.proto = l.proto
),
paces AS (
    SELECT
        orig_h, resp_h, resp_p, proto,
        count(*) AS calls,
        max(answered) AS answered,
        quantile_disc(gap_us, 0.25) AS q1_us,
        quantile_disc(gap_us, 0.5) AS pace_us,
        quantile_disc(gap_us, 0.75) AS q3_us,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM gaps
    GROUP BY orig_h, resp_h, resp_p, proto
    HAVING quantile_disc(gap_us, 0.5) > 0
        -- even: the middle half of the gaps is within a quarter of the median on both sides
        AND quantile_disc(gap_us, 0.75) - quantile_disc(gap_us, 0.25) <= 0.5 * quantile_disc(gap_us, 0.5)
),
common_pace AS (
    SELECT resp_h, resp_p, proto, quantile_disc(pace_us, 0.5) AS pace_us
    FROM paces
    GROUP BY resp_h, resp_p, proto
    HAVING count(*) >= $min_clients
),
marchers AS (
    SELECT p.*, c.pace_us AS common_us
    FROM paces AS p
    INNER JOIN common_pace AS c ON p.resp_h = c.resp_h AND p.resp_p = c.resp_p AND p.proto = c.proto
    WHERE abs(p.pace_us - c.pace_us) <= 0.1 * c.pace_us
),
-- Whether clients knew the place by a name, and how many there are that do not keep the pace.
told AS (
    SELECT m.resp_h, count(*) AS named
    FROM (SELECT unnest(answers) AS address FROM dns WHERE len(answers) > 0) AS n
    INNER JOIN (SELECT DISTINCT resp_h FROM marchers) AS m ON n.address = m.resp_h
    GROUP BY m.resp_h
),
callers AS (
    SELECT d.resp_h, d.resp_p, d.proto, count(DISTINCT d.orig_h) AS clients
    FROM dials AS d
    INNER JOIN common_pace AS c ON d.resp_h = c.resp_h AND d.resp_p = c.resp_p AND d.proto = c.proto
    GROUP BY d.resp_h, d.resp_p, d.proto
),
columns AS (
    SELECT
        m.resp_h, m.resp_p, m.proto,
        count(*) AS members,
        count(*) FILTER (WHERE m.answered = 0) AS failed,
        CAST(sum(m.calls) AS BIGINT) AS calls,
        max(coalesce(t.named, 0)) AS known,
        max(m.common_us) AS amount,  -- µs
        max(k.clients) AS others,  -- clients of the place, these among them
        min(m.first_us) AS first_us,
        max(m.last_us) AS last_us
    FROM marchers AS m
    INNER JOIN callers AS k ON m.resp_h = k.resp_h AND m.resp_p = k.resp_p AND m.proto = k.proto
    LEFT JOIN told AS t ON m.resp_h = t.resp_h
    GROUP BY m.resp_h, m.resp_p, m.proto
    HAVING count(*) >= $min_clients AND 2 * count(*) >= max(k.clients) AND max(m.last_us) >= $window_end - 1800000000
),

found AS (
    SELECT
        'one path' AS kind, orig_h, concat(path, ' ', substr(md5(agent), 1, 8)) AS id, path AS what,
        CAST(NULL AS VARCHAR) AS resp_h, CAST(NULL AS BIGINT) AS resp_p, 'tcp' AS proto, members, failed, calls, spread,
        known, CAST(0 AS BIGINT) AS amount, CAST(0 AS BIGINT) AS others, first_us, last_us
    FROM paths
    UNION ALL
    SELECT
        'peers', orig_h, CAST(orig_p AS VARCHAR), CAST(orig_p AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS BIGINT),
        'udp', members, failed, calls, spread, known, amount, CAST(0 AS BIGINT), first_us, last_us
    FROM overlays
    UNION ALL
    SELECT
        'spam', orig_h, '', '', CAST(NULL AS VARCHAR), 25, 'tcp', members, failed, calls, spread, known, amount,
        CAST(0 AS BIGINT), first_us, last_us
    FROM spammers
    UNION ALL
    SELECT
        'mining', orig_h, place, coalesce(name, place), resp_h, resp_p, 'tcp', calls, CAST(0 AS BIGINT), calls,
        spread, CAST(known AS BIGINT), amount, CAST(0 AS BIGINT), first_us, last_us
    FROM miners
    UNION ALL
    SELECT
        'irc', orig_h, concat(resp_h, ':', CAST(resp_p AS VARCHAR)), concat(resp_h, ':', CAST(resp_p AS VARCHAR)),
        resp_h, resp_p, 'tcp', calls, CAST(0 AS BIGINT), calls, CAST(0 AS BIGINT), CAST(known AS BIGINT), amount,
        CAST(0 AS BIGINT), first_us, last_us
    FROM chats
    UNION ALL
    SELECT
        'in step', CAST(NULL AS VARCHAR), concat(resp_h, ':', CAST(resp_p AS VARCHAR), '/', proto),
        concat(resp_h, ':', CAST(resp_p AS VARCHAR), '/', proto), resp_h, resp_p, proto, members, failed, calls,
        CAST(0 AS BIGINT), known, amount, others, first_us, last_us
    FROM columns
),
-- Of several sockets, or programs, of one client that do the same, the largest speaks.
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY kind, orig_h, CASE WHEN kind = 'peers' THEN '' ELSE what END ORDER BY members DESC, id
        ) AS place
    FROM found
),

-- Examples: members by name and rows, the earliest first.
each AS (
    SELECT
        'one path' AS kind, orig_h, concat(path, ' ', substr(md5(agent), 1, 8)) AS id, host_domain AS member, first_us,
        uid
    FROM names
    UNION ALL
    SELECT 'peers', orig_h, CAST(orig_p AS VARCHAR), resp_h, first_us, uid
    FROM peers
    UNION ALL
    SELECT 'spam', orig_h, '', resp_h, first_us, uid
    FROM mail_servers
    UNION ALL
    SELECT 'mining', orig_h, place, resp_h, ts_us, uid
    FROM jobs
    UNION ALL
    SELECT 'irc', orig_h, concat(resp_h, ':', CAST(resp_p AS VARCHAR)), resp_h, ts_us, uid
    FROM irc
    UNION ALL
    SELECT
        'in step', CAST(NULL AS VARCHAR), concat(resp_h, ':', CAST(resp_p AS VARCHAR), '/', proto), orig_h, first_us,
        uid
    FROM marchers
),
numbered AS (
    SELECT
        f.kind, f.orig_h, f.id, e.member, e.uid,
        row_number() OVER (PARTITION BY f.kind, f.orig_h, f.id ORDER BY e.first_us, e.uid, e.member) AS nth
    FROM each AS e
    INNER JOIN ranked AS f ON e.kind = f.kind AND coalesce(e.orig_h, '') = coalesce(f.orig_h, '') AND e.id = f.id
    WHERE f.place = 1
),
examples AS (
    SELECT kind, orig_h, id, list_sort(list(DISTINCT member)) AS sample, list(uid ORDER BY nth) AS uids
    FROM numbered
    WHERE nth <= 20
    GROUP BY kind, orig_h, id
)

SELECT f.*, e.sample, e.uids
FROM ranked AS f
INNER JOIN examples AS e ON f.kind = e.kind AND coalesce(f.orig_h, '') = coalesce(e.orig_h, '') AND f.id = e.id
WHERE f.place = 1
