-- One row per client that asked for names in the hour. What each column is, with unit, formula and source, is declared
-- in __init__.py.
WITH
asked AS (
    SELECT
        orig_h, resp_h, proto, uid, ts_us, end_us, qtype_name, rcode_name, answers, TTLs, query_domain, query_suffix,
        -- `\xNN` is how Zeek writes a byte that is no ASCII: one letter of the name
        regexp_replace(lower(rtrim(query, '.')), '\\x[0-9a-f][0-9a-f]', '~', 'g') AS name,
        CASE WHEN rtt >= 0 THEN CAST(round(1000000 * least(rtt, 86400)) AS BIGINT) END AS rtt_us,
        CASE WHEN len(answers) > 0 OR answer_count > 0 THEN coalesce(answer_count, len(answers)) END AS answered,
        CASE WHEN len(answers) > 0 OR answer_bytes > 0
            THEN coalesce(answer_bytes, octet_length(encode(array_to_string(answers, '')))) END AS answer_bytes
    FROM dns
    WHERE orig_h IS NOT NULL AND coalesce(resp_p, 53) NOT IN (137, 5353, 5355)
        AND (coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false))
),

-- Names as such: without reverse zones, and without the public suffix, which nobody chooses freely.
names AS (
    SELECT
        orig_h,
        name,
        max(query_domain) AS domain,
        max(CASE WHEN ends_with(name, concat('.', query_suffix))
            THEN substr(name, 1, length(name) - length(query_suffix) - 1) ELSE name END) AS own
    FROM asked
    WHERE name <> '' AND NOT ends_with(name, '.arpa')
    GROUP BY orig_h, name
),
texts AS (
    SELECT
        own,
        replace(own, '.', '') AS letters,
        length(regexp_replace(own, '[^0-9]', '', 'g')) AS digits
    FROM (SELECT DISTINCT own FROM names)
),
-- Information in a text: n log2 n - Σ c log2 c over its letters' counts c, in thousandths of a bit, each term rounded.
counted AS (
    SELECT own, letter, count(*) AS c
    FROM (SELECT own, unnest(string_split(letters, '')) AS letter FROM texts WHERE letters <> '')
    GROUP BY own, letter
),
informed AS (
    SELECT
        own,
        CAST(sum(c) AS BIGINT) AS n,
        CAST(
            greatest(0, round(1000 * sum(c) * log2(sum(c))) - sum(CAST(round(1000 * c * log2(c)) AS BIGINT))) AS BIGINT
        ) // CAST(sum(c) AS BIGINT) AS millibits
    FROM counted
    GROUP BY own
),
-- How unlikely a letter is after another in words, -log2 p in tenths of a bit, a to z; README.md says whose words.
bigrams (letter, tenths) AS (
    VALUES
  ('a', [98, 44, 38, 43, 84, 72, 52, 105, 48, 98, 64, 31, 42, 34, 111, 45, 95, 30, 38, 25, 59, 62, 68, 67, 62, 101]),
  ('b', [31, 58, 54, 59, 34, 77, 84, 90, 33, 54, 90, 24, 61, 70, 37, 55, 100, 40, 39, 60, 35, 84, 80, 90, 48, 80]),
  ('c', [32, 99, 53, 73, 31, 75, 85, 35, 47, 115, 39, 42, 65, 81, 21, 75, 85, 44, 60, 31, 47, 77, 87, 99, 67, 115]),
  ('d', [39, 63, 66, 49, 16, 62, 68, 85, 22, 78, 80, 46, 71, 66, 42, 68, 93, 48, 43, 57, 45, 71, 78, 78, 67, 108]),
  ('e', [43, 72, 40, 31, 53, 53, 61, 79, 71, 107, 85, 43, 49, 32, 72, 54, 71, 25, 30, 38, 79, 59, 66, 47, 69, 95]),
  ('f', [40, 82, 61, 57, 34, 33, 76, 86, 20, 102, 92, 41, 76, 82, 29, 70, 86, 37, 49, 50, 42, 92, 82, 86, 54, 102]),
  ('g', [41, 80, 64, 74, 16, 84, 51, 40, 36, 100, 90, 47, 57, 40, 49, 67, 100, 34, 41, 62, 43, 72, 72, 100, 80, 74]),
  ('h', [23, 76, 76, 65, 19, 73, 99, 79, 31, 99, 79, 55, 57, 68, 26, 83, 99, 44, 68, 39, 55, 99, 83, 99, 65, 99]),
  ('i', [50, 55, 40, 48, 48, 54, 48, 113, 97, 123, 87, 42, 45, 18, 35, 54, 97, 51, 38, 35, 103, 53, 123, 65, 123, 53]),
  ('j', [30, 67, 51, 67, 24, 67, 67, 67, 47, 67, 67, 67, 67, 67, 27, 57, 67, 57, 41, 57, 23, 67, 67, 67, 57, 67]),
  ('k', [46, 63, 59, 54, 15, 61, 54, 89, 29, 89, 73, 43, 89, 47, 56, 63, 79, 63, 29, 56, 59, 66, 50, 89, 66, 89]),
  ('l', [32, 79, 66, 53, 21, 70, 89, 92, 25, 99, 82, 34, 87, 74, 32, 65, 115, 76, 48, 47, 52, 75, 92, 115, 36, 89]),
  ('m', [24, 49, 80, 62, 19, 82, 92, 82, 33, 108, 69, 63, 47, 76, 35, 30, 108, 80, 49, 62, 47, 88, 98, 108, 80, 108]),
  ('n', [37, 76, 38, 33, 34, 52, 26, 79, 42, 93, 61, 62, 75, 58, 46, 67, 86, 77, 35, 28, 55, 59, 82, 99, 76, 109]),
  ('o', [62, 56, 44, 42, 76, 63, 56, 93, 63, 103, 62, 42, 39, 22, 49, 43, 103, 27, 45, 46, 41, 55, 47, 72, 93, 93]),
  ('p', [28, 79, 67, 68, 26, 69, 87, 57, 41, 111, 81, 33, 79, 79, 34, 42, 101, 28, 51, 40, 50, 91, 73, 101, 51, 111]),
  ('q', [63, 53, 73, 57, 73, 73, 73, 63, 73, 73, 73, 53, 73, 63, 73, 73, 63, 63, 50, 73, 4, 73, 63, 73, 73, 73]),
  ('r', [31, 78, 53, 52, 19, 68, 59, 90, 33, 110, 64, 60, 50, 56, 32, 64, 120, 45, 38, 43, 57, 68, 74, 110, 56, 120]),
  ('s', [49, 83, 43, 69, 23, 67, 77, 44, 32, 93, 63, 56, 66, 72, 46, 41, 78, 75, 37, 24, 39, 79, 71, 96, 54, 116]),
  ('t', [34, 79, 55, 69, 22, 67, 92, 40, 23, 120, 78, 55, 65, 74, 40, 60, 110, 35, 42, 47, 52, 77, 74, 86, 50, 82]),
  ('u', [48, 42, 48, 59, 39, 58, 57, 98, 48, 108, 98, 34, 41, 26, 64, 41, 108, 31, 34, 32, 85, 108, 108, 93, 108, 108]),
  ('v', [23, 78, 61, 84, 10, 68, 94, 84, 27, 94, 94, 94, 66, 78, 46, 78, 94, 62, 71, 94, 78, 94, 84, 84, 84, 94]),
  ('w', [24, 71, 61, 55, 32, 68, 81, 41, 23, 91, 91, 54, 91, 40, 36, 71, 91, 34, 38, 60, 81, 75, 68, 75, 91, 91]),
  ('x', [47, 56, 38, 53, 29, 50, 72, 62, 31, 87, 77, 49, 54, 77, 56, 27, 77, 72, 57, 25, 77, 72, 64, 48, 52, 72]),
  ('y', [60, 52, 45, 68, 40, 60, 62, 65, 40, 88, 78, 49, 43, 32, 54, 25, 78, 62, 29, 32, 78, 60, 55, 88, 57, 68]),
  ('z', [36, 77, 77, 61, 10, 57, 77, 77, 32, 77, 77, 67, 51, 67, 36, 67, 77, 77, 57, 57, 67, 77, 77, 77, 61, 67])
),
-- `www` says nothing; a dot ends a word, as do digits and hyphens.
steps AS (
    SELECT own, substr(words, place, 1) AS letter, ascii(substr(words, place + 1, 1)) - 96 AS following
    FROM (
        SELECT own, words, unnest(range(1, length(words))) AS place
        FROM (SELECT own, regexp_replace(own, '^www[0-9]*\.', '') AS words FROM texts)
    )
),
likely AS (
    SELECT s.own, CAST(100 * sum(b.tenths[s.following]) AS BIGINT) // count(*) AS millibits
    FROM steps AS s
    INNER JOIN bigrams AS b ON s.letter = b.letter
    WHERE s.following BETWEEN 1 AND 26
    GROUP BY s.own
),
labels AS (
    SELECT own, count(*) AS labels, max(length(label)) AS longest
    FROM (SELECT own, unnest(string_split(own, '.')) AS label FROM texts)
    GROUP BY own
),
lexical AS (
    SELECT
        n.orig_h,
        count(*) AS names,
        sum(length(n.name)) / count(*) AS length_mean,
        max(length(n.name)) AS length_max,
        sum(l.labels) / count(*) AS labels_mean,
        sum(l.longest) / count(*) AS label_length_mean,
        max(l.longest) AS label_length_max,
        sum(t.digits) / nullif(sum(i.n), 0) AS digit_share,
        sum(i.millibits) / nullif(count(i.millibits), 0) / 1000 AS entropy_mean,
        quantile_cont(i.millibits, 0.90) / 1000 AS entropy_p90,
        sum(k.millibits) / nullif(count(k.millibits), 0) / 1000 AS bigram_mean,
        quantile_cont(k.millibits, 0.90) / 1000 AS bigram_p90
    FROM names AS n
    INNER JOIN texts AS t ON n.own = t.own
    INNER JOIN labels AS l ON n.own = l.own
    LEFT JOIN informed AS i ON n.own = i.own
    LEFT JOIN likely AS k ON n.own = k.own
    GROUP BY n.orig_h
),

below AS (
    SELECT orig_h, count(*) AS domains, sum(names) AS names, max(names) AS most
    FROM (SELECT orig_h, domain, count(*) AS names FROM names WHERE domain IS NOT NULL GROUP BY orig_h, domain)
    GROUP BY orig_h
),
types AS (
    SELECT
        orig_h,
        count(*) AS types,
        log2(sum(c)) - sum(CAST(round(1000000 * c * log2(c)) AS BIGINT)) / (1000000 * sum(c)) AS bits
    FROM (SELECT orig_h, qtype_name, count(*) AS c FROM asked WHERE qtype_name IS NOT NULL GROUP BY orig_h, qtype_name)
    GROUP BY orig_h
),
ttls AS (
    SELECT
        orig_h,
        sum(ttl) / count(*) AS mean,
        -- the variance as n Σx² - (Σx)², of whole numbers, which is exact
        sqrt(count(*) * sum(CAST(ttl AS HUGEINT) * ttl) - CAST(sum(ttl) AS HUGEINT) * sum(ttl)) / count(*) AS std,
        min(ttl) AS least,
        quantile_cont(ttl, 0.50) AS median,
        count(*) FILTER (WHERE ttl <= 300) / count(*) AS short
    FROM (
        SELECT orig_h, CAST(round(least(greatest(ttl, 0), 2147483647)) AS BIGINT) AS ttl
        FROM (SELECT orig_h, unnest(TTLs) AS ttl FROM asked)
        WHERE ttl IS NOT NULL
    )
    GROUP BY orig_h
),

hosts AS (
    SELECT
        orig_h,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid,
        count(*) AS queries,
        CASE WHEN count(resp_h) > 0 THEN count(DISTINCT resp_h) END AS resolvers,
        1 - count(DISTINCT name) / nullif(count(name), 0) AS repeated,
        count(*) FILTER (WHERE proto = 'tcp') / nullif(count(proto), 0) AS tcp,
        count(rcode_name) AS replies,
        count(*) FILTER (WHERE rcode_name = 'NXDOMAIN') AS nxdomain,
        count(*) FILTER (WHERE rcode_name <> 'NOERROR') AS failed,
        count(qtype_name) AS typed,
        count(*) FILTER (WHERE qtype_name IN ('A', 'AAAA', 'HTTPS', 'SVCB')) AS addresses,
        count(*) FILTER (WHERE qtype_name IN ('TXT', 'NULL', 'CNAME', 'MX', 'SRV', 'KEY', 'DNSKEY', 'PRIVATE'))
            AS texts,
        count(*) FILTER (WHERE qtype_name = 'PTR') AS reverse,
        sum(answered) / nullif(count(answered), 0) AS answers_mean,
        sum(answer_bytes) / nullif(count(answer_bytes), 0) AS answer_bytes_mean,
        max(answer_bytes) AS answer_bytes_max,
        quantile_cont(rtt_us, 0.50) / 1000000 AS rtt_median
    FROM asked
    GROUP BY orig_h
)

SELECT
    h.orig_h,
    h.first_us,
    h.last_us,
    h.uid,
    h.queries AS dns_queries,
    x.names AS dns_names,
    b.domains AS dns_domains,
    b.names / b.domains AS dns_names_per_domain,
    b.most AS dns_names_per_domain_max,
    h.repeated AS dns_repeated_share,
    h.resolvers AS dns_resolvers,
    x.length_mean AS dns_name_length_mean,
    x.length_max AS dns_name_length_max,
    x.labels_mean AS dns_labels_mean,
    x.label_length_mean AS dns_label_length_mean,
    x.label_length_max AS dns_label_length_max,
    x.digit_share AS dns_digit_share,
    x.entropy_mean AS dns_entropy_mean,
    x.entropy_p90 AS dns_entropy_p90,
    x.bigram_mean AS dns_bigram_bits_mean,
    x.bigram_p90 AS dns_bigram_bits_p90,
    h.nxdomain / nullif(h.replies, 0) AS dns_nxdomain_share,
    h.failed / nullif(h.replies, 0) AS dns_failed_share,
    CASE WHEN h.replies > 0 THEN 1 - h.replies / h.queries END AS dns_unanswered_share,
    t.types AS dns_types,
    if(t.bits < 0, 0, t.bits) AS dns_type_entropy,
    h.addresses / nullif(h.typed, 0) AS dns_address_share,
    h.texts / nullif(h.typed, 0) AS dns_text_share,
    h.reverse / nullif(h.typed, 0) AS dns_reverse_share,
    h.answers_mean AS dns_answers_mean,
    h.answer_bytes_mean AS dns_answer_bytes_mean,
    CAST(h.answer_bytes_max AS BIGINT) AS dns_answer_bytes_max,
    l.mean AS dns_ttl_mean,
    l.std AS dns_ttl_std,
    l.least AS dns_ttl_min,
    l.median AS dns_ttl_median,
    l.short AS dns_ttl_short_share,
    h.rtt_median AS dns_rtt_median,
    h.tcp AS dns_tcp_share
FROM hosts AS h
LEFT JOIN lexical AS x ON h.orig_h = x.orig_h
LEFT JOIN below AS b ON h.orig_h = b.orig_h
LEFT JOIN types AS t ON h.orig_h = t.orig_h
LEFT JOIN ttls AS l ON h.orig_h = l.orig_h
