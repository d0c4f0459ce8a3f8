"""The canonical tables: Zeek's column names without the `id.` prefix, an Arrow type each, for Zeek and EVE alike."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

# How a column's type is written below, and what it is in Arrow. Times are UTC microseconds, intervals seconds,
# addresses text in canonical form, sets sorted lists.
TYPES: dict[str, pa.DataType] = {
    "time": TIMESTAMP,
    "interval": pa.float64(),
    "double": pa.float64(),
    "count": pa.int64(),
    "port": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "addr": pa.string(),
    "strings": pa.list_(pa.string()),
    "addrs": pa.list_(pa.string()),
    "intervals": pa.list_(pa.float64()),
    "counts": pa.list_(pa.int64()),
    "ints": pa.list_(pa.int64()),
}

# Columns that the engine adds to every table, before what enrichers add.
EVERY = "ts:time end_ts:time uid:string sensor:string source:string community_id:string"
FIVE_TUPLE = "orig_h:addr orig_p:port resp_h:addr resp_p:port"

_CONN = f"""{FIVE_TUPLE} proto:string service:string duration:interval orig_bytes:count resp_bytes:count
    conn_state:string local_orig:bool local_resp:bool missed_bytes:count history:string orig_pkts:count
    orig_ip_bytes:count resp_pkts:count resp_ip_bytes:count tunnel_parents:strings ip_proto:count vlan:count
    inner_vlan:count orig_l2_addr:string resp_l2_addr:string orig_rtt:interval resp_rtt:interval
    orig_entropy:double resp_entropy:double"""

_HTTP = f"""{FIVE_TUPLE} trans_depth:count method:string host:string uri:string referrer:string version:string
    user_agent:string origin:string request_body_len:count response_body_len:count status_code:count
    status_msg:string info_code:count info_msg:string tags:strings username:string password:string proxied:strings
    orig_fuids:strings orig_filenames:strings orig_mime_types:strings resp_fuids:strings resp_filenames:strings
    resp_mime_types:strings client_header_names:strings server_header_names:strings"""

_SSL = f"""{FIVE_TUPLE} version:string cipher:string curve:string server_name:string resumed:bool last_alert:string
    next_protocol:string established:bool ssl_history:string cert_chain_fps:strings client_cert_chain_fps:strings
    cert_chain_fuids:strings client_cert_chain_fuids:strings
    sni_matches_cert:bool validation_status:string subject:string issuer:string client_subject:string
    client_issuer:string not_valid_before:time not_valid_after:time ja3:string ja3s:string ja4:string
    cert_serial:string cert_key_type:string cert_key_length:count cert_sig_alg:string cert_names:strings
    self_signed:bool"""

_COLUMNS: dict[str, str] = {
    "conn": _CONN,
    "open_conn": _CONN,
    "dns": f"""{FIVE_TUPLE} proto:string trans_id:count rtt:interval query:string qclass:count qclass_name:string
        qtype:count qtype_name:string rcode:count rcode_name:string AA:bool TC:bool RD:bool RA:bool Z:count
        answers:strings TTLs:intervals rejected:bool auth:strings addl:strings query_len:count answer_count:count
        answer_bytes:count response_len:count event:string""",
    "ssl": _SSL,
    "open_ssl": _SSL,
    "x509": """fingerprint:string fuid:string certificate_version:count certificate_serial:string
        certificate_subject:string certificate_issuer:string certificate_not_valid_before:time
        certificate_not_valid_after:time certificate_key_alg:string certificate_sig_alg:string
        certificate_key_type:string certificate_key_length:count certificate_exponent:string
        certificate_curve:string san_dns:strings san_uri:strings san_email:strings san_ip:addrs
        basic_constraints_ca:bool basic_constraints_path_len:count host_cert:bool client_cert:bool""",
    "http": _HTTP,
    "open_http": _HTTP,
    "files": f"""{FIVE_TUPLE} fuid:string source_protocol:string depth:count analyzers:strings mime_type:string
        filename:string duration:interval local_orig:bool is_orig:bool seen_bytes:count total_bytes:count
        missing_bytes:count overflow_bytes:count timedout:bool parent_fuid:string md5:string sha1:string
        sha256:string extracted:string extracted_cutoff:bool extracted_size:count tx_hosts:addrs rx_hosts:addrs
        conn_uids:strings""",
    "ssh": f"""{FIVE_TUPLE} version:count auth_success:bool auth_attempts:count client:string
        server:string cipher_alg:string mac_alg:string compression_alg:string kex_alg:string host_key_alg:string
        host_key:string host_key_fingerprint:string hassh:string hasshServer:string""",
    "quic": f"""{FIVE_TUPLE} version:string client_initial_dcid:string client_scid:string server_scid:string
        server_name:string client_protocol:string history:string ja3:string ja3s:string ja4:string""",
    "rdp": f"""{FIVE_TUPLE} cookie:string result:string security_protocol:string client_channels:strings
        keyboard_layout:string client_build:string client_name:string client_dig_product_id:string
        desktop_width:count desktop_height:count requested_color_depth:string cert_type:string cert_count:count
        cert_permanent:bool encryption_level:string encryption_method:string""",
    "smb_files": f"""{FIVE_TUPLE} fuid:string action:string path:string name:string size:count prev_name:string
        times_modified:time times_accessed:time times_created:time times_changed:time""",
    "smb_mapping": f"{FIVE_TUPLE} path:string service:string native_file_system:string share_type:string",
    "dce_rpc": f"{FIVE_TUPLE} rtt:interval named_pipe:string endpoint:string operation:string",
    "kerberos": f"""{FIVE_TUPLE} request_type:string client:string service:string success:bool error_msg:string
        from:time till:time cipher:string forwardable:bool renewable:bool client_cert_subject:string
        client_cert_fuid:string server_cert_subject:string server_cert_fuid:string""",
    "ntlm": f"""{FIVE_TUPLE} username:string hostname:string domainname:string server_nb_computer_name:string
        server_dns_computer_name:string server_tree_name:string success:bool""",
    "ftp": f"""{FIVE_TUPLE} user:string password:string command:string arg:string mime_type:string file_size:count
        reply_code:count reply_msg:string fuid:string""",
    "smtp": f"""{FIVE_TUPLE} trans_depth:count helo:string mailfrom:string rcptto:strings date:string from:string
        to:strings cc:strings reply_to:string msg_id:string in_reply_to:string subject:string x_originating_ip:addr
        first_received:string second_received:string last_reply:string path:addrs user_agent:string tls:bool
        fuids:strings is_webmail:bool""",
    "ldap": f"""{FIVE_TUPLE} message_id:count version:count opcode:string result:string diagnostic_message:string
        object:string argument:string""",
    "sip": f"""{FIVE_TUPLE} trans_depth:count method:string uri:string date:string request_from:string
        request_to:string response_from:string response_to:string reply_to:string call_id:string seq:string
        subject:string request_path:strings response_path:strings user_agent:string status_code:count
        status_msg:string warning:string content_type:string""",
    "dhcp": """uids:strings client_addr:addr server_addr:addr mac:string host_name:string client_fqdn:string
        domain:string requested_addr:addr assigned_addr:addr lease_time:interval client_message:string
        server_message:string msg_types:strings duration:interval""",
    "software": """host:addr host_p:port software_type:string name:string version_major:count version_minor:count
        version_minor2:count version_minor3:count version_addl:string unparsed_version:string""",
    "notice": f"""{FIVE_TUPLE} fuid:string file_mime_type:string file_desc:string proto:string note:string msg:string
        sub:string src:addr dst:addr p:port n:count peer_descr:string actions:strings email_dest:strings
        suppress_for:interval""",
    "weird": f"{FIVE_TUPLE} name:string addl:string notice:bool peer:string source_analyzer:string",
    "tunnel": f"{FIVE_TUPLE} tunnel_type:string action:string",
    "capture_loss": "ts_delta:interval peer:string gaps:count acks:count percent_lost:double",
    "aegis_scan": """ts_end:time orig_h:addr attempts:count hosts:count ports:count capped:bool kind:string
        answered:count refused:count unanswered:count half_open:count syn:count udp:count icmp:count local_orig:bool
        sample:strings node:string""",
    "aegis_retransmission": f"""{FIVE_TUPLE} duration:interval orig_rexmit_min:count orig_rexmit_max:count
        resp_rexmit_min:count resp_rexmit_max:count orig_rexmit_pkts_est:count resp_rexmit_pkts_est:count
        orig_rexmit_bytes_est:count resp_rexmit_bytes_est:count orig_pkts:count resp_pkts:count orig_bytes:count
        resp_bytes:count missed_bytes:count orig_missed_bytes:count resp_missed_bytes:count history:string
        duplicates:bool final:bool node:string""",
    "aegis_packets": f"{FIVE_TUPLE} proto:string service:string sizes:ints gaps:intervals",
    "suricata_alert": f"""{FIVE_TUPLE} proto:string action:string gid:count signature_id:count rev:count
        signature:string category:string severity:count app_proto:string packet_direction:string mitre_tactic_id:strings
        mitre_tactic_name:strings mitre_technique_id:strings mitre_technique_name:strings metadata:string
        src_ip:addr src_port:port dest_ip:addr dest_port:port""",
    "suricata_anomaly": f"""{FIVE_TUPLE} proto:string type:string event:string layer:string app_proto:string""",
    "suricata_stats": """uptime:count capture_kernel_packets:count capture_kernel_drops:count decoder_pkts:count
        tcp_reassembly_gap:count tcp_memcap_drop:count flow_memcap:count detect_alert:count""",
}

# A log name that is not a table's own: Zeek's name first. A column of the same log under another name, likewise.
LOG_ALIASES = {"conn-summary": None, "open-conn": "open_conn", "open-http": "open_http", "open-ssl": "open_ssl"}
COLUMN_ALIASES: dict[str, dict[str, str]] = {
    "aegis_scan": {"src": "orig_h"},
    "dhcp": {"id.orig_h": "client_addr", "id.resp_h": "server_addr", "assigned_ip": "assigned_addr"},
    "files": {"source": "source_protocol"},
    "weird": {"source": "source_analyzer"},
    "x509": {"id": "fuid"},
}

# Columns that hold sets: their order means nothing and differs between Zeek's writers, so decoding sorts them.
SETS: dict[str, frozenset[str]] = {
    "conn": frozenset({"tunnel_parents"}),
    "open_conn": frozenset({"tunnel_parents"}),
    "dns": frozenset({"auth", "addl"}),
    "http": frozenset({"tags", "proxied"}),
    "open_http": frozenset({"tags", "proxied"}),
    "files": frozenset({"analyzers", "tx_hosts", "rx_hosts", "conn_uids"}),
    "smtp": frozenset({"rcptto", "to", "cc"}),
    "dhcp": frozenset({"uids"}),
    "notice": frozenset({"actions", "email_dest"}),
    "aegis_scan": frozenset({"sample"}),
}

# Rows by which a sensor's script says that it met more than it may hold: table -> column and value. `doctor` tells.
OVERFLOWS: dict[str, tuple[str, str]] = {"aegis_scan": ("kind", "overflow")}


@dataclass(frozen=True)
class Table:
    """One canonical table; `schema` has the engine's columns first, the log's own next, `extra` (JSON text) last."""

    name: str
    schema: pa.Schema
    kinds: dict[str, str]  # column -> word of TYPES


def _table(name: str, columns: str) -> Table:
    kinds = dict(c.split(":") for c in f"{EVERY} {columns} extra:string".split())
    return Table(name, pa.schema([pa.field(c, TYPES[k]) for c, k in kinds.items()]), kinds)


TABLES: dict[str, Table] = {name: _table(name, columns) for name, columns in _COLUMNS.items()}
