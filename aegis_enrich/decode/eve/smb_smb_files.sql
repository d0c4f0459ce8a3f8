-- Commands about a file. Suricata names the share only with some; where it says "<share_root>", no file was named.
WITH commands AS (
    SELECT
        *,
        nullif(coalesce(smb.rename.to, smb.filename, smb.directory), '<share_root>') AS name
    FROM events
)
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    smb.fuid AS fuid,
    CASE
        WHEN smb.rename.to IS NOT NULL THEN 'SMB::FILE_RENAME'
        WHEN smb.access = 'delete on close' THEN 'SMB::FILE_DELETE'
        WHEN contains(smb.command, 'WRITE') THEN 'SMB::FILE_WRITE'
        WHEN contains(smb.command, 'READ') THEN 'SMB::FILE_READ'
        WHEN contains(smb.command, 'CLOSE') THEN 'SMB::FILE_CLOSE'
        ELSE 'SMB::FILE_OPEN'
    END AS action,
    smb.share AS path,
    name,
    smb.size AS size,
    smb.rename.from AS prev_name,
    sane_time(TRY(to_timestamp(nullif(smb.modified, 0)))) AS times_modified,
    sane_time(TRY(to_timestamp(nullif(smb.accessed, 0)))) AS times_accessed,
    sane_time(TRY(to_timestamp(nullif(smb.created, 0)))) AS times_created,
    sane_time(TRY(to_timestamp(nullif(smb.changed, 0)))) AS times_changed,
    rest AS extra
FROM commands
WHERE name IS NOT NULL
