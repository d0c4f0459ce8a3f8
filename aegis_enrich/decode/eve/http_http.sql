-- A request and its response. EVE has no length of the request's body: null.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    TRY(tx_id + 1) AS trans_depth,
    http.http_method AS method,
    concat(http.hostname, ':' || http.http_port) AS host,
    http.url AS uri,
    http.http_refer AS referrer,
    coalesce(replace(http.protocol, 'HTTP/', ''), http.version) AS version,
    http.http_user_agent AS user_agent,
    http.length AS response_body_len,
    http.status AS status_code,
    if(http.http_content_type IS NULL, NULL, [http.http_content_type]) AS resp_mime_types,
    rest AS extra
FROM events
