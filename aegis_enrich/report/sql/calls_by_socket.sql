-- When a client dialled these servers. An attempt that is made again from the same port is no dial (stacks send a SYN
-- again for up to 64 s), nor is a TCP row without a SYN, which is the rest of a connection that Zeek had cut.
WITH
rows_of_pair AS (
    SELECT
        ts_us, uid, proto, conn_state, history, CASE WHEN $apart THEN resp_h ELSE '' END AS server,
        lag(ts_us) OVER (PARTITION BY orig_p, resp_h, resp_p, proto ORDER BY ts_us, uid) AS before_us
    FROM conn
    WHERE orig_h = $client AND list_contains($servers, resp_h)
        AND (len($ports) = 0 OR list_contains($ports, resp_p)) AND ($proto = '' OR proto = $proto)
        AND ts_us BETWEEN $first_us AND $last_us
)
SELECT ts_us, server
FROM rows_of_pair
WHERE CASE
    WHEN proto = 'tcp' AND conn_state IN ('S0', 'REJ') THEN coalesce(ts_us - before_us > 75000000, true)
    ELSE proto <> 'tcp' OR history IS NULL OR history LIKE '%S%' OR history LIKE '%h%'
END
ORDER BY ts_us DESC, uid
LIMIT $most
