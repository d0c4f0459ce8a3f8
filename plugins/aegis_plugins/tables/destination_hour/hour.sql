-- One row per destination outside that answered in the hour: the registered domain of the name that the client told,
-- else the server's address.
WITH
-- The name of a connection: TLS and QUIC before HTTP.
told AS (
    SELECT uid, server_domain AS domain, 1 AS rank, coalesce(self_signed, false)
        OR coalesce(validation_status, '') LIKE 'self%signed%' AS self_signed
    FROM ssl
    WHERE uid IS NOT NULL
    UNION ALL
    SELECT uid, server_domain AS domain, 1 AS rank, false AS self_signed FROM quic WHERE server_domain IS NOT NULL
    UNION ALL
    SELECT uid, host_domain AS domain, 2 AS rank, false AS self_signed FROM http WHERE host_domain IS NOT NULL
),
named AS (
    SELECT
        uid,
        coalesce(min(CASE WHEN rank = 1 THEN domain END), min(domain)) AS domain,
        max(CASE WHEN self_signed THEN 1 ELSE 0 END) AS self_signed
    FROM told
    GROUP BY uid
),

-- What is called outside and answers.
called AS (
    SELECT
        c.orig_h,
        coalesce(n.domain, c.resp_h) AS key,
        n.domain IS NOT NULL AS by_name,
        coalesce(n.self_signed, 0) AS self_signed,
        c.resp_h,
        c.resp_p,
        c.proto,
        CASE WHEN c.orig_bytes IS NULL THEN least(coalesce(c.orig_ip_bytes, 0), 17592186044416)
            ELSE least(c.orig_bytes, coalesce(c.orig_ip_bytes, c.orig_bytes), 17592186044416) END AS sent,
        CASE WHEN c.resp_bytes IS NULL THEN least(coalesce(c.resp_ip_bytes, 0), 17592186044416)
            ELSE least(c.resp_bytes, coalesce(c.resp_ip_bytes, c.resp_bytes), 17592186044416) END AS received,
        c.ts_us,
        c.end_us,
        c.uid
    FROM conn AS c
    LEFT JOIN named AS n ON c.uid = n.uid
    WHERE c.direction = 'outbound' AND coalesce(c.resp_pkts, 1) > 0 AND c.proto <> 'icmp'
        AND c.orig_h IS NOT NULL AND c.resp_h IS NOT NULL
        -- resolvers and clocks are called by lists and by chance
        AND NOT (c.resp_p IN (53, 123, 853) OR (c.proto = 'udp' AND c.resp_p = 3478))
),

-- Addresses that a resolver gave in the hour: a name was asked for, even if the client told none to the server.
resolved AS (
    SELECT DISTINCT unnest(answers) AS address
    FROM dns
    WHERE qtype_name IN ('A', 'AAAA')
),

servers AS (
    SELECT
        key,
        by_name,
        resp_h,
        min(orig_h) AS least_client,
        max(orig_h) AS most_client,
        min(resp_p) AS least_port,
        max(resp_p) AS most_port,
        min(proto) AS least_proto,
        max(proto) AS most_proto,
        count(*) AS connections,
        sum(greatest(sent, 0)) AS sent,
        sum(greatest(received, 0)) AS received,
        max(end_us - ts_us) AS longest_us,
        max(self_signed) AS self_signed,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM called
    GROUP BY key, by_name, resp_h
)

SELECT
    s.key,
    s.by_name,
    max(CASE WHEN s.by_name OR r.address IS NOT NULL THEN 1 ELSE 0 END) = 1 AS resolved,
    min(s.least_client) AS least_client,
    max(s.most_client) AS most_client,
    min(s.resp_h) AS least_server,
    count(*) AS servers,
    min(s.least_port) AS least_port,
    max(s.most_port) AS most_port,
    min(s.least_proto) AS least_proto,
    max(s.most_proto) AS most_proto,
    CAST(sum(s.connections) AS BIGINT) AS connections,
    CAST(sum(s.sent) AS BIGINT) AS sent_bytes,
    CAST(sum(s.received) AS BIGINT) AS received_bytes,
    max(s.longest_us) AS longest_us,
    max(s.self_signed) = 1 AS self_signed,
    min(s.first_us) AS first_us,
    max(s.last_us) AS last_us,
    min(s.uid) AS uid
FROM servers AS s
LEFT JOIN resolved AS r ON s.resp_h = r.address
GROUP BY s.key, s.by_name
