-- An alert. src and dest are the packet's; client and server are the flow's, or by `direction` where it is not told.
WITH sides AS (
    SELECT
        *,
        coalesce(direction = 'to_client', false) AS turned,
        json_transform(
            alert.metadata,
            '{"mitre_tactic_id": ["VARCHAR"], "mitre_tactic_name": ["VARCHAR"],
              "mitre_technique_id": ["VARCHAR"], "mitre_technique_name": ["VARCHAR"]}'
        ) AS mitre
    FROM events
)
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    coalesce(flow.src_ip, if(turned, dest_ip, src_ip)) AS orig_h,
    if(flow.src_ip IS NULL, if(turned, dest_port, src_port), flow.src_port) AS orig_p,
    coalesce(flow.dest_ip, if(turned, src_ip, dest_ip)) AS resp_h,
    if(flow.dest_ip IS NULL, if(turned, src_port, dest_port), flow.dest_port) AS resp_p,
    CASE lower(proto) WHEN 'ipv6-icmp' THEN 'icmp' ELSE lower(proto) END AS proto,
    alert.action AS action,
    alert.gid AS gid,
    alert.signature_id AS signature_id,
    alert.rev AS rev,
    alert.signature AS signature,
    alert.category AS category,
    alert.severity AS severity,
    nullif(app_proto, 'failed') AS app_proto,
    direction AS packet_direction,
    mitre.mitre_tactic_id AS mitre_tactic_id,
    mitre.mitre_tactic_name AS mitre_tactic_name,
    mitre.mitre_technique_id AS mitre_technique_id,
    mitre.mitre_technique_name AS mitre_technique_name,
    CAST(alert.metadata AS VARCHAR) AS metadata,
    src_ip,
    src_port,
    dest_ip,
    dest_port,
    rest AS extra
FROM sides
