-- Names whose addresses change: one row per name that was answered with many addresses in many networks.
WITH
-- One row an answer.
answered AS (
    SELECT
        lower(rtrim(query, '.')) AS query,
        array_to_string(answers, ' ') AS text,
        answers,
        list_min(TTLs) AS ttl_s,
        orig_h,
        uid,
        ts_us
    FROM dns
    WHERE rcode_name = 'NOERROR'
        AND len(answers) > 0
        AND qtype_name IN ('A', 'AAAA')
        AND query_domain IS NOT NULL
        AND coalesce(resp_p, 53) NOT IN (137, 5353, 5355)  -- NetBIOS, mDNS, LLMNR
        AND NOT list_contains($skip_domains, query_domain)
),

-- Most names are answered alike each time: only the others' addresses are looked at.
suspects AS (
    SELECT query
    FROM answered
    WHERE coalesce(ttl_s, 0) <= $max_ttl_s
    GROUP BY query
    HAVING min(text) <> max(text)
        AND count(DISTINCT text) * max(len(answers)) >= $min_addresses
        AND count(*) >= $min_answers
        AND max(ts_us) >= $window_end - 1800000000
),

-- What owns the addresses is the last alias before them: the name that the client asked for stands for a content
-- network's as soon as that is its alias.
named AS (
    SELECT CASE WHEN alias = '' THEN query ELSE alias END AS name, *
    FROM (
        SELECT
            lower(regexp_extract(
                a.text, '^(.* )?([0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*\.[A-Za-z][0-9A-Za-z-]*)\.?( |$)', 2
            )) AS alias,
            a.*
        FROM answered AS a
        INNER JOIN suspects AS s ON a.query = s.query
        WHERE coalesce(a.ttl_s, 0) <= $max_ttl_s
    )
),

names AS (
    SELECT
        name,
        count(*) AS answers,
        count(DISTINCT orig_h) AS clients,
        min(orig_h) AS orig_h,
        min(ttl_s) AS ttl_s_min,
        quantile_cont(ttl_s, 0.5) AS ttl_s_median,
        min(ts_us) AS first_us,
        max(ts_us) AS last_us,
        list_sort(list(DISTINCT query))[1:10] AS queries,
        list(uid ORDER BY ts_us, uid)[1:20] AS uids
    FROM named
    GROUP BY name
    HAVING count(*) >= $min_answers AND max(ts_us) >= $window_end - 1800000000
),

-- Each address of a name once; those that are inside or nowhere are none.
addresses AS (
    SELECT name, address, min(ts_us) AS seen_us
    FROM (SELECT name, ts_us, unnest(answers) AS address FROM named)
    WHERE regexp_matches(address, '^([0-9]{1,3}\.){3}[0-9]{1,3}$|^[23][0-9a-f]{3}:[0-9a-f:]*$')
        AND NOT regexp_matches(address, '^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2[0-9]|3[01]))\.')
    GROUP BY name, address
),

-- /16 of IPv4, /32 of IPv6: about what one provider announces at least.
placed AS (
    SELECT
        a.name,
        a.address,
        regexp_extract(a.address, '^([0-9]+\.[0-9]+|[0-9a-f]+:[0-9a-f]*)', 1) AS network,
        -- first seen in the later half of the name's own time
        CASE WHEN 2 * a.seen_us >= n.first_us + n.last_us THEN 1 ELSE 0 END AS is_new
    FROM addresses AS a
    INNER JOIN names AS n ON a.name = n.name
),

counted AS (
    SELECT
        name,
        count(*) AS addresses,
        count(DISTINCT network) AS networks,
        CAST(sum(is_new) AS BIGINT) AS new_addresses,
        list_sort(list(address))[1:10] AS examples
    FROM placed
    GROUP BY name
    HAVING count(*) >= $min_addresses
        AND count(DISTINCT network) >= $min_networks
        AND count(DISTINCT network) >= $min_spread * count(*)
        AND sum(is_new) >= $min_new_share * count(*)
),

-- The AS of those that were connected to, where it is known.
systems AS (
    SELECT p.name, count(DISTINCT c.resp_h) AS as_known, count(DISTINCT c.resp_asn) AS as_numbers
    FROM conn AS c
    INNER JOIN placed AS p ON c.resp_h = p.address
    INNER JOIN counted AS k ON p.name = k.name
    WHERE c.resp_asn IS NOT NULL
    GROUP BY p.name
)

SELECT
    n.name, n.answers, n.clients, n.orig_h, n.ttl_s_min, n.ttl_s_median, n.first_us, n.last_us, n.queries, n.uids,
    k.addresses, k.networks, k.new_addresses, k.examples, s.as_known, s.as_numbers
FROM counted AS k
INNER JOIN names AS n ON k.name = n.name
LEFT JOIN systems AS s ON k.name = s.name
