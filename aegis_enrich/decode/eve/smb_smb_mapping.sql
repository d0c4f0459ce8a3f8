-- Shares and pipes that were connected to.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    coalesce(smb.share, smb.named_pipe) AS path,
    smb.service.response AS service,
    CASE coalesce(smb.share_type, if(smb.named_pipe IS NULL, NULL, 'PIPE')) WHEN 'FILE' THEN 'DISK' WHEN 'PIPE'
        THEN 'PIPE' ELSE smb.share_type END AS share_type,
    rest AS extra
FROM events
WHERE contains(smb.command, 'TREE_CONNECT') AND coalesce(smb.share, smb.named_pipe) IS NOT NULL
