-- What Suricata could not make sense of. EVE does not tell who opened the flow: orig is the packet's source.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    CASE lower(proto) WHEN 'ipv6-icmp' THEN 'icmp' ELSE lower(proto) END AS proto,
    anomaly.type AS type,
    anomaly.event AS event,
    anomaly.layer AS layer,
    coalesce(anomaly.app_proto, app_proto) AS app_proto,
    rest AS extra
FROM events
