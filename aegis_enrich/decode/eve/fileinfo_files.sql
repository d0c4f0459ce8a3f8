-- A file that was carried. The source is who sent it; of the two, the one with the higher port is taken for the client.
WITH sides AS (
    SELECT *, coalesce(src_port >= dest_port, true) AS from_client FROM events
)
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    if(from_client, src_ip, dest_ip) AS orig_h,
    if(from_client, src_port, dest_port) AS orig_p,
    if(from_client, dest_ip, src_ip) AS resp_h,
    if(from_client, dest_port, src_port) AS resp_p,
    concat_ws('-', flow_id, fileinfo.tx_id, fileinfo.file_id) AS fuid,
    upper(app_proto) AS source_protocol,
    fileinfo.filename AS filename,
    from_client AS is_orig,
    fileinfo.size AS seen_bytes,
    fileinfo.md5 AS md5,
    fileinfo.sha1 AS sha1,
    fileinfo.sha256 AS sha256,
    [src_ip] AS tx_hosts,
    [dest_ip] AS rx_hosts,
    [flow_id] AS conn_uids,
    rest AS extra
FROM sides
