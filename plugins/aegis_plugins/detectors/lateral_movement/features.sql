-- What a source did to other hosts by remote procedure calls and administrative shares: one row per source.
WITH
-- "class technique endpoint operation"
known AS (
    SELECT
        split_part(item, ' ', 1) AS class,
        split_part(item, ' ', 2) AS technique,
        split_part(item, ' ', 3) AS endpoint,
        split_part(item, ' ', 4) AS operation
    FROM (SELECT unnest($operations) AS item) AS listed
),
calls AS (
    SELECT d.orig_h, d.resp_h, k.class, k.technique, d.operation, CAST(NULL AS VARCHAR) AS file, d.ts_us, d.uid
    FROM dce_rpc AS d
    INNER JOIN known AS k ON lower(d.endpoint) = lower(k.endpoint) AND d.operation = k.operation
    WHERE d.orig_h IS NOT NULL AND d.resp_h IS NOT NULL
),
-- A drive's or the system folder's share (`C$`, `ADMIN$`); IPC$ holds no files.
shares AS (
    SELECT orig_h, resp_h, 'share' AS class, '' AS technique, upper(split_part(rtrim(path, '\'), '\', -1)) AS operation,
        CAST(NULL AS VARCHAR) AS file, ts_us, uid
    FROM smb_mapping
    WHERE regexp_matches(upper(path), '\\(ADMIN|[A-Z])\$\\?$') AND orig_h IS NOT NULL AND resp_h IS NOT NULL
),
-- What a client sent. Zeek writes smb_files when a file is opened, before it has an fuid: connection and name tell.
sent AS (
    SELECT DISTINCT coalesce(uid, conn_uids[1]) AS uid, filename
    FROM files
    WHERE source_protocol = 'SMB' AND is_orig AND filename IS NOT NULL
),
opened AS (
    SELECT
        s.orig_h, s.resp_h,
        -- written: its contents went to the server, or it runs and was made just then (some clocks are wrong)
        CASE
            WHEN t.uid IS NOT NULL OR s.action = 'SMB::FILE_WRITE' THEN 'copy'
            WHEN s.action IN ('SMB::FILE_OPEN', 'SMB::FILE_RENAME')
                AND regexp_matches(lower(s.name), '\.(exe|dll|sys|scr|com|bat|cmd|ps1|vbs|js|hta|msi|lnk|cpl)$')
                AND abs(epoch_us(s.times_created) - s.ts_us) <= 120000000 THEN 'copy'
            ELSE 'share'
        END AS class,
        '' AS technique,
        upper(split_part(rtrim(s.path, '\'), '\', -1)) AS operation,
        concat(s.path, '\', s.name) AS file,
        s.ts_us, s.uid
    FROM smb_files AS s
    LEFT JOIN sent AS t ON s.uid = t.uid AND s.name = t.filename
    WHERE regexp_matches(upper(s.path), '\\(ADMIN|[A-Z])\$\\?$') AND s.orig_h IS NOT NULL AND s.resp_h IS NOT NULL
        AND s.action <> 'SMB::FILE_DELETE'
),
acts AS (
    SELECT * FROM calls
    UNION ALL
    SELECT * FROM shares
    UNION ALL
    SELECT * FROM opened
),
-- What was done to each host.
pairs AS (
    SELECT
        orig_h,
        resp_h,
        count(*) FILTER (WHERE class = 'copy') AS copies,
        count(*) FILTER (WHERE class IN ('share', 'copy')) AS shared,
        count(*) FILTER (WHERE class = 'execution') AS executions,
        count(*) FILTER (WHERE class = 'discovery') AS discoveries,
        count(*) FILTER (WHERE class = 'credentials') AS credentials,
        count(*) FILTER (WHERE class = 'evasion') AS evasions,
        max(ts_us) AS last_us
    FROM acts
    GROUP BY orig_h, resp_h
),
counted AS (
    SELECT
        orig_h,
        count(*) AS hosts,
        count(*) FILTER (WHERE copies > 0 AND executions > 0) AS copied_and_ran,
        count(*) FILTER (WHERE copies = 0 AND shared > 0 AND executions > 0) AS shared_and_ran,
        count(*) FILTER (WHERE copies > 0) AS copied_to,
        count(*) FILTER (WHERE shared > 0) AS shared_by,
        count(*) FILTER (WHERE executions > 0) AS ran_on,
        count(*) FILTER (WHERE discoveries > 0) AS explored,
        count(*) FILTER (WHERE credentials > 0) AS stolen_from,
        count(*) FILTER (WHERE evasions > 0) AS cleared_on,
        max(last_us) AS last_us,
        list_sort(list(resp_h) FILTER (WHERE copies + executions + credentials + evasions > 0))[1:20] AS taken_sample,
        list_sort(list(resp_h))[1:20] AS hosts_sample
    FROM pairs
    GROUP BY orig_h
    HAVING max(last_us) >= $window_end - 1800000000
),
explored AS (
    SELECT orig_h, count(DISTINCT operation) AS operations
    FROM calls
    WHERE class = 'discovery'
    GROUP BY orig_h
),
found AS (
    SELECT c.*, coalesce(e.operations, 0) AS discovery_operations
    FROM counted AS c
    LEFT JOIN explored AS e ON c.orig_h = e.orig_h
    WHERE c.copied_and_ran > 0 OR c.shared_and_ran > 0 OR c.stolen_from > 0 OR c.cleared_on > 0
        OR c.copied_to >= $min_hosts OR c.ran_on >= $min_hosts OR c.shared_by >= 2 * $min_hosts
        OR coalesce(e.operations, 0) >= $min_operations OR c.explored >= $min_explored
),
-- Whether the source answers for a domain itself: controllers replicate and call each other.
controllers AS (
    SELECT DISTINCT d.resp_h
    FROM dce_rpc AS d
    INNER JOIN found AS f ON d.resp_h = f.orig_h
    WHERE d.endpoint IN ('drsuapi', 'netlogon')
),
meant AS (
    SELECT
        a.orig_h, a.class, a.technique, a.operation, a.file, a.ts_us, a.uid,
        row_number() OVER (
            PARTITION BY a.orig_h
            ORDER BY CASE WHEN a.class IN ('share', 'discovery') THEN 1 ELSE 0 END, a.ts_us, a.uid, a.operation, a.file
        ) AS nth
    FROM acts AS a
    INNER JOIN found AS f ON a.orig_h = f.orig_h
),
examples AS (
    SELECT
        orig_h,
        min(ts_us) AS first_us,
        list_sort(list(DISTINCT technique) FILTER (WHERE technique <> '')) AS techniques,
        list_sort(list(DISTINCT operation) FILTER (WHERE technique <> ''))[1:20] AS operations_sample,
        list_sort(list(DISTINCT file) FILTER (WHERE class = 'copy'))[1:20] AS files_sample,
        list(uid ORDER BY nth) FILTER (WHERE nth <= 20 AND uid IS NOT NULL) AS uids
    FROM meant
    GROUP BY orig_h
)

SELECT
    f.*, e.first_us, e.techniques, e.operations_sample, e.files_sample, coalesce(e.uids, []) AS uids,
    CASE WHEN d.resp_h IS NULL THEN 0 ELSE 1 END AS controller
FROM found AS f
INNER JOIN examples AS e ON f.orig_h = e.orig_h
LEFT JOIN controllers AS d ON f.orig_h = d.resp_h
