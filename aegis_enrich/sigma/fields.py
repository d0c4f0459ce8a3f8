"""Which column of a canonical table a field of Sigma's taxonomies means: Sigma's generic names, EVE's."""

from __future__ import annotations

# Sigma's generic names (and those that converters of Zeek's logs use): the first column that the table has is meant.
GENERIC: dict[str, tuple[str, ...]] = {
    "src_ip": ("orig_h",),
    "src_port": ("orig_p",),
    "dst_ip": ("resp_h",),
    "dst_port": ("resp_p",),
    "dest_ip": ("resp_h",),
    "dest_port": ("resp_p",),
    "sourceip": ("orig_h",),
    "sourceport": ("orig_p",),
    "destinationip": ("resp_h",),
    "destinationport": ("resp_p",),
    "destinationhostname": ("host", "server_name"),
    "protocol": ("proto",),
    "app_proto": ("service", "app_proto"),
    "bytes_in": ("resp_bytes",),
    "bytes_out": ("orig_bytes",),
    # dns
    "answer": ("answers",),
    "record_type": ("qtype_name",),
    "response_code": ("rcode_name",),
    # proxy and webserver (W3C's names)
    "c-ip": ("orig_h",),
    "s-ip": ("resp_h",),
    "r-ip": ("resp_h",),
    "s-port": ("resp_p",),
    "cs-method": ("method",),
    "cs-host": ("host",),
    "r-dns": ("host",),
    "c-useragent": ("user_agent",),
    "cs-user-agent": ("user_agent",),
    "cs-referer": ("referrer",),
    "cs-referrer": ("referrer",),
    "cs-version": ("version",),
    "cs-username": ("username",),
    "cs-bytes": ("request_body_len",),
    "sc-bytes": ("response_body_len",),
    "sc-status": ("status_code",),
    "sc-content-type": ("resp_mime_types",),
    "rs-content-type": ("resp_mime_types",),
}

# EVE's names, as Suricata writes them, to the columns in which the decoder puts them.
EVE: dict[str, str] = {
    "event_type": "",
    "flow_id": "uid",
    "community_id": "community_id",
    "alert.action": "action",
    "alert.gid": "gid",
    "alert.signature": "signature",
    "alert.signature_id": "signature_id",
    "alert.rev": "rev",
    "alert.category": "category",
    "alert.severity": "severity",
    "alert.metadata.mitre_tactic_id": "mitre_tactic_id",
    "alert.metadata.mitre_technique_id": "mitre_technique_id",
    "direction": "packet_direction",
    "anomaly.type": "type",
    "anomaly.event": "event",
    "anomaly.layer": "layer",
    "dns.rrname": "query",
    "dns.queries.rrname": "query",
    "dns.rrtype": "qtype_name",
    "dns.queries.rrtype": "qtype_name",
    "dns.rcode": "rcode_name",
    "dns.answers.rdata": "answers",
    "dns.type": "event",
    "flow.bytes_toserver": "orig_ip_bytes",
    "flow.bytes_toclient": "resp_ip_bytes",
    "flow.pkts_toserver": "orig_pkts",
    "flow.pkts_toclient": "resp_pkts",
    "http.hostname": "host",
    "http.url": "uri",
    "http.http_user_agent": "user_agent",
    "http.http_method": "method",
    "http.http_refer": "referrer",
    "http.protocol": "version",
    "http.status": "status_code",
    "http.length": "response_body_len",
    "tls.sni": "server_name",
    "tls.version": "version",
    "tls.subject": "subject",
    "tls.issuerdn": "issuer",
    "tls.serial": "cert_serial",
    "tls.notbefore": "not_valid_before",
    "tls.notafter": "not_valid_after",
    "tls.ja3.hash": "ja3",
    "tls.ja3s.hash": "ja3s",
    "tls.ja4": "ja4",
    "ssh.client.software_version": "client",
    "ssh.server.software_version": "server",
    "fileinfo.filename": "filename",
    "fileinfo.size": "seen_bytes",
    "fileinfo.md5": "md5",
    "fileinfo.sha1": "sha1",
    "fileinfo.sha256": "sha256",
    "rdp.cookie": "cookie",
}

# What is computed of columns: an SQL expression and its kind, by table. Zeek and EVE keep a request's host and path
# apart; of a proxy's `c-uri` both the path and the whole URL are meant, whichever a rule writes.
_PATH = "split_part(uri, '?', 1)"
_WHOLE = "CASE WHEN uri LIKE '%://%' THEN uri ELSE concat('http://', host, uri) END"
_URL = f"CASE WHEN uri IS NULL THEN NULL ELSE [uri, {_WHOLE}] END"
_QUERY = "CASE WHEN uri IS NULL THEN NULL ELSE [uri, substr(uri, strpos(uri, '?') + 1)] END"  # rules mean either
_HTTP: dict[str, tuple[str, str]] = {
    "c-uri": (_URL, "strings"),
    "cs-uri": (_URL, "strings"),
    "url": (_URL, "strings"),
    "c-uri-stem": (_PATH, "string"),
    "cs-uri-stem": (_PATH, "string"),
    "c-uri-extension": (f"nullif(regexp_extract({_PATH}, '[.]([^./]+)$', 1), '')", "string"),
    "c-uri-query": (_QUERY, "strings"),
    "cs-uri-query": (_QUERY, "strings"),
}
# A connection that was taken up came through whatever firewall there is; of any other a sensor cannot say why not.
_THROUGH = "proto = 'tcp' AND conn_state IN ('S1', 'SF', 'S2', 'S3', 'RSTO', 'RSTR')"
_CONN: dict[str, tuple[str, str]] = {
    "action": (f"CASE WHEN {_THROUGH} THEN ['accept', 'allow', 'allowed', 'forward', 'permit'] END", "strings"),
    "blocked": (f"CASE WHEN {_THROUGH} THEN FALSE END", "bool"),
}
COMPUTED: dict[str, dict[str, tuple[str, str]]] = {"http": _HTTP, "open_http": _HTTP, "conn": _CONN}

# Fields of the generic taxonomies that no sensor shows, with the reason.
ABSENT: dict[str, str] = {
    "cs-cookie": "sensors do not log cookies",
    "cs-content-type": "sensors do not log a request's Content-Type; orig_mime_types is what they see in its body",
    "username": "a connection names no user",
    "image": "a network shows no process",
    "initiated": "a network shows no process",
    "processid": "a network shows no process",
}
