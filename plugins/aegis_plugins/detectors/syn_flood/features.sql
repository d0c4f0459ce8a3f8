-- Sockets that got far more SYNs than they took up, within 10 s: one row per target. A flood may bear a million sources,
-- so rows are counted in groups, never sorted.
WITH
-- Attempts that came to no connection: refused, unanswered, or answered and never acknowledged (the history has no 'A'
-- of the originator's; EVE has no history, but counts its packets). '^' and a history without SYN are replies to what
-- was not seen.
tries AS (
    SELECT
        orig_h, orig_p, resp_h, resp_p, ts_us, end_us, ts_us // 10000000 AS slot,
        CASE WHEN orig_internal THEN 1 WHEN orig_internal IS NOT NULL THEN 0 END AS orig_internal,
        coalesce(orig_pkts, 1) AS pkts,
        -- a SYN without options: stacks send the MSS at least (RFC 9293, 3.7.1), tools often nothing
        CASE
            WHEN orig_pkts > 0 AND orig_ip_bytes < orig_pkts * CASE WHEN resp_h LIKE '%:%' THEN 64 ELSE 44 END THEN 1
            ELSE 0
        END AS bare,
        CASE conn_state WHEN 'REJ' THEN 1 WHEN 'S0' THEN 2 WHEN 'RSTOS0' THEN 2 ELSE 3 END AS outcome
    FROM conn
    WHERE proto = 'tcp' AND orig_h IS NOT NULL AND resp_h IS NOT NULL AND resp_p IS NOT NULL
        AND (
            (
                conn_state IN ('S0', 'REJ', 'RSTOS0')
                AND (history IS NULL OR (history LIKE '%S%' AND history NOT LIKE '%^%'))
            )
            OR (
                conn_state IN ('S1', 'RSTO', 'RSTR') AND coalesce(orig_bytes, 0) = 0 AND coalesce(resp_bytes, 0) = 0
                AND CASE
                    WHEN history IS NULL THEN orig_pkts = 1 OR (conn_state = 'RSTO' AND orig_pkts = 2)
                    ELSE history LIKE 'Sh%' AND history NOT LIKE '%A%' AND lower(history) NOT LIKE '%d%'
                END
            )
        )
),

-- Sockets with enough of them in any 10 s; all else is about these.
sockets AS (
    SELECT DISTINCT resp_h, resp_p
    FROM (
        SELECT resp_h, resp_p, slot
        FROM tries
        GROUP BY resp_h, resp_p, slot
        HAVING count(*) >= $min_syns
    )
),
candidates AS (
    SELECT t.*
    FROM tries AS t
    INNER JOIN sockets AS s ON t.resp_h = s.resp_h AND t.resp_p = s.resp_p
),

-- What no client of a dead service sends: more in 10 s from one source than retries come to, a SYN that no stack made,
-- or a SYN that is never repeated from its port (stacks repeat it 1, 2, 4 … 64 s later) though nobody refused it.
heavy AS (
    SELECT resp_h, resp_p, slot, orig_h, count(*) AS syns
    FROM candidates
    GROUP BY resp_h, resp_p, slot, orig_h
    HAVING count(*) >= $min_of_source
),
light AS (
    SELECT c.*
    FROM candidates AS c
    WHERE NOT EXISTS (
        SELECT 1 FROM heavy AS h
        WHERE h.resp_h = c.resp_h AND h.resp_p = c.resp_p AND h.slot = c.slot AND h.orig_h = c.orig_h
    )
),
syns AS (
    SELECT c.resp_h, c.resp_p, c.slot, c.orig_h, c.ts_us, c.end_us, c.bare, c.outcome, c.orig_internal
    FROM candidates AS c
    INNER JOIN heavy AS h ON c.resp_h = h.resp_h AND c.resp_p = h.resp_p AND c.slot = h.slot AND c.orig_h = h.orig_h
    UNION ALL
    SELECT resp_h, resp_p, slot, orig_h, ts_us, end_us, bare, outcome, orig_internal
    FROM light
    WHERE bare = 1
    UNION ALL
    SELECT resp_h, resp_p, min(slot), orig_h, min(ts_us), max(end_us), 0, min(outcome), min(orig_internal)
    FROM light
    WHERE bare = 0
    GROUP BY resp_h, resp_p, orig_h, orig_p
    HAVING count(*) = 1 AND min(outcome) > 1 AND min(pkts) = 1
),

-- Against what the target took up in the same 10 s.
served AS (
    SELECT c.resp_h, c.resp_p, c.ts_us // 10000000 AS slot, count(*) AS served
    FROM conn AS c
    INNER JOIN sockets AS s ON c.resp_h = s.resp_h AND c.resp_p = s.resp_p
    WHERE c.proto = 'tcp' AND c.conn_state IN ('SF', 'S1', 'S2', 'S3', 'RSTO', 'RSTR')
        AND (c.history LIKE '%A%' OR (c.history IS NULL AND c.orig_pkts > 2))
    GROUP BY c.resp_h, c.resp_p, c.ts_us // 10000000
),
counted AS (
    SELECT
        resp_h, resp_p, slot,
        count(*) AS syns,
        CAST(sum(bare) AS BIGINT) AS bare,
        count(*) FILTER (WHERE outcome = 1) AS refused,
        count(*) FILTER (WHERE outcome = 2) AS unanswered,
        count(*) FILTER (WHERE outcome = 3) AS half_open,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(orig_internal) AS least_internal,
        max(orig_internal) AS most_internal
    FROM syns
    GROUP BY resp_h, resp_p, slot
),
slots AS (
    SELECT c.resp_h, c.resp_p, c.slot, c.syns, coalesce(v.served, 0) AS served
    FROM counted AS c
    LEFT JOIN served AS v ON c.resp_h = v.resp_h AND c.resp_p = v.resp_p AND c.slot = v.slot
    WHERE c.syns >= $min_syns AND c.syns >= $min_failed_share * (c.syns + coalesce(v.served, 0))
),
peaks AS (
    SELECT
        resp_h, resp_p,
        min(slot) AS first_slot,
        max(syns) AS peak_syns,  -- in the worst 10 s
        count(*) AS slots,  -- of 10 s with a flood in them
        CAST(sum(served) AS BIGINT) AS served  -- connections taken up in these
    FROM slots
    GROUP BY resp_h, resp_p
),

-- A flood's tens of seconds and those beside them.
spans AS (
    SELECT DISTINCT resp_h, resp_p, slot + beside AS slot
    FROM slots, (SELECT unnest([-1, 0, 1]) AS beside) AS near
),
totals AS (
    SELECT
        c.resp_h, c.resp_p,
        min(c.first_us) AS first_us,
        max(c.last_us) AS last_us,
        CAST(sum(c.syns) AS BIGINT) AS syns,
        CAST(sum(c.bare) AS BIGINT) AS bare,
        CAST(sum(c.refused) AS BIGINT) AS refused,
        CAST(sum(c.unanswered) AS BIGINT) AS unanswered,
        CAST(sum(c.half_open) AS BIGINT) AS half_open,
        min(c.least_internal) AS least_internal,
        max(c.most_internal) AS most_internal
    FROM counted AS c
    INNER JOIN spans AS s ON c.resp_h = s.resp_h AND c.resp_p = s.resp_p AND c.slot = s.slot
    GROUP BY c.resp_h, c.resp_p
    HAVING max(c.last_us) >= $window_end - 900000000
),
numbered AS (
    SELECT y.resp_h, y.resp_p, count(DISTINCT y.orig_h) AS sources
    FROM syns AS y
    INNER JOIN spans AS s ON y.resp_h = s.resp_h AND y.resp_p = s.resp_p AND y.slot = s.slot
    GROUP BY y.resp_h, y.resp_p
),

-- Examples: of the first 10 s of the flood.
busiest AS (
    SELECT
        y.resp_h, y.resp_p, y.orig_h,
        row_number() OVER (PARTITION BY y.resp_h, y.resp_p ORDER BY count(*) DESC, y.orig_h) AS nth
    FROM syns AS y
    INNER JOIN peaks AS p ON y.resp_h = p.resp_h AND y.resp_p = p.resp_p AND y.slot = p.first_slot
    GROUP BY y.resp_h, y.resp_p, y.orig_h
),
named AS (
    SELECT resp_h, resp_p, list(orig_h ORDER BY nth) AS sources_sample
    FROM busiest
    WHERE nth <= 20
    GROUP BY resp_h, resp_p
),
shown AS (
    SELECT
        c.resp_h, c.resp_p, c.uid, CAST(c.resp_internal AS INTEGER) AS resp_internal,
        row_number() OVER (PARTITION BY c.resp_h, c.resp_p ORDER BY c.ts_us, c.uid) AS nth
    FROM conn AS c
    INNER JOIN peaks AS p ON c.resp_h = p.resp_h AND c.resp_p = p.resp_p AND c.ts_us // 10000000 = p.first_slot
    INNER JOIN named AS n ON c.resp_h = n.resp_h AND c.resp_p = n.resp_p
    WHERE c.proto = 'tcp' AND c.conn_state IN ('S0', 'REJ', 'RSTOS0', 'S1', 'RSTO', 'RSTR')
        AND list_contains(n.sources_sample, c.orig_h)
),
examples AS (
    SELECT resp_h, resp_p, max(resp_internal) AS resp_internal, list(uid ORDER BY nth) AS uids
    FROM shown
    WHERE nth <= 20
    GROUP BY resp_h, resp_p
)

SELECT
    t.*, p.peak_syns, p.slots, p.served, n.sources, m.sources_sample, e.resp_internal, e.uids
FROM totals AS t
INNER JOIN peaks AS p ON t.resp_h = p.resp_h AND t.resp_p = p.resp_p
INNER JOIN numbered AS n ON t.resp_h = n.resp_h AND t.resp_p = n.resp_p
INNER JOIN named AS m ON t.resp_h = m.resp_h AND t.resp_p = m.resp_p
INNER JOIN examples AS e ON t.resp_h = e.resp_h AND t.resp_p = e.resp_p
