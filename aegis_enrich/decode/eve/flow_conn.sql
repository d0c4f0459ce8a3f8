-- A flow at its end, as a connection. `timestamp` is when it was logged, which may be minutes later.
-- Payload bytes, history and missed bytes are not in EVE: null. IP bytes are frames less their Ethernet headers.
WITH flows AS (
    SELECT
        *,
        coalesce(sane_time(TRY_CAST(flow.start AS TIMESTAMPTZ)), timestamp) AS ts,
        sane_time(TRY_CAST(flow.end AS TIMESTAMPTZ)) AS finish,
        lower(proto) AS transport,
        flow.pkts_toserver AS sent,
        -- a UDP flow stays "new" until it is answered: what came back before are ICMP errors
        if(lower(proto) = 'udp' AND flow.state = 'new', 0, flow.pkts_toclient) AS received,
        14 + 4 * coalesce(len(vlan), 0) AS link_bytes,
        coalesce(TRY_CAST('0x' || tcp.tcp_flags_ts AS BIGINT), 0) AS ours,
        coalesce(TRY_CAST('0x' || tcp.tcp_flags_tc AS BIGINT), 0) AS theirs
    FROM events
), flags AS (
    SELECT
        *,
        (ours & 1) > 0 AS our_fin, (ours & 2) > 0 AS our_syn, (ours & 4) > 0 AS our_rst, (ours & 16) > 0 AS our_ack,
        (theirs & 1) > 0 AS their_fin, (theirs & 2) > 0 AS their_syn, (theirs & 4) > 0 AS their_rst
    FROM flows
)
SELECT
    number,
    ts,
    flow_id AS uid,
    community_id,
    src_ip AS orig_h,
    coalesce(src_port, icmp_type) AS orig_p,
    dest_ip AS resp_h,
    -- of ICMP, as Zeek: the type that answers this one, be it seen or not, else the code
    coalesce(dest_port, response_icmp_type, CASE transport
        WHEN 'icmp' THEN MAP {0: 8, 8: 0, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}[icmp_type]
        WHEN 'ipv6-icmp' THEN MAP {
            128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135, 139: 140, 140: 139,
            144: 145, 145: 144
        }[icmp_type]
    END, icmp_code) AS resp_p,
    CASE transport WHEN 'ipv6-icmp' THEN 'icmp' ELSE transport END AS proto,
    CASE app_proto
        WHEN 'tls' THEN 'ssl'
        WHEN 'krb5' THEN 'krb'
        WHEN 'dcerpc' THEN 'dce_rpc'
        WHEN 'http2' THEN 'http'
        WHEN 'failed' THEN NULL
        WHEN 'unknown' THEN NULL
        ELSE app_proto
    END AS service,
    -- as Zeek: none for a single packet
    nullif(greatest(epoch_us(finish) - epoch_us(ts), 0), 0) / 1e6 AS duration,
    CASE
        WHEN transport = 'udp' AND sent > 0 THEN if(received > 0, 'SF', 'S0')
        WHEN transport = 'udp' THEN if(received > 0, 'SHR', 'OTH')
        WHEN transport <> 'tcp' THEN 'OTH'
        WHEN NOT our_syn AND NOT their_syn THEN 'OTH'
        WHEN NOT our_syn AND their_rst THEN 'RSTRH'
        WHEN NOT our_syn AND their_fin THEN 'SHR'
        WHEN our_fin AND their_fin THEN 'SF'  -- before RST: a late one does not undo the closing
        WHEN our_rst AND their_syn THEN 'RSTO'
        WHEN our_rst AND NOT their_rst THEN 'RSTOS0'
        WHEN their_rst AND NOT their_syn AND NOT our_ack THEN 'REJ'
        WHEN their_rst THEN 'RSTR'
        WHEN our_fin AND theirs = 0 THEN 'SH'
        WHEN our_fin THEN 'S2'
        WHEN their_fin THEN 'S3'
        WHEN their_syn THEN 'S1'
        ELSE 'S0'
    END AS conn_state,
    sent AS orig_pkts,
    TRY(greatest(flow.bytes_toserver - sent * link_bytes, 0)) AS orig_ip_bytes,
    received AS resp_pkts,
    if(received = 0, 0, TRY(greatest(flow.bytes_toclient - received * link_bytes, 0))) AS resp_ip_bytes,
    if(parent_id IS NULL, NULL, [parent_id]) AS tunnel_parents,
    CASE transport
        WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 WHEN 'icmp' THEN 1 WHEN 'ipv6-icmp' THEN 58 WHEN 'sctp' THEN 132
    END AS ip_proto,
    vlan[1] AS vlan,
    vlan[2] AS inner_vlan,
    rest AS extra
FROM flags
