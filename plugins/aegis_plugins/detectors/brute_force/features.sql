-- Logins that fail again and again: one row per source (and service) that guesses at a host or at many, and one per host
-- (and service) at which many sources fail a few times each.
WITH
-- What logs say of logins: failures that a row tells of (a connection of SSH may hold several) and whether it came to a
-- login. The keys that an SSH agent offers before the one that is taken are no guesses.
logins AS (
    SELECT
        'ssh' AS service, orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal,
        CAST(NULL AS VARCHAR) AS username,
        CASE WHEN auth_success THEN 0 ELSE greatest(coalesce(auth_attempts, 1), 1) END AS failures,
        CASE WHEN auth_success THEN 1 ELSE 0 END AS success
    FROM ssh
    WHERE auth_success IS NOT NULL
    UNION ALL
    -- NTLM within SMB, RPC, HTTP …; machine accounts that fail are machines that lost their domain
    SELECT
        'ntlm', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower(username),
        CASE WHEN success THEN 0 ELSE 1 END, CASE WHEN success THEN 1 ELSE 0 END
    FROM ntlm
    WHERE success IS NOT NULL AND username NOT LIKE '%$'
    UNION ALL
    -- a wrong password, an account that is not there or is locked (texts of Microsoft's KDC and of MIT's)
    SELECT
        'kerberos', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower(client),
        CASE WHEN success THEN 0 ELSE 1 END, CASE WHEN success THEN 1 ELSE 0 END
    FROM kerberos
    WHERE request_type = 'AS' AND coalesce(client, '') NOT LIKE '%$/%' AND coalesce(client, '') NOT LIKE '%$'
        AND (
            success
            OR (NOT success AND regexp_matches(
                upper(error_msg), 'PREAUTH_FAILED|C_PRINCIPAL_UNKNOWN|CLIENT_NOT_FOUND|CLIENT_REVOKED|LOCKED_OUT'
            ))
        )
    UNION ALL
    SELECT
        'ldap', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower(object),
        CASE WHEN result = 'success' THEN 0 ELSE 1 END, CASE WHEN result = 'success' THEN 1 ELSE 0 END
    FROM ldap
    WHERE opcode LIKE 'bind%' AND result IN ('success', 'invalid credentials')
    UNION ALL
    -- only where the site has PASS in FTP::logged_commands
    SELECT
        'ftp', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower("user"),
        CASE WHEN reply_code = 230 THEN 0 ELSE 1 END, CASE WHEN reply_code = 230 THEN 1 ELSE 0 END
    FROM ftp
    WHERE command = 'PASS' AND reply_code IN (230, 530)
    UNION ALL
    SELECT
        'smtp', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, CAST(NULL AS VARCHAR),
        CASE WHEN last_reply LIKE '250%' THEN 0 ELSE 1 END, CASE WHEN last_reply LIKE '250%' THEN 1 ELSE 0 END
    FROM smtp
    WHERE regexp_matches(lower(last_reply), '^535|bad smtp-auth|authentication (failed|unsuccessful|failure)')
        OR (resp_p = 587 AND last_reply LIKE '250%' AND mailfrom IS NOT NULL)  -- submission is for who logged in
    UNION ALL
    -- Basic credentials, or a form posted to a path that names a login. The 401 with which NTLM, Negotiate and Digest
    -- begin bears no user name.
    SELECT
        'http', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower(username),
        CASE WHEN status_code IN (401, 403) THEN 1 ELSE 0 END, CASE WHEN status_code IN (401, 403) THEN 0 ELSE 1 END
    FROM http
    WHERE (
            (username IS NOT NULL AND username <> '' AND (status_code = 401 OR status_code BETWEEN 200 AND 399))
            OR (
                method = 'POST' AND (status_code IN (401, 403) OR status_code BETWEEN 200 AND 399)
                AND regexp_matches(
                    lower(split_part(uri, '?', 1)), 'log[-_]?[io]n|sign[-_]?in|auth|session|passw|xmlrpc[.]php'
                )
            )
        )
    UNION ALL
    -- every registration begins with a 401 or 407, so that it is the share of failures that tells
    SELECT
        'sip', orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, lower(request_to),
        CASE WHEN status_code = 200 THEN 0 ELSE 1 END, CASE WHEN status_code = 200 THEN 1 ELSE 0 END
    FROM sip
    WHERE method = 'REGISTER' AND status_code IN (200, 401, 403, 404, 407)
),

-- Connections to services that ask for a login, by their ports, and SSH wherever it is.
services AS MATERIALIZED (
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, conn_state, service, orig_bytes,
        resp_bytes, orig_pkts, resp_pkts, orig_ip_bytes, resp_ip_bytes
    FROM conn
    WHERE proto = 'tcp' AND list_contains($flow_ports, resp_p)
    UNION ALL
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, conn_state, service, orig_bytes,
        resp_bytes, orig_pkts, resp_pkts, orig_ip_bytes, resp_ip_bytes
    FROM conn
    WHERE proto = 'tcp' AND service LIKE '%ssh%' AND NOT list_contains($flow_ports, coalesce(resp_p, 0))
),

-- Where no log tells (RDP, FTP, telnet, SSH in EVE): short, small connections that were served and closed.
small AS (
    SELECT
        c.orig_h, c.resp_h, c.resp_p, c.uid, c.ts_us, c.end_us, c.orig_internal, c.resp_internal, c.resp_ip_bytes
    FROM services AS c
    WHERE list_contains($flow_ports, c.resp_p) AND c.conn_state IN ('SF', 'RSTO', 'RSTR')
        AND c.end_us - c.ts_us <= CAST($max_login_s AS BIGINT) * 1000000
        AND c.orig_pkts >= 5 AND c.resp_pkts >= 4
        -- a check of SSH or RDP that ends before the keys are agreed on is no login
        AND c.resp_ip_bytes BETWEEN CASE WHEN c.resp_p IN (22, 3389) THEN 1000 ELSE 200 END AND $max_login_bytes
        AND NOT EXISTS (SELECT 1 FROM logins AS l WHERE l.uid = c.uid)
),
middles AS (
    SELECT orig_h, resp_h, resp_p, quantile_disc(resp_ip_bytes, 0.5) AS median_bytes, count(*) AS connections
    FROM small
    GROUP BY orig_h, resp_h, resp_p
    HAVING count(*) >= $min_connections
),
alike AS (
    SELECT s.*
    FROM small AS s
    INNER JOIN middles AS m ON s.orig_h = m.orig_h AND s.resp_h = m.resp_h AND s.resp_p = m.resp_p
    WHERE 5 * abs(s.resp_ip_bytes - m.median_bytes) <= m.median_bytes
),
-- Alike for the most part, and not as a job does it, once a minute.
paced AS (
    SELECT orig_h, resp_h, resp_p, CAST(sum(in_minute) AS BIGINT) AS connections, max(in_minute) AS busiest
    FROM (
        SELECT orig_h, resp_h, resp_p, count(*) AS in_minute
        FROM alike
        GROUP BY orig_h, resp_h, resp_p, ts_us // 60000000
    )
    GROUP BY orig_h, resp_h, resp_p
),
guesses AS (
    SELECT
        CASE a.resp_p WHEN 22 THEN 'ssh' WHEN 3389 THEN 'rdp' WHEN 21 THEN 'ftp' WHEN 23 THEN 'telnet'
            ELSE concat('port ', CAST(a.resp_p AS VARCHAR)) END AS service,
        a.*
    FROM alike AS a
    INNER JOIN middles AS m ON a.orig_h = m.orig_h AND a.resp_h = m.resp_h AND a.resp_p = m.resp_p
    INNER JOIN paced AS p ON a.orig_h = p.orig_h AND a.resp_h = p.resp_h AND a.resp_p = p.resp_p
    WHERE p.connections >= $min_connections AND 10 * p.connections >= 7 * m.connections AND p.busiest >= 4
),

-- SSH by what was said, on any port, where a session after guesses may show that one was right. `received` is what the
-- server sent; where the sensor does not count payload (EVE), it is IP bytes less headers with TCP timestamps.
shells AS (
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, conn_state,
        coalesce(orig_bytes, orig_ip_bytes - orig_pkts * CASE WHEN resp_h LIKE '%:%' THEN 72 ELSE 52 END) AS sent,
        coalesce(resp_bytes, resp_ip_bytes - resp_pkts * CASE WHEN resp_h LIKE '%:%' THEN 72 ELSE 52 END) AS received
    FROM services
    WHERE service LIKE '%ssh%' AND orig_h IS NOT NULL AND resp_h IS NOT NULL
),
-- An exchange of keys that withstands quantum computers (ML-KEM, sntrup761) takes 1.1 kB more of both sides: what the
-- client sent shows it, and more is allowed then.
sized AS MATERIALIZED (
    SELECT *, received - CASE WHEN sent > 2700 THEN 500 ELSE 0 END AS said
    FROM shells
),
-- Keys were agreed on, and then no more was said than it takes to refuse. To prove who one is and to open a channel
-- takes the client more, too.
refused AS (
    SELECT s.*
    FROM sized AS s
    WHERE s.conn_state IN ('SF', 'RSTO', 'RSTR')
        AND s.end_us - s.ts_us <= CAST($max_login_s AS BIGINT) * 1000000
        AND s.received >= 1000 AND s.said <= $max_guess_bytes
        AND (s.sent <= 2100 OR s.sent BETWEEN 2700 AND 3500)
        AND NOT EXISTS (SELECT 1 FROM logins AS l WHERE l.uid = s.uid)
),
refused_middles AS (
    SELECT orig_h, resp_h, resp_p, quantile_disc(received, 0.5) AS median_bytes, count(*) AS connections
    FROM refused
    GROUP BY orig_h, resp_h, resp_p
    HAVING count(*) >= $min_guesses
),
-- The band of the guesses: a fifth around the median, for each try of a connection adds some 76 bytes.
banded AS (
    SELECT
        r.*, m.connections,
        row_number() OVER (PARTITION BY r.orig_h, r.resp_h, r.resp_p ORDER BY r.ts_us, r.uid) AS nth
    FROM refused AS r
    INNER JOIN refused_middles AS m ON r.orig_h = m.orig_h AND r.resp_h = m.resp_h AND r.resp_p = m.resp_p
    WHERE 5 * abs(r.received - m.median_bytes) <= m.median_bytes
),
-- Eight in ten of what was refused lie in the band, four of them in some minute.
runs AS (
    SELECT orig_h, resp_h, resp_p, min(enough_us) AS enough_us
    FROM (
        SELECT
            orig_h, resp_h, resp_p,
            count(*) AS in_minute,
            max(connections) AS connections,
            min(CASE WHEN nth >= $min_guesses THEN ts_us END) AS enough_us
        FROM banded
        GROUP BY orig_h, resp_h, resp_p, ts_us // 60000000
    )
    GROUP BY orig_h, resp_h, resp_p
    HAVING sum(in_minute) >= $min_guesses AND 10 * sum(in_minute) >= 8 * max(connections) AND max(in_minute) >= 4
),
sessions AS (
    SELECT s.*, min(s.ts_us) OVER (PARTITION BY s.orig_h, s.resp_h, s.resp_p) AS session_us
    FROM sized AS s
    INNER JOIN runs AS r ON s.orig_h = r.orig_h AND s.resp_h = r.resp_h AND s.resp_p = r.resp_p
    WHERE s.said >= $min_session_bytes
),
-- The first session comes after enough guesses, within ten minutes of one, and ends them for the most part. Who had one
-- before knows the password, and a job's small and large connections come by turns.
compromised AS (
    SELECT b.orig_h, b.resp_h, b.resp_p
    FROM banded AS b
    INNER JOIN runs AS r ON b.orig_h = r.orig_h AND b.resp_h = r.resp_h AND b.resp_p = r.resp_p
    INNER JOIN (SELECT DISTINCT orig_h, resp_h, resp_p, session_us FROM sessions) AS s
        ON b.orig_h = s.orig_h AND b.resp_h = s.resp_h AND b.resp_p = s.resp_p
    WHERE s.session_us >= r.enough_us
    GROUP BY b.orig_h, b.resp_h, b.resp_p, s.session_us
    HAVING 2 * count(*) FILTER (WHERE b.ts_us <= s.session_us) >= count(*)
        AND max(b.ts_us) FILTER (WHERE b.ts_us <= s.session_us) >= s.session_us - 600000000
),
-- What only flows show: guesses, of which the band says more where a session came after them, and those sessions.
shown AS (
    SELECT
        g.service, g.orig_h, g.resp_h, g.resp_p, g.uid, g.ts_us, g.end_us, g.orig_internal, g.resp_internal,
        1 AS failures, 0 AS success, CAST(NULL AS BIGINT) AS received,
        CASE WHEN r.uid IS NULL THEN 0 ELSE 1 END AS refusal  -- too small for a login
    FROM guesses AS g
    LEFT JOIN refused AS r ON g.uid = r.uid
    LEFT JOIN compromised AS c ON g.orig_h = c.orig_h AND g.resp_h = c.resp_h AND g.resp_p = c.resp_p
    WHERE c.orig_h IS NULL
    UNION ALL
    SELECT
        'ssh', b.orig_h, b.resp_h, b.resp_p, b.uid, b.ts_us, b.end_us, b.orig_internal, b.resp_internal,
        1, 0, b.received, 1
    FROM banded AS b
    INNER JOIN compromised AS c ON b.orig_h = c.orig_h AND b.resp_h = c.resp_h AND b.resp_p = c.resp_p
    UNION ALL
    SELECT
        'ssh', s.orig_h, s.resp_h, s.resp_p, s.uid, s.ts_us, s.end_us, s.orig_internal, s.resp_internal,
        0, 1, s.received, 0
    FROM sessions AS s
    INNER JOIN compromised AS c ON s.orig_h = c.orig_h AND s.resp_h = c.resp_h AND s.resp_p = c.resp_p
),

attempts AS (
    SELECT
        0 AS by_flows, service, orig_h, resp_h, resp_p, uid, ts_us, end_us, username, failures, success,
        CAST(orig_internal AS INTEGER) AS orig_internal,
        CAST(resp_internal AS INTEGER) AS resp_internal,
        CAST(NULL AS BIGINT) AS received, 0 AS refusal
    FROM logins
    WHERE orig_h IS NOT NULL AND resp_h IS NOT NULL
    UNION ALL
    SELECT
        1, service, orig_h, resp_h, resp_p, uid, ts_us, end_us, CAST(NULL AS VARCHAR), failures, success,
        CAST(orig_internal AS INTEGER), CAST(resp_internal AS INTEGER), received, refusal
    FROM shown
),

-- Failures of the source, at that service, that began before. Of flows it is not asked.
ordered AS (
    SELECT
        *,
        coalesce(sum(failures) OVER (
            PARTITION BY service, orig_h ORDER BY ts_us, uid, resp_h ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
    FROM attempts
    WHERE by_flows = 0
    UNION ALL
    SELECT *, 0 AS before
    FROM attempts
    WHERE by_flows = 1
),
pairs AS (
    SELECT
        by_flows, service, orig_h, resp_h,
        CAST(sum(failures) AS BIGINT) AS failures,
        CAST(sum(success) AS BIGINT) AS successes
    FROM ordered
    GROUP BY by_flows, service, orig_h, resp_h
),

-- Sources that guess at one host. Many people behind one address fail now and then; most of what they do succeeds.
guessed AS (
    SELECT by_flows, service, orig_h, resp_h
    FROM pairs
    WHERE by_flows = 1  -- which are enough, or not here
        OR (failures >= $min_failures AND failures >= $min_failed_share * (failures + successes))
),
-- Sources that fail at many hosts and get into few of them.
spread AS (
    SELECT by_flows, service, orig_h
    FROM pairs
    WHERE by_flows = 0
    GROUP BY by_flows, service, orig_h
    HAVING count(*) FILTER (WHERE failures > 0) >= $min_hosts
        AND sum(failures) >= $min_failures
        AND count(*) FILTER (WHERE failures > 0 AND successes = 0) >= $min_failed_share * count(*)
),
suspects AS (
    SELECT by_flows, service, orig_h, resp_h FROM guessed
    UNION
    SELECT p.by_flows, p.service, p.orig_h, p.resp_h
    FROM pairs AS p
    INNER JOIN spread AS s ON p.by_flows = s.by_flows AND p.service = s.service AND p.orig_h = s.orig_h
    WHERE p.failures > 0
),

-- Hosts at which many other sources fail, and few others succeed.
rest AS (
    SELECT p.*
    FROM pairs AS p
    LEFT JOIN suspects AS s
        ON p.by_flows = s.by_flows AND p.service = s.service AND p.orig_h = s.orig_h AND p.resp_h = s.resp_h
    WHERE p.by_flows = 0 AND s.orig_h IS NULL
),
crowds AS (
    SELECT service, resp_h
    FROM rest
    GROUP BY service, resp_h
    HAVING count(*) FILTER (WHERE failures > 0 AND successes = 0) >= $min_sources
        AND sum(failures) FILTER (WHERE successes = 0) >= $min_failures
        AND count(*) FILTER (WHERE failures > 0 AND successes = 0) >= $min_failed_share * count(*)
),

-- Whose rows are whose finding: of a source, or of a target. Flows are silent where a log speaks.
members AS (
    SELECT 0 AS by_target, s.by_flows, s.service, s.orig_h, s.resp_h, s.orig_h AS lead_h
    FROM suspects AS s
    WHERE s.by_flows = 0
        OR NOT EXISTS (
            SELECT 1 FROM suspects AS l WHERE l.by_flows = 0 AND l.service = s.service AND l.orig_h = s.orig_h
        )
    UNION ALL
    SELECT 1, r.by_flows, r.service, r.orig_h, r.resp_h, r.resp_h
    FROM rest AS r
    INNER JOIN crowds AS c ON r.service = c.service AND r.resp_h = c.resp_h
    WHERE r.failures > 0 AND r.successes = 0
),
told AS (
    SELECT m.by_target, m.lead_h, o.*
    FROM ordered AS o
    INNER JOIN members AS m
        ON o.by_flows = m.by_flows AND o.service = m.service AND o.orig_h = m.orig_h AND o.resp_h = m.resp_h
),
ranked AS (
    SELECT
        *,
        CASE
            WHEN by_target = 0 AND success = 1 AND (by_flows = 1 OR 2 * before >= $min_failures) THEN 1 ELSE 0
        END AS got_in,
        row_number() OVER (
            PARTITION BY by_target, by_flows, service, lead_h ORDER BY failures = 0, ts_us, uid, orig_h, resp_h
        ) AS nth
    FROM told
),
minutes AS (
    SELECT by_target, by_flows, service, lead_h, max(failures) AS busiest
    FROM (
        SELECT by_target, by_flows, service, lead_h, sum(failures) AS failures
        FROM told
        GROUP BY by_target, by_flows, service, lead_h, ts_us // 60000000
    )
    GROUP BY by_target, by_flows, service, lead_h
),

-- Connections of the same ends that were more than a login, after guesses that only flows show.
larger AS (
    SELECT g.orig_h, g.resp_h, g.resp_p, count(DISTINCT c.uid) AS connections
    FROM (SELECT orig_h, resp_h, resp_p, min(ts_us) AS first_us FROM shown GROUP BY orig_h, resp_h, resp_p) AS g
    INNER JOIN services AS c
        ON g.orig_h = c.orig_h AND g.resp_h = c.resp_h AND g.resp_p = c.resp_p AND c.ts_us > g.first_us
    WHERE c.resp_ip_bytes > $max_login_bytes
        OR (c.resp_pkts > 0 AND c.end_us - c.ts_us > CAST($max_login_s AS BIGINT) * 1000000)
    GROUP BY g.orig_h, g.resp_h, g.resp_p
),
grown AS (
    SELECT orig_h, CAST(sum(connections) AS BIGINT) AS connections FROM larger GROUP BY orig_h
)

SELECT
    r.by_target,
    r.by_flows,
    r.service,
    r.lead_h,
    min(r.ts_us) AS first_us,
    max(r.end_us) AS last_us,
    CAST(sum(r.failures) AS BIGINT) AS failures,
    count(DISTINCT r.uid) FILTER (WHERE r.failures > 0) AS connections,
    count(DISTINCT r.orig_h) AS sources,
    count(DISTINCT r.resp_h) AS hosts,
    count(DISTINCT r.username) FILTER (WHERE r.failures > 0) AS users,
    CAST(max(m.busiest) AS BIGINT) AS busiest_minute,
    CAST(sum(r.success) AS BIGINT) AS successes,
    CAST(sum(r.got_in) AS BIGINT) AS got_in,
    list_sort(list(DISTINCT r.resp_h) FILTER (WHERE r.got_in = 1))[1:20] AS got_into,
    list_sort(list(DISTINCT r.username) FILTER (WHERE r.got_in = 1 AND r.username IS NOT NULL))[1:20] AS got_in_as,
    list_sort(list(DISTINCT r.orig_h))[1:20] AS sources_sample,
    list_sort(list(DISTINCT r.resp_h))[1:20] AS hosts_sample,
    list_sort(list(DISTINCT r.resp_p) FILTER (WHERE r.resp_p IS NOT NULL))[1:20] AS ports,
    list_sort(list(DISTINCT r.username) FILTER (WHERE r.failures > 0 AND r.username IS NOT NULL))[1:20] AS users_sample,
    min(r.orig_internal) AS least_orig_internal,
    max(r.orig_internal) AS most_orig_internal,
    min(r.resp_internal) AS least_resp_internal,
    max(r.resp_internal) AS most_resp_internal,
    list(r.uid ORDER BY r.got_in DESC, r.nth) FILTER (WHERE r.nth <= 20 OR r.got_in = 1) AS uids,
    max(CASE WHEN r.by_flows = 1 THEN coalesce(g.connections, 0) ELSE 0 END) AS larger_connections,
    CAST(sum(r.refusal) AS BIGINT) AS refused,
    -- by flows, where a session came after them: what the server sent in a guess, and in the largest session
    quantile_disc(r.received, 0.5) FILTER (WHERE r.failures > 0) AS guess_bytes,
    max(r.received) FILTER (WHERE r.got_in = 1) AS session_bytes
FROM ranked AS r
INNER JOIN minutes AS m
    ON r.by_target = m.by_target AND r.by_flows = m.by_flows AND r.service = m.service AND r.lead_h = m.lead_h
LEFT JOIN grown AS g ON r.by_flows = 1 AND r.orig_h = g.orig_h
GROUP BY r.by_target, r.by_flows, r.service, r.lead_h
HAVING max(r.end_us) >= $window_end - 1800000000
