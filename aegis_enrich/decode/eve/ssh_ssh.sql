-- Both sides' banners. Whether anyone logged in is not in EVE: null.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    if(starts_with(coalesce(ssh.server.proto_version, ssh.client.proto_version), '1.') AND
        coalesce(ssh.server.proto_version, ssh.client.proto_version) <> '1.99', 1, 2) AS version,
    concat('SSH-', ssh.client.proto_version, '-', nullif(ssh.client.software_version, '')) AS client,
    concat('SSH-', ssh.server.proto_version, '-', nullif(ssh.server.software_version, '')) AS server,
    ssh.client.hassh.hash AS hassh,
    ssh.server.hassh.hash AS "hasshServer",
    rest AS extra
FROM events
