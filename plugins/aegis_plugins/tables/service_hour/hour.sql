-- One row per client inside (null: all that come from outside to a server inside), protocol and, where that is odd,
-- server and port, of the connections of the hour that stood and carried payload both ways.
WITH
-- Zeek names a protocol by what was said, not by the port. Half-open, one-sided and torn connections are no evidence of
-- what they are, nor is one of which the beginning was not seen.
rows AS (
    SELECT
        CASE WHEN coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false) THEN orig_h END AS orig_h,
        resp_h, resp_p, proto, direction, service,
        CASE WHEN orig_ip_bytes > 0 THEN least(orig_ip_bytes, 17592186044416) ELSE 0 END AS sent,
        CASE WHEN resp_ip_bytes > 0 THEN least(resp_ip_bytes, 17592186044416) ELSE 0 END AS received,
        ts_us, end_us, uid
    FROM conn
    WHERE proto <> 'icmp' AND resp_h IS NOT NULL
        AND coalesce(missed_bytes, 0) = 0
        AND (proto <> 'tcp' OR history IS NULL OR history LIKE '%h%' OR history LIKE '%H%')
        -- Suricata tells no payload: more packets than handshake and closing need
        AND coalesce(orig_bytes, CASE WHEN proto <> 'tcp' OR orig_pkts >= 5 THEN orig_pkts END) > 0
        AND coalesce(resp_bytes, CASE WHEN proto <> 'tcp' OR resp_pkts >= 4 THEN resp_pkts END) > 0
),

-- Whatever they speak is judged once for all that are alike.
alike AS (
    SELECT
        orig_h, resp_h, resp_p, proto, direction, service,
        -- as much as a protocol that Zeek knows would have shown itself in
        coalesce(service, '') = '' AND (
            (proto = 'tcp' AND sent >= 400 AND received >= 400) OR (proto = 'udp' AND sent + received >= 4096)
        ) AS much,
        count(*) AS connections,
        CAST(sum(sent) AS BIGINT) AS sent,
        CAST(sum(received) AS BIGINT) AS received,
        min(ts_us) AS first_us,
        max(end_us) AS last_us,
        min(uid) AS uid
    FROM rows
    GROUP BY orig_h, resp_h, resp_p, proto, direction, service, much
),

flows AS (
    SELECT
        orig_h, resp_h, resp_p, proto, direction,
        -- of several in one connection the one that began it: `ssl,smtp` is SMTP that turned to TLS
        CASE
            WHEN service IS NULL OR service NOT LIKE '%,%' THEN nullif(lower(service), '')
            WHEN service LIKE '%ssh%' THEN 'ssh'
            WHEN service LIKE '%smb%' THEN 'smb'
            WHEN service LIKE '%dce_rpc%' THEN 'dce_rpc'
            WHEN service LIKE '%rdp%' THEN 'rdp'
            WHEN service LIKE '%smtp%' THEN 'smtp'
            WHEN service LIKE '%ftp%' THEN 'ftp'
            WHEN service LIKE '%imap%' THEN 'imap'
            WHEN service LIKE '%pop3%' THEN 'pop3'
            WHEN service LIKE '%ldap%' THEN 'ldap'
            WHEN service LIKE '%postgresql%' THEN 'postgresql'
            WHEN service LIKE '%mysql%' THEN 'mysql'
            WHEN service LIKE '%xmpp%' THEN 'xmpp'
            WHEN service LIKE '%irc%' THEN 'irc'
            WHEN service LIKE '%socks%' THEN 'socks'
            WHEN service LIKE '%http%' THEN 'http'
            WHEN service LIKE '%quic%' THEN 'quic'
            WHEN service LIKE '%ssl%' THEN 'ssl'
            ELSE array_to_string(list_sort(string_split(lower(service), ',')), ',')
        END AS service,
        much, connections, sent, received, first_us, last_us, uid
    FROM alike
),

judged AS (
    SELECT
        *,
        CASE
            WHEN proto NOT IN ('tcp', 'udp') OR service IN ('ayiya', 'teredo', 'gtpv1', 'vxlan', 'geneve') THEN 'tunnel'
            -- a protocol that is known everywhere by one port, or few
            WHEN CASE service
                WHEN 'ssh' THEN resp_p NOT IN (22, 830)
                WHEN 'dns' THEN resp_p NOT IN (53, 137, 853, 5353, 5355)
                WHEN 'ssl' THEN resp_p NOT IN (
                    443, 465, 563, 585, 587, 636, 853, 989, 990, 992, 993, 994, 995, 2376, 3128, 3269, 3389, 4433,
                    5061, 5222, 5223, 5228, 5269, 5349, 5671, 5986, 6443, 6514, 6679, 6697, 8006, 8080, 8443, 8883,
                    9443, 10250
                )
                WHEN 'http' THEN resp_p IN (
                    21, 22, 23, 25, 53, 110, 123, 139, 143, 389, 443, 445, 465, 587, 636, 853, 993, 995, 1433, 3306,
                    3389, 5060, 5432, 5900, 6379, 6667
                )
                WHEN 'quic' THEN resp_p NOT IN (80, 443, 784, 853, 4433, 8443)
                WHEN 'ftp' THEN resp_p NOT IN (21, 990, 2121)
                WHEN 'smtp' THEN resp_p NOT IN (25, 465, 587, 2525)
                WHEN 'imap' THEN resp_p NOT IN (143, 993)
                WHEN 'pop3' THEN resp_p NOT IN (110, 995)
                WHEN 'ldap' THEN resp_p NOT IN (389, 636, 3268, 3269)
                WHEN 'rdp' THEN resp_p <> 3389
                WHEN 'rfb' THEN resp_p NOT BETWEEN 5900 AND 5999
                WHEN 'smb' THEN resp_p NOT IN (139, 445)
                WHEN 'mysql' THEN resp_p NOT IN (3306, 33060)
                WHEN 'postgresql' THEN resp_p <> 5432
                WHEN 'sip' THEN resp_p NOT IN (5060, 5061)
                WHEN 'snmp' THEN resp_p NOT IN (161, 162)
                WHEN 'ntp' THEN resp_p <> 123
                WHEN 'krb' THEN resp_p NOT IN (88, 464)
                WHEN 'irc' THEN resp_p NOT IN (6660, 6661, 6662, 6663, 6664, 6665, 6666, 6667, 6668, 6669, 6697, 7000)
                WHEN 'socks' THEN resp_p NOT IN (1080, 9050, 9150)
            END THEN 'odd'
            WHEN much AND (
                (proto = 'tcp' AND resp_p IN (22, 25, 53, 80, 443, 445, 3389)) OR (proto = 'udp' AND resp_p = 53)
            ) THEN 'unknown'
            ELSE 'usual'
        END AS kind
    FROM flows
),

named AS (
    SELECT
        orig_h,
        -- what it is called: the protocol, or else the port where that says something
        coalesce(service, CASE
            WHEN proto IN ('tcp', 'udp') AND resp_p < 1024 THEN concat(proto, '/', resp_p)
            WHEN proto IN ('tcp', 'udp') THEN concat('other ', proto)
            ELSE proto
        END) AS label,
        kind,
        proto,
        CASE WHEN kind <> 'usual' OR resp_p IN (22, 25, 53, 80, 443, 445, 3389) THEN resp_p END AS resp_p,
        CASE WHEN kind <> 'usual' THEN resp_h END AS resp_h,
        CASE WHEN kind <> 'usual' THEN direction END AS direction,
        connections, sent, received, first_us, last_us, uid
    FROM judged
    UNION ALL
    -- Tunnels as Zeek unpacks them, without proxies; the packets inside are connections of their own.
    SELECT
        CASE WHEN coalesce(orig_internal, true) OR NOT coalesce(resp_internal, false) THEN orig_h END AS orig_h,
        lower(replace(tunnel_type, 'Tunnel::', '')) AS label,
        'tunnel' AS kind,
        CAST(NULL AS VARCHAR) AS proto,
        resp_p, resp_h, direction, 1 AS connections, 0 AS sent, 0 AS received, ts_us, end_us, uid
    FROM tunnel
    WHERE action = 'Tunnel::DISCOVER' AND tunnel_type NOT IN ('Tunnel::HTTP', 'Tunnel::SOCKS') AND resp_h IS NOT NULL
)

SELECT
    orig_h,
    label,
    kind,
    proto,
    resp_p,
    resp_h,
    direction,
    CAST(sum(connections) AS BIGINT) AS connections,
    CAST(sum(sent) AS BIGINT) AS sent_bytes,
    CAST(sum(received) AS BIGINT) AS received_bytes,
    min(first_us) AS first_us,
    max(last_us) AS last_us,
    min(uid) AS uid
FROM named
GROUP BY orig_h, label, kind, proto, resp_p, resp_h, direction
