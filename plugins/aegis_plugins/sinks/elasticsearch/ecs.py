"""Which columns of log rows have a place in ECS, and of what type their fields are."""

from __future__ import annotations

from aegis_enrich.decide.document import ECS_VERSION
from aegis_enrich.decide.fields import of_end

VERSION = ECS_VERSION
NAMESPACE = "default"

# Columns of every table (and those that enrichers add) with their fields; the same as in alerts.
EVERY: dict[str, str] = {
    "ts": "@timestamp",
    "end_ts": "event.end",
    "uid": "aegis.uids",
    "sensor": "observer.name",
    "source": "event.provider",
    "community_id": "network.community_id",
    "orig_h": "source.ip",
    "orig_p": "source.port",
    "resp_h": "destination.ip",
    "resp_p": "destination.port",
    "proto": "network.transport",
    "direction": "network.direction",
    "extra": "aegis.extra",
    **{
        f"{side}_{column}": of_end(end, field)
        for side, end in (("orig", "source"), ("resp", "destination"))
        for column, field in (
            ("net", "network.name"),
            ("internal", "locality"),
            ("country", "geo.country_iso_code"),
            ("city", "geo.city_name"),
            ("asn", "as.number"),
            ("as_org", "as.organization.name"),
            ("asset", "asset.name"),
            ("owner", "asset.owner"),
            ("criticality", "asset.criticality"),
        )
    },
    "intel_indicator": "aegis.intel.indicator",
    "intel_kind": "aegis.intel.kind",
    "intel_source": "aegis.intel.source",
    "intel_severity": "aegis.intel.severity",
    "intel_column": "aegis.intel.column",
}

_TLS = {
    "server_name": "tls.client.server_name destination.domain related.hosts",
    "server_domain": "destination.registered_domain",
    "ja3": "tls.client.ja3 related.hash",
    "ja3s": "tls.server.ja3s related.hash",
    "ja4": "aegis.tls.ja4 related.hash",
}

# The same for columns of single tables. Fields in one text: the value stands in each of them.
TABLE: dict[str, dict[str, str]] = {
    "conn": {
        "service": "network.protocol",
        "duration": "event.duration",
        "orig_ip_bytes": "source.bytes",
        "resp_ip_bytes": "destination.bytes",
        "orig_pkts": "source.packets",
        "resp_pkts": "destination.packets",
        "orig_l2_addr": "source.mac",
        "resp_l2_addr": "destination.mac",
    },
    "dns": {
        "query": "dns.question.name related.hosts",
        "query_domain": "dns.question.registered_domain",
        "query_suffix": "dns.question.top_level_domain",
        "qtype_name": "dns.question.type",
        "qclass_name": "dns.question.class",
        "rcode_name": "dns.response_code",
        "trans_id": "dns.id",
        "answers": "aegis.dns.answers dns.resolved_ip",
    },
    "ssl": {
        **_TLS,
        "version": "tls.version",
        "cipher": "tls.cipher",
        "curve": "tls.curve",
        "established": "tls.established",
        "resumed": "tls.resumed",
        "next_protocol": "tls.next_protocol",
        "subject": "tls.server.subject",
        "issuer": "tls.server.issuer",
        "not_valid_before": "tls.server.not_before",
        "not_valid_after": "tls.server.not_after",
    },
    "quic": _TLS,
    "http": {
        "method": "http.request.method",
        "status_code": "http.response.status_code",
        "request_body_len": "http.request.body.bytes",
        "response_body_len": "http.response.body.bytes",
        "referrer": "http.request.referrer",
        "version": "http.version",
        "uri": "url.original",
        "host": "url.domain destination.domain related.hosts",
        "host_domain": "destination.registered_domain",
        "user_agent": "user_agent.original",
        "username": "user.name related.user",
    },
    "files": {
        "conn_uids": "aegis.uids",
        "mime_type": "file.mime_type",
        "filename": "file.name",
        "total_bytes": "file.size",
        "md5": "file.hash.md5 related.hash",
        "sha1": "file.hash.sha1 related.hash",
        "sha256": "file.hash.sha256 related.hash",
    },
    "x509": {"fingerprint": "aegis.x509.fingerprint related.hash"},
    "ssh": {"hassh": "aegis.ssh.hassh related.hash", "hasshServer": "aegis.ssh.hasshServer related.hash"},
    "kerberos": {"client": "user.name related.user"},
    "ntlm": {"username": "user.name related.user", "hostname": "aegis.ntlm.hostname related.hosts"},
    "ftp": {"user": "user.name related.user"},
    "dhcp": {
        "uids": "aegis.uids",
        "client_addr": "source.ip",
        "server_addr": "destination.ip",
        "mac": "source.mac",
        "host_name": "aegis.dhcp.host_name related.hosts",
    },
    "aegis_retransmission": {
        "duration": "event.duration",
        "orig_pkts": "source.packets",
        "resp_pkts": "destination.packets",
    },
    "aegis_packets": {"service": "network.protocol"},
    "notice": {"note": "rule.name", "msg": "message"},
    "suricata_alert": {
        "signature": "rule.name message",
        "signature_id": "rule.id",
        "category": "rule.category",
        "app_proto": "network.protocol",
        "mitre_tactic_id": "threat.tactic.id",
        "mitre_tactic_name": "threat.tactic.name",
        "mitre_technique_id": "threat.technique.id",
        "mitre_technique_name": "threat.technique.name",
    },
}

# Fields in which values of several columns meet, each once.
MANY = frozenset({"aegis.uids", "related.hash", "related.hosts", "related.ip", "related.user"})

# Fields that no column gives, of every document.
FRAME: dict[str, str] = {
    "data_stream.dataset": "keyword",
    "data_stream.namespace": "keyword",
    "data_stream.type": "keyword",
    "ecs.version": "keyword",
    "event.category": "keyword",
    "event.dataset": "keyword",
    "event.ingested": "date",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.type": "keyword",
    "related.ip": "ip",
}

# Types of fields that alerts do not have and whose column's kind says another one.
TYPES: dict[str, str] = {
    "aegis.extra": "flattened",
    "dns.id": "keyword",
    "dns.resolved_ip": "ip",
    "event.duration": "long",
}

# Elasticsearch's type by the kind of a column; lists have that of what is in them.
OF_KIND: dict[str, str] = {
    "time": "date",
    "interval": "double",
    "double": "double",
    "count": "long",
    "port": "long",
    "bool": "boolean",
    "string": "keyword",
    "addr": "ip",
    "strings": "keyword",
    "addrs": "ip",
    "intervals": "double",
    "counts": "long",
    "ints": "long",
}

# event.category and event.type by table. Rows are events: what is alerting in a notice or a Suricata alert, the rules
# for such rows make an alert of, and Kibana's rule for external alerts would otherwise count it twice.
CATEGORY = (("network",), ("info",))
CATEGORIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "conn": (("network",), ("connection",)),
    "dns": (("network",), ("protocol",)),
    "ssl": (("network",), ("connection", "protocol")),
    "quic": (("network",), ("connection", "protocol")),
    "http": (("network", "web"), ("protocol",)),
    "files": (("file",), ("info",)),
    "ssh": (("network",), ("protocol",)),
    "kerberos": (("network", "authentication"), ("protocol",)),
    "ntlm": (("network", "authentication"), ("protocol",)),
    "smtp": (("network", "email"), ("protocol",)),
    "notice": (("network", "intrusion_detection"), ("info",)),
    "suricata_alert": (("network", "intrusion_detection"), ("info",)),
}
