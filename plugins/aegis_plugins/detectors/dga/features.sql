-- Registered domains that a client asked for and that were answered by a failure only: one row per client with enough.
WITH
-- Few clients fail so many names; only their rows are looked at closely.
suspects AS (
    SELECT orig_h
    FROM dns
    WHERE rcode_name IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') AND query_domain IS NOT NULL AND orig_h IS NOT NULL
    GROUP BY orig_h
    HAVING count(DISTINCT query_domain) >= $min_names AND max(ts_us) >= $window_end - 1800000000
),

asked AS (
    SELECT
        orig_h,
        query_domain AS domain,
        query_suffix AS suffix,
        resp_h,
        uid,
        ts_us,
        rcode_name,
        CASE WHEN rcode_name IN ('NXDOMAIN', 'SERVFAIL', 'REFUSED') THEN 1 ELSE 0 END AS failed,
        CASE WHEN rcode_name = 'NOERROR' THEN 1 ELSE 0 END AS known,
        -- generators ask for the domain itself, pages for hosts below it
        CASE WHEN lower(rtrim(query, '.')) = query_domain THEN 1 ELSE 0 END AS bare,
        CASE WHEN rcode_name = 'NOERROR' THEN array_to_string(answers, ' ') END AS answered
    FROM dns
    WHERE orig_h IN (SELECT orig_h FROM suspects)
        AND query_domain IS NOT NULL  -- no single labels (browsers' probes, NetBIOS names) and no reverse zones
        AND query_suffix IS NOT NULL
        AND coalesce(resp_p, 53) NOT IN (137, 5353, 5355)  -- NetBIOS, mDNS, LLMNR
        AND coalesce(qtype_name, 'A') IN ('A', 'AAAA', 'HTTPS', 'SVCB')
        AND NOT list_contains($skip_suffixes, query_suffix)
        AND NOT list_contains($skip_domains, query_domain)
),

-- Each registered domain once; one that was known at any time of the hour did not fail.
domains AS (
    SELECT
        orig_h,
        domain,
        suffix,
        sum(failed) AS failures,
        count(*) FILTER (WHERE rcode_name = 'NXDOMAIN') AS nxdomain,
        count(*) FILTER (WHERE rcode_name = 'SERVFAIL') AS servfail,
        count(*) FILTER (WHERE rcode_name = 'REFUSED') AS refused,
        sum(known) AS known,
        min(bare) AS bare,
        max(answered) AS answered,
        min(CASE WHEN failed = 1 THEN ts_us END) AS first_us,
        max(CASE WHEN failed = 1 THEN ts_us END) AS last_us,
        min(CASE WHEN failed = 1 THEN uid END) AS uid,
        min(resp_h) AS least_resolver,
        max(resp_h) AS most_resolver
    FROM asked
    GROUP BY orig_h, domain, suffix
),

failed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY orig_h ORDER BY md5(domain)) AS nth,
        row_number() OVER (PARTITION BY orig_h ORDER BY first_us, uid, domain) AS asked_nth
    FROM domains
    WHERE failures > 0 AND known = 0
),

clients AS (
    SELECT
        orig_h,
        count(*) AS failed_domains,  -- registered domains
        CAST(sum(failures) AS BIGINT) AS failed_queries,
        CAST(sum(nxdomain) AS BIGINT) AS nxdomain,  -- queries
        CAST(sum(servfail) AS BIGINT) AS servfail,  -- queries
        CAST(sum(refused) AS BIGINT) AS refused,  -- queries
        CAST(sum(bare) AS BIGINT) AS bare_domains,  -- of failed_domains, asked for themselves and for no host below
        count(*) FILTER (WHERE nxdomain = failures) AS nxdomain_domains,  -- of failed_domains, by NXDOMAIN alone
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        min(least_resolver) AS least_resolver,
        max(most_resolver) AS most_resolver,
        list_sort(list(DISTINCT suffix)) AS suffixes,
        -- `label suffix` of those that are judged: the first 1,000 by hash
        list_sort(list(concat(left(domain, length(domain) - length(suffix) - 1), ' ', suffix)) FILTER (WHERE nth <= 1000))
            AS failed,
        list(domain ORDER BY asked_nth) FILTER (WHERE asked_nth <= 10) AS examples,
        list_sort(list(DISTINCT uid) FILTER (WHERE asked_nth <= 20)) AS uids
    FROM failed
    GROUP BY orig_h
    HAVING count(*) >= $min_names AND max(last_us) >= $window_end - 1800000000
),

-- What these clients found below the same suffixes.
found AS (
    SELECT
        orig_h,
        domain,
        suffix,
        address,
        row_number() OVER (PARTITION BY orig_h ORDER BY md5(domain)) AS nth
    FROM (
        SELECT
            d.orig_h,
            d.domain,
            d.suffix,
            regexp_extract(
                d.answered, '(^| )([0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-f]*:[0-9a-f:]+)( |$)', 2
            ) AS address
        FROM domains AS d
        INNER JOIN clients AS c ON d.orig_h = c.orig_h
        WHERE d.known > 0 AND d.bare = 1 AND list_contains(c.suffixes, d.suffix)
    )
    WHERE address <> ''
),

resolved AS (
    SELECT
        orig_h,
        list_sort(
            list(concat(left(domain, length(domain) - length(suffix) - 1), ' ', suffix, ' ', address))
            FILTER (WHERE nth <= 1000)
        ) AS resolved
    FROM found
    GROUP BY orig_h
),

known AS (
    SELECT orig_h, count(*) AS known_domains
    FROM domains
    WHERE known > 0
    GROUP BY orig_h
)

SELECT
    c.orig_h, c.failed_domains, c.failed_queries, c.nxdomain, c.servfail, c.refused, c.bare_domains, c.nxdomain_domains,
    c.first_us, c.last_us, c.least_resolver, c.most_resolver, c.suffixes, c.failed, c.examples, c.uids, r.resolved,
    coalesce(k.known_domains, 0) AS known_domains
FROM clients AS c
LEFT JOIN resolved AS r ON c.orig_h = r.orig_h
LEFT JOIN known AS k ON c.orig_h = k.orig_h
