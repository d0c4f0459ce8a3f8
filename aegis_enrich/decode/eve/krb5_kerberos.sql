-- An answer of a domain controller.
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    src_port AS orig_p,
    dest_ip AS resp_h,
    dest_port AS resp_p,
    regexp_extract(coalesce(krb5.failed_request, krb5.msg_type), 'KRB_(AS|TGS)_', 1) AS request_type,
    concat_ws('/', nullif(krb5.cname, '<empty>'), krb5.realm) AS client,
    nullif(krb5.sname, '<empty>') AS service,
    krb5.msg_type <> 'KRB_ERROR' AS success,
    krb5.error_code AS error_msg,
    nullif(krb5.encryption, '<none>') AS cipher,
    rest AS extra
FROM events
