-- Where TCP sent its payload again: per pair of a client and a server's socket, per host and per link; and what the
-- sensor itself missed or saw twice. Payload bytes throughout: pure ACKs carry none and so count nowhere.
WITH
-- Of our Zeek script: the newest row of a connection in the window, less the newest one before it (rows add up from
-- the connection's start on).
told AS (
    SELECT
        *,
        end_us >= $window_start AS inside,
        row_number() OVER (
            PARTITION BY uid, end_us >= $window_start
            ORDER BY end_us DESC, final DESC NULLS LAST, orig_pkts DESC NULLS LAST, resp_pkts DESC NULLS LAST
        ) AS nth
    FROM aegis_retransmission
    WHERE uid IS NOT NULL
),

scripted AS (
    SELECT
        n.orig_h, n.resp_h, n.resp_p, n.uid, n.ts_us, n.end_us, n.orig_internal, n.resp_internal, n.direction,
        n.orig_bytes - coalesce(b.orig_bytes, 0) AS orig_bytes,
        n.resp_bytes - coalesce(b.resp_bytes, 0) AS resp_bytes,
        n.orig_rexmit_bytes_est - coalesce(b.orig_rexmit_bytes_est, 0) AS orig_again,
        n.resp_rexmit_bytes_est - coalesce(b.resp_rexmit_bytes_est, 0) AS resp_again,
        n.orig_rexmit_min - coalesce(b.orig_rexmit_min, 0) AS orig_late,
        n.resp_rexmit_min - coalesce(b.resp_rexmit_min, 0) AS resp_late,
        n.orig_pkts - coalesce(b.orig_pkts, 0) AS orig_pkts,
        n.resp_pkts - coalesce(b.resp_pkts, 0) AS resp_pkts,
        n.missed_bytes - coalesce(b.missed_bytes, 0) AS missed_bytes,
        coalesce(n.duplicates, false) AS marked,
        1 AS scripted
    FROM told AS n
    LEFT JOIN told AS b ON n.uid = b.uid AND NOT b.inside AND b.nth = 1
    WHERE n.inside AND n.nth = 1
),

-- Without it: what the IP layer carried, less headers, less the bytes between the first and last sequence number.
-- What is left of that was sent again, or is TCP options.
rows AS (
    SELECT
        *,
        CASE WHEN orig_h LIKE '%:%' THEN 60 ELSE 40 END AS header,
        length(history) - length(replace(history, 'T', '')) AS orig_letters,
        length(history) - length(replace(history, 't', '')) AS resp_letters,
        -- what the sensor missed is not told by direction: it is that of the one that sent nearly all, or of none
        CASE WHEN orig_bytes >= 9 * resp_bytes THEN coalesce(missed_bytes, 0) ELSE 0 END AS orig_missed,
        CASE WHEN resp_bytes > 9 * orig_bytes THEN coalesce(missed_bytes, 0) ELSE 0 END AS resp_missed
    FROM conn
    WHERE end_us >= $window_start AND proto = 'tcp' AND history IS NOT NULL
        AND orig_bytes + resp_bytes >= 10000 AND orig_pkts > 0 AND resp_pkts > 0
        AND orig_ip_bytes IS NOT NULL AND resp_ip_bytes IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM scripted AS s WHERE s.uid = conn.uid)
),

over AS (
    SELECT
        *,
        orig_ip_bytes - orig_pkts * header - orig_bytes + orig_missed AS orig_over,
        resp_ip_bytes - resp_pkts * header - resp_bytes + resp_missed AS resp_over
    FROM rows
),

-- Timestamps (RFC 7323) take 12 bytes of every packet of both sides, or of none: told by the side with fewer bytes over.
less AS (
    SELECT
        *,
        CASE WHEN least(orig_over // orig_pkts, resp_over // resp_pkts) >= 10 THEN 12 ELSE 0 END AS option
    FROM over
),

measured AS (
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, direction, orig_bytes, resp_bytes,
        orig_over - option * orig_pkts AS orig_again,
        resp_over - option * resp_pkts AS resp_again,
        orig_letters, resp_letters, orig_pkts, resp_pkts, missed_bytes
    FROM less
),

-- n letters T are 10^(n-1) to 10^n - 1 segments that end before the highest sequence number seen: sent again, or late.
-- No letter, nothing sent again; and not more than the letters allow, at the size of a packet.
flows AS (
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, direction, scripted, missed_bytes,
        orig_bytes, resp_bytes, orig_pkts, resp_pkts, orig_again, resp_again, orig_late, resp_late, marked
    FROM scripted
    UNION ALL
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, orig_internal, resp_internal, direction, 0 AS scripted, missed_bytes,
        orig_bytes, resp_bytes, orig_pkts, resp_pkts,
        least(
            orig_again, (CAST(pow(10, orig_letters) AS BIGINT) - 1) * greatest(1460, 2 * orig_bytes // orig_pkts)
        ) AS orig_again,
        least(
            resp_again, (CAST(pow(10, resp_letters) AS BIGINT) - 1) * greatest(1460, 2 * resp_bytes // resp_pkts)
        ) AS resp_again,
        -- keep-alives of a byte count as letters, too; they come less often than each second
        CASE
            WHEN orig_letters > 0 AND pow(10, orig_letters - 1) * 1000000 > end_us - ts_us
            THEN CAST(pow(10, orig_letters - 1) AS BIGINT) ELSE 0
        END AS orig_late,
        CASE
            WHEN resp_letters > 0 AND pow(10, resp_letters - 1) * 1000000 > end_us - ts_us
            THEN CAST(pow(10, resp_letters - 1) AS BIGINT) ELSE 0
        END AS resp_late,
        false AS marked
    FROM measured
),

-- What the sensor sees twice is no loss, as from a mirror port that sends what enters and what leaves: in both
-- directions as many bytes again as there are, or more. One such connection may have lost as much; not most of those on a
-- path. What the script marks has shown it otherwise.
paths AS (
    SELECT
        *,
        CASE
            WHEN orig_internal IS NULL OR resp_internal IS NULL THEN 'unknown'
            WHEN orig_internal AND resp_internal THEN 'internal'
            WHEN orig_internal OR resp_internal THEN 'border'
            ELSE 'external'
        END AS path,
        marked OR (
            orig_bytes + resp_bytes >= 10000
            AND (orig_bytes < 2000 OR orig_again >= 0.9 * orig_bytes)
            AND (resp_bytes < 2000 OR resp_again >= 0.9 * resp_bytes)
        ) AS doubled
    FROM flows
),

mirrored AS (
    SELECT path, count(*) AS flows, count(*) FILTER (WHERE doubled) AS doubled_flows
    FROM paths
    GROUP BY path
),

sorted AS (
    SELECT p.*, p.marked OR (p.doubled AND 2 * m.doubled_flows >= m.flows) AS twice
    FROM paths AS p
    INNER JOIN mirrored AS m ON p.path = m.path
),

-- One row per connection and direction of its payload; `lost` is what came again or, at the least, late. Not kept, but
-- computed for each that reads it: twice the connections, and five of their columns are text.
sides AS NOT MATERIALIZED (
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, direction, path, missed_bytes, scripted, 'orig' AS side,
        orig_h AS sender, resp_h AS receiver, orig_internal AS sender_internal, resp_internal AS receiver_internal,
        greatest(orig_again, 0) AS again,
        orig_bytes + greatest(orig_again, 0) AS sent,
        coalesce(orig_late, 0) * (orig_bytes // greatest(orig_pkts, 1)) AS late
    FROM sorted
    WHERE orig_bytes > 0 AND NOT twice
    UNION ALL
    SELECT
        orig_h, resp_h, resp_p, uid, ts_us, end_us, direction, path, missed_bytes, scripted, 'resp' AS side,
        resp_h AS sender, orig_h AS receiver, resp_internal AS sender_internal, orig_internal AS receiver_internal,
        greatest(resp_again, 0) AS again,
        resp_bytes + greatest(resp_again, 0) AS sent,
        coalesce(resp_late, 0) * (resp_bytes // greatest(resp_pkts, 1)) AS late
    FROM sorted
    WHERE resp_bytes > 0 AND NOT twice
),

ways AS NOT MATERIALIZED (
    SELECT
        *,
        least(greatest(again, late), sent) AS lost,
        CASE WHEN path <> 'border' THEN path WHEN sender_internal THEN 'outbound' ELSE 'inbound' END AS way
    FROM sides
),

-- Per pair: the connections of a client to one socket of a server, by direction of the payload. Those that lost enough
-- come first, for most pairs lose nothing.
suspects AS (
    SELECT orig_h, resp_h, resp_p, side
    FROM ways
    WHERE lost > 0
    GROUP BY orig_h, resp_h, resp_p, side
    HAVING sum(lost) >= $min_lost_bytes
),

pairs AS (
    SELECT
        w.orig_h, w.resp_h, w.resp_p, w.side, w.sender, w.receiver, w.way,
        max(w.direction) AS direction,
        count(*) AS members,
        count(*) FILTER (WHERE w.lost >= $min_rate * w.sent) AS lossy,
        CAST(sum(w.sent) AS BIGINT) AS sent,
        CAST(sum(w.again) AS BIGINT) AS again,
        CAST(sum(w.late) AS BIGINT) AS late,
        CAST(sum(w.lost) AS BIGINT) AS lost,
        CAST(sum(w.missed_bytes) AS BIGINT) AS missed,
        max(w.scripted) AS scripted,
        min(w.ts_us) AS first_us,
        max(w.end_us) AS last_us,
        list(w.uid ORDER BY w.ts_us, w.uid) FILTER (WHERE w.lost >= $min_rate * w.sent)[1:20] AS uids
    FROM ways AS w
    INNER JOIN suspects AS s
        ON w.orig_h = s.orig_h AND w.resp_h = s.resp_h AND w.resp_p IS NOT DISTINCT FROM s.resp_p AND w.side = s.side
    GROUP BY w.orig_h, w.resp_h, w.resp_p, w.side, w.sender, w.receiver, w.way
    HAVING sum(w.sent) >= $min_bytes AND sum(w.lost) >= $min_rate * sum(w.sent)
),

-- Per host of ours: what it sent, and what it got.
ends AS NOT MATERIALIZED (
    SELECT *, sender AS host, receiver AS peer, 'sent' AS role FROM ways
    WHERE coalesce(sender_internal, true) OR path = 'external'
    UNION ALL
    SELECT *, receiver AS host, sender AS peer, 'received' AS role FROM ways
    WHERE coalesce(receiver_internal, true) OR path = 'external'
),

totals AS (
    SELECT
        host, role, way,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(again) AS BIGINT) AS again,
        CAST(sum(late) AS BIGINT) AS late,
        CAST(sum(lost) AS BIGINT) AS lost,
        CAST(sum(missed_bytes) AS BIGINT) AS missed,
        max(scripted) AS scripted,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) FILTER (WHERE lost >= $min_rate * sent) AS uid
    FROM ends
    GROUP BY host, role, way
),

-- Its peers, where it lost enough.
peers AS (
    SELECT
        e.host, e.role, e.way, e.peer,
        CAST(sum(e.sent) AS BIGINT) AS sent,
        CAST(sum(e.again) AS BIGINT) AS again,
        CAST(sum(e.late) AS BIGINT) AS late,
        CAST(sum(e.lost) AS BIGINT) AS lost,
        CAST(sum(e.missed_bytes) AS BIGINT) AS missed,
        max(e.scripted) AS scripted,
        min(e.ts_us) AS first_us,
        max(e.end_us) AS last_us,
        min(e.uid) FILTER (WHERE e.lost >= $min_rate * e.sent) AS uid
    FROM ends AS e
    INNER JOIN totals AS t ON e.host = t.host AND e.role = t.role AND e.way = t.way
    WHERE t.lost >= $min_lost_bytes
    GROUP BY e.host, e.role, e.way, e.peer
    HAVING sum(e.sent) >= $min_bytes
),

hosts AS (
    SELECT
        host, role, way,
        count(*) AS members,
        count(*) FILTER (WHERE lost >= $min_rate * sent) AS lossy,
        quantile_cont(lost / sent, 0.5) AS rate,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(again) AS BIGINT) AS again,
        CAST(sum(late) AS BIGINT) AS late,
        CAST(sum(lost) AS BIGINT) AS lost,
        CAST(sum(missed) AS BIGINT) AS missed,
        max(scripted) AS scripted,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list(peer ORDER BY lost / sent DESC, peer) FILTER (WHERE lost >= $min_rate * sent)[1:10] AS worst,
        list(uid ORDER BY first_us, uid) FILTER (WHERE lost >= $min_rate * sent)[1:20] AS uids
    FROM peers
    GROUP BY host, role, way
    HAVING count(*) >= $min_members AND quantile_cont(lost / sent, 0.5) >= $min_rate
        AND sum(lost) >= $min_lost_bytes
),

-- Per link: payload out of our networks, into them, within them, or past them, of each host of ours as a whole.
links AS (
    SELECT
        way,
        count(*) AS members,
        count(*) FILTER (WHERE lost >= $min_rate * sent) AS lossy,
        quantile_cont(lost / sent, 0.5) AS rate,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(again) AS BIGINT) AS again,
        CAST(sum(late) AS BIGINT) AS late,
        CAST(sum(lost) AS BIGINT) AS lost,
        CAST(sum(missed) AS BIGINT) AS missed,
        max(scripted) AS scripted,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        list(host ORDER BY lost / sent DESC, host) FILTER (WHERE lost >= $min_rate * sent)[1:10] AS worst,
        list(uid ORDER BY first_us, uid) FILTER (WHERE lost >= $min_rate * sent)[1:20] AS uids
    FROM totals
    WHERE sent >= $min_bytes AND role = CASE WHEN way = 'inbound' THEN 'received' ELSE 'sent' END
    GROUP BY way
    HAVING count(*) >= $min_members AND quantile_cont(lost / sent, 0.5) >= $min_rate
        AND sum(lost) >= $min_lost_bytes
),

-- What a link explains is told of no host, and what a host explains of no pair.
hosts_told AS (
    SELECT h.*, row_number() OVER (PARTITION BY h.host ORDER BY h.rate DESC, h.role, h.way) AS nth
    FROM hosts AS h
    WHERE h.way NOT IN (SELECT way FROM links)
),

pairs_told AS (
    SELECT
        p.*,
        p.lost / p.sent AS rate,
        row_number() OVER (PARTITION BY p.orig_h, p.resp_h, p.resp_p ORDER BY p.lost / p.sent DESC, p.side) AS side_nth
    FROM pairs AS p
    LEFT JOIN hosts AS s ON p.sender = s.host AND s.role = 'sent' AND p.way = s.way
    LEFT JOIN hosts AS r ON p.receiver = r.host AND r.role = 'received' AND p.way = r.way
    WHERE s.host IS NULL AND r.host IS NULL
        AND p.way NOT IN (SELECT way FROM links)
        AND p.last_us >= $window_end - 1800000000
),

-- The worst of them: a radio network has thousands an hour.
worst_pairs AS (
    SELECT
        *,
        row_number() OVER (ORDER BY lost DESC, orig_h, resp_h, resp_p) AS nth,
        count(*) OVER () AS found
    FROM pairs_told
    WHERE side_nth = 1
)

SELECT
    'flow' AS key, orig_h, resp_h, resp_p, direction, way, CASE WHEN side = 'orig' THEN 'sent' ELSE 'received' END AS role,
    members, lossy, rate, sent, again, late, lost, missed, scripted, first_us, last_us,
    CAST([] AS VARCHAR[]) AS worst, uids, found
FROM worst_pairs
WHERE nth <= $most_flows
UNION ALL
SELECT
    'host' AS key, host AS orig_h, NULL AS resp_h, NULL AS resp_p, NULL AS direction, way, role,
    members, lossy, rate, sent, again, late, lost, missed, scripted, first_us, last_us, worst, uids, 1 AS found
FROM hosts_told
WHERE nth = 1 AND last_us >= $window_end - 1800000000
UNION ALL
SELECT
    concat('link ', way) AS key, NULL AS orig_h, NULL AS resp_h, NULL AS resp_p, NULL AS direction, way, 'sent' AS role,
    members, lossy, rate, sent, again, late, lost, missed, scripted, first_us, last_us, worst, uids, 1 AS found
FROM links
WHERE last_us >= $window_end - 1800000000
UNION ALL
-- Not the network's: the sensor's port saw each packet twice,
SELECT
    concat('duplicates ', path) AS key, NULL AS orig_h, NULL AS resp_h, NULL AS resp_p, NULL AS direction, path AS way,
    'sent' AS role,
    count(*) AS members,
    count(*) FILTER (WHERE twice) AS lossy,
    count(*) FILTER (WHERE twice) / count(*) AS rate,
    CAST(sum(orig_bytes + resp_bytes) AS BIGINT) AS sent,
    CAST(sum(orig_again + resp_again) FILTER (WHERE twice) AS BIGINT) AS again,
    0 AS late,
    0 AS lost,
    CAST(sum(missed_bytes) AS BIGINT) AS missed,
    max(scripted) AS scripted,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    CAST([] AS VARCHAR[]) AS worst,
    list(uid ORDER BY ts_us, uid) FILTER (WHERE twice)[1:20] AS uids,
    1 AS found
FROM sorted
GROUP BY path
HAVING count(*) FILTER (WHERE twice) >= 1 AND sum(orig_bytes + resp_bytes) FILTER (WHERE twice) >= $min_bytes
    AND max(end_us) FILTER (WHERE twice) >= $window_end - 1800000000
UNION ALL
-- or the sensor did not see what the receiver acknowledged. A sequence number gone wrong counts once its own bytes.
SELECT
    'capture' AS key, NULL AS orig_h, NULL AS resp_h, NULL AS resp_p, NULL AS direction, 'sensor' AS way, 'sent' AS role,
    count(*) AS members,
    count(*) FILTER (WHERE missed_bytes >= 1460) AS lossy,
    sum(least(missed_bytes, orig_bytes + resp_bytes)) / sum(orig_bytes + resp_bytes) AS rate,
    CAST(sum(orig_bytes + resp_bytes) AS BIGINT) AS sent,
    0 AS again,
    0 AS late,
    0 AS lost,
    CAST(sum(least(missed_bytes, orig_bytes + resp_bytes)) AS BIGINT) AS missed,
    max(scripted) AS scripted,
    min(ts_us) AS first_us,
    max(end_us) AS last_us,
    CAST([] AS VARCHAR[]) AS worst,
    list(uid ORDER BY ts_us, uid) FILTER (WHERE missed_bytes >= 1460)[1:20] AS uids,
    1 AS found
FROM sorted
HAVING count(*) FILTER (WHERE missed_bytes >= 1460) >= $min_members
    AND sum(least(missed_bytes, orig_bytes + resp_bytes)) >= $min_missed * sum(orig_bytes + resp_bytes)
    AND max(end_us) FILTER (WHERE missed_bytes >= 1460) >= $window_end - 1800000000
