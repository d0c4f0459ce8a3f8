-- Of each JSON message: the line in it (row), and what says which log it is of (hint: EVE, tag, path, dataset, _path).
WITH outer_keys AS (
    SELECT
        *,
        regexp_extract(line, '^\{\s*"([A-Za-z0-9_]+)"\s*:\s*\{', 1) AS tag
    FROM lines
),
parsed AS (
    SELECT
        number,
        sensor,
        line,
        tag,
        unnest(json_transform(line, '{
            "ts": "VARCHAR", "event_type": "VARCHAR", "_path": "VARCHAR", "message": "VARCHAR", "json": "JSON",
            "@timestamp": "VARCHAR", "event": {"dataset": "VARCHAR"}, "data_stream": {"dataset": "VARCHAR"},
            "log": {"file": {"path": "VARCHAR"}}, "agent": "JSON", "ecs": "JSON", "input": "JSON"
        }'))
    FROM outer_keys
    WHERE tag NOT IN (SELECT unnest($1))
),
kinds AS (
    SELECT
        *,
        log.file.path AS path,
        coalesce(event.dataset, data_stream.dataset) AS dataset,
        "@timestamp" IS NOT NULL AND event_type IS NULL
        AND (
            coalesce(log.file.path, event.dataset, data_stream.dataset) IS NOT NULL
            OR coalesce(agent, ecs, input) IS NOT NULL
        ) AS is_beat
    FROM parsed
),
opened AS (
    SELECT
        number,
        sensor,
        line,
        -- a tag of a log that is not read
        CASE WHEN is_beat OR ts IS NOT NULL OR event_type IS NOT NULL OR _path IS NOT NULL THEN '' ELSE tag END AS tag,
        CASE WHEN is_beat THEN path END AS path,
        CASE WHEN is_beat THEN dataset END AS dataset,
        is_beat AND (message IS NOT NULL OR json_type(json) = 'OBJECT') AS is_inner,
        CASE
            WHEN is_beat AND message IS NOT NULL THEN trim(message)
            WHEN is_beat AND json_type(json) = 'OBJECT' THEN json::VARCHAR
            WHEN is_beat THEN json_merge_patch(line, '{
                "@timestamp": null, "@metadata": null, "agent": null, "ecs": null, "input": null, "log": null,
                "event": null, "data_stream": null, "elastic_agent": null, "fields": null, "tags": null
            }')::VARCHAR
            ELSE line
        END AS row,
        event_type,
        _path
    FROM kinds
),
read AS (
    SELECT
        *,
        -- what stands in an event's message may be no JSON
        CASE WHEN is_inner AND json_valid(row) THEN row END AS inner_json
    FROM opened
),
tagged AS (
    SELECT
        number,
        sensor,
        line,
        tag,
        -- all but the tag, where nothing else stands beside it; as it was written, so that no number changes
        regexp_extract(line, '^\{\s*"[A-Za-z0-9_]+"\s*:\s*(\{.*\})\s*\}$', 1) AS inside
    FROM outer_keys
    WHERE tag IN (SELECT unnest($1))
),
both_kinds AS (
    SELECT
        number,
        sensor,
        line,
        CASE WHEN json_valid(inside) THEN inside ELSE json_extract(line, '/' || tag)::VARCHAR END AS row,
        concat_ws(chr(31), '', tag, '', '', '') AS hint
    FROM tagged
    UNION ALL
    SELECT
        number,
        sensor,
        line,
        row,
        concat_ws(
            chr(31),
            CASE WHEN coalesce(event_type, inner_json ->> '$.event_type') IS NOT NULL THEN 'eve' ELSE '' END,
            tag,
            coalesce(path, ''),
            coalesce(dataset, ''),
            coalesce(CASE WHEN is_inner THEN inner_json ->> '$._path' ELSE _path END, '')
        ) AS hint
    FROM read
)
SELECT
    number,
    CASE WHEN $2 = '' THEN sensor ELSE coalesce(json_extract_string(line, $2), sensor) END AS sensor,
    row,
    hint
FROM both_kinds
ORDER BY number;
