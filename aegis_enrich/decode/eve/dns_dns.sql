-- Queries and answers, each a row with its `event`; the view pairs them. In version 3 (Suricata 8) a response's source
-- is the server, in version 2 an answer's source is still the client. `rejected` is Zeek's own notion: null.
WITH named AS (
    SELECT
        *,
        dns.type IN ('answer', 'response') AS answered,
        dns.type = 'response' AS turned,
        lower(coalesce(dns.queries[1].rrname, dns.rrname)) AS query,
        coalesce(dns.queries[1].rrtype, dns.rrtype) AS qtype_name
    FROM events
)
SELECT
    number,
    timestamp AS ts,
    flow_id AS uid,
    community_id,
    if(turned, dest_ip, src_ip) AS orig_h,
    if(turned, dest_port, src_port) AS orig_p,
    if(turned, src_ip, dest_ip) AS resp_h,
    if(turned, src_port, dest_port) AS resp_p,
    lower(proto) AS proto,
    dns.id AS trans_id,
    query,
    MAP {
        'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'NULL': 10, 'PTR': 12, 'HINFO': 13, 'MX': 15, 'TXT': 16, 'AAAA': 28,
        'SRV': 33, 'NAPTR': 35, 'DNAME': 39, 'DS': 43, 'SSHFP': 44, 'RRSIG': 46, 'NSEC': 47, 'DNSKEY': 48, 'NSEC3': 50,
        'TLSA': 52, 'CDS': 59, 'SVCB': 64, 'HTTPS': 65, 'SPF': 99, 'TKEY': 249, 'TSIG': 250, 'ANY': 255, 'URI': 256
    }[qtype_name] AS qtype,
    qtype_name,
    if(answered, MAP {
        'NOERROR': 0, 'FORMERR': 1, 'SERVFAIL': 2, 'NXDOMAIN': 3, 'NOTIMP': 4, 'REFUSED': 5, 'YXDOMAIN': 6,
        'YXRRSET': 7, 'NXRRSET': 8, 'NOTAUTH': 9, 'NOTZONE': 10
    }[dns.rcode], NULL) AS rcode,
    if(answered, dns.rcode, NULL) AS rcode_name,
    if(answered, coalesce(dns.aa, false), NULL) AS "AA",
    if(answered, coalesce(dns.tc, false), NULL) AS "TC",
    if(answered, coalesce(dns.rd, false), dns.rd) AS "RD",
    if(answered, coalesce(dns.ra, false), NULL) AS "RA",
    if(answered, if(coalesce(dns.z, false), 1, 0), NULL) AS "Z",
    -- texts as Zeek writes them: TXT with its length in bytes, of SOA and SRV the name
    list_transform(dns.answers, lambda a: CASE
        WHEN a.rrtype = 'TXT' THEN concat('TXT ', strlen(a.rdata), ' ', a.rdata)
        ELSE coalesce(a.rdata, a.soa.mname, a.srv.name)
    END) AS answers,
    list_transform(dns.answers, lambda a: a.ttl) AS "TTLs",
    if(answered, 'answer', 'query') AS event,
    rest AS extra
FROM named
