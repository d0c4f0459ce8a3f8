-- One row per client, registered domain and name below it that the client asked for in the hour, where all its names
-- below the domain together can carry something, there or back: a few like `www`, `mail` and `api` are not kept.
WITH
asked AS (
    SELECT
        orig_h,
        query_domain,
        uid,
        ts_us,
        proto,
        resp_h,
        -- what stands before the registered domain; lower case, since resolvers mix it at random (draft-vixie-dns-0x20)
        left(lower(rtrim(query, '.')), length(rtrim(query, '.')) - length(query_domain) - 1) AS sub,
        qtype_name,
        rcode_name,
        answers
    FROM dns
    WHERE query_domain IS NOT NULL
        AND right(lower(rtrim(query, '.')), length(query_domain) + 1) = concat('.', query_domain)
        AND resp_p NOT IN (137, 5353, 5355)  -- NetBIOS, mDNS, LLMNR
        AND query_domain NOT LIKE '%.arpa'
        AND query_domain NOT LIKE '%.local'
        AND coalesce(qtype_name, '') NOT IN ('PTR', 'NB', 'NBSTAT', 'SOA', 'NS')
),

-- A name that begins with an address, backwards, is a look-up in a list (RFC 5782), not a message: left out.
-- `\xNN` is how Zeek writes a byte that is no ASCII: one byte of the name, not four.
said AS (
    SELECT *, regexp_replace(sub, '\\x[0-9a-f][0-9a-f]', '~', 'g') AS plain
    FROM asked
    WHERE NOT regexp_matches(sub, '^([0-9]{1,3}\.){3}[0-9]{1,3}(\.|$)|^([0-9a-f]\.){31}[0-9a-f](\.|$)')
),

names AS (
    SELECT
        orig_h,
        query_domain,
        sub,
        min(plain) AS plain,
        octet_length(encode(min(plain))) AS sub_bytes,
        count(*) AS queries,
        -- record types that carry more than an address, under names that are no service's (`_ldap._tcp`, `_dmarc`)
        max(CASE WHEN qtype_name IN ('A', 'AAAA', 'HTTPS', 'SVCB') OR qtype_name IS NULL
            OR regexp_matches(sub, '(^|\.)_') THEN 0 ELSE 1 END) AS typed,
        count(*) FILTER (WHERE proto = 'tcp') AS tcp,
        min(resp_h) AS resolver,
        count(*) FILTER (WHERE rcode_name = 'NXDOMAIN') AS nxdomain,
        count(*) FILTER (WHERE len(answers) > 0) AS answered,
        count(*) FILTER (WHERE array_to_string(answers, ' ') LIKE '127.%') AS loopback,
        sum(octet_length(encode(coalesce(array_to_string(answers, ''), '')))) AS answer_bytes,
        max(qtype_name) AS qtype,
        min(ts_us) AS first_us,
        max(ts_us) AS last_us,
        min(uid) AS uid
    FROM said
    GROUP BY orig_h, query_domain, sub
),

domains AS (
    SELECT orig_h, query_domain
    FROM names
    GROUP BY orig_h, query_domain
    HAVING (sum(sub_bytes) >= 48 AND sum(sub_bytes) >= 10 * count(*)) OR sum(typed * answer_bytes) >= 256
),
kept AS (
    SELECT
        n.*,
        row_number() OVER (PARTITION BY n.orig_h, n.query_domain ORDER BY md5(n.sub)) AS nth,
        row_number() OVER (PARTITION BY n.orig_h, n.query_domain ORDER BY n.first_us, n.sub) AS asked_nth
    FROM names AS n
    INNER JOIN domains AS d ON n.orig_h = d.orig_h AND n.query_domain = d.query_domain
),

-- Information in a name: n log2 n - sum of c log2 c over its characters' counts c (Shannon 1948), in thousandths of a
-- bit, each term rounded, so that the sum does not depend on an order.
counted AS (
    SELECT plain, letter, count(*) AS c
    FROM (SELECT plain, unnest(string_split(plain, '')) AS letter FROM (SELECT DISTINCT plain FROM kept))
    GROUP BY plain, letter
),
informed AS (
    SELECT
        plain,
        CAST(round(1000 * sum(c) * log2(sum(c))) AS BIGINT)
        - sum(CAST(round(1000 * c * log2(c)) AS BIGINT)) AS millibits
    FROM counted
    GROUP BY plain
)

SELECT
    k.orig_h,
    k.query_domain,
    -- names beyond 1,000 an hour share one row, without a hash
    CASE WHEN k.nth <= 1000 THEN substr(md5(k.sub), 1, 16) END AS name_hash,
    count(*) AS names,
    CAST(sum(k.queries) AS BIGINT) AS queries,
    CAST(sum(k.sub_bytes) AS BIGINT) AS sub_bytes,
    CAST(max(k.sub_bytes) AS BIGINT) AS longest_bytes,
    CAST(sum(i.millibits) AS BIGINT) AS millibits,
    CAST(sum(k.typed) AS BIGINT) AS typed,
    CAST(sum(k.typed * i.millibits) AS BIGINT) AS typed_millibits,
    CAST(sum(k.tcp) AS BIGINT) AS tcp,
    min(k.resolver) AS resolver,
    CAST(sum(k.nxdomain) AS BIGINT) AS nxdomain,
    CAST(sum(k.answered) AS BIGINT) AS answered,
    CAST(sum(k.loopback) AS BIGINT) AS loopback,
    CAST(sum(k.answer_bytes) AS BIGINT) AS answer_bytes,
    CAST(sum(k.typed * k.answer_bytes) AS BIGINT) AS typed_answer_bytes,
    max(k.qtype) AS qtype,
    min(k.first_us) AS first_us,
    max(k.last_us) AS last_us,
    min(k.uid) AS uid,
    min(CASE WHEN k.asked_nth <= 3 THEN concat(k.sub, '.', k.query_domain) END) AS example
FROM kept AS k
INNER JOIN informed AS i ON k.plain = i.plain
GROUP BY k.orig_h, k.query_domain, CASE WHEN k.nth <= 1000 THEN substr(md5(k.sub), 1, 16) END
