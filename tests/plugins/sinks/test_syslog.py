"""The syslog sink over real sockets: datagrams, counted octets, TLS; what a connection lost goes again."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from pathlib import Path

import pytest

from aegis_enrich.errors import SinkError
from aegis_enrich.plugin import Document
from aegis_plugins.sinks.syslog import Syslog
from aegis_plugins.sinks.syslog import transport as transport_module

TLS = Path(__file__).resolve().parents[2] / "data" / "tls"
CERTIFICATE = {"certfile": str(TLS / "localhost.pem"), "keyfile": str(TLS / "localhost.key")}


def doc(id_="a", severity=73, status="open", revision=1, **fields):
    body = {
        "@timestamp": "2026-11-21T15:00:00.123456Z",
        "event": {"id": id_, "severity": severity, "risk_score": 80.5, "reason": "it scans"},
        "aegis": {"status": status, "revision": revision, "last_seen": "2026-11-21T15:05:00.000000Z"},
        "message": "Port scan",
        "rule": {"id": "port_scan"},
        "source": {"ip": "10.0.0.1"},
        **fields,
    }
    return Document("alert", id_, revision, body)


class Receiver:
    """Accepts connections one after the other and keeps what each brought; `reads` False: it never reads."""

    def __init__(self, tls=None):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.tls, self.reads = tls, True
        self.brought: list[bytearray] = []
        self.connections: list[socket.socket] = []
        self.arrived = threading.Condition()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                try:
                    if self.tls:
                        connection = self.tls.wrap_socket(connection, server_side=True)
                except OSError:
                    continue
                with self.arrived:
                    self.connections.append(connection)
                    self.brought.append(bytearray())
                    self.arrived.notify_all()
                if self.reads:
                    threading.Thread(target=self._read, args=(connection, self.brought[-1]), daemon=True).start()

    def _read(self, connection, brought):
        with contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                with self.arrived:
                    brought += data
                    self.arrived.notify_all()

    def wait(self, messages, connection=0, end=b"it scans"):
        """Until so many messages came over the connection of this number; None: over any of them."""

        def there():
            some = self.brought if connection is None else self.brought[connection : connection + 1]
            return any(brought.count(end) >= messages for brought in some)

        with self.arrived:
            assert self.arrived.wait_for(there, 10)

    def close(self):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which `close` does not
        self.thread.join(10)
        for each in (self.listening, *self.connections):
            with contextlib.suppress(OSError):
                each.close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def opened():
    """Sinks that are closed at the end."""
    sinks = []

    def made(**settings):
        sinks.append(Syslog({"host": "127.0.0.1", "timeout_s": 2, "hostname": "sensor1", **settings}))
        return sinks[-1]

    yield made
    for sink in sinks:
        sink.close()


def frames(data):
    """Messages of a stream with counted octets, read as RFC 6587 says."""
    data, found = bytes(data), []
    while data:
        match = re.match(rb"([1-9][0-9]*) ", data)
        assert match, data[:50]
        end = match.end() + int(match[1])
        assert len(data) >= end
        found.append(data[match.end() : end])
        data = data[end:]
    return found


def ids(messages):
    return [re.search(rb' id="([^"]*)"', m)[1].decode() for m in messages]


def test_over_tcp_octets_are_counted(receiver, opened):
    sink = opened(transport="tcp", port=receiver.port)
    assert sink.target == f"tcp://127.0.0.1:{receiver.port}"
    assert sink.deliver([doc("a"), doc("b", message="é\nü")]) == [("stored", "")] * 2
    sink.close()
    receiver.wait(2)
    first, second = frames(receiver.brought[0])
    assert first.startswith(
        b'<131>1 2026-11-21T15:05:00.000000Z sensor1 aegis-enrich - alert [aegis@32473 id="a" revision="1"'
    )
    assert first.endswith(b"] Port scan: it scans") and b' rule="port_scan"' in first and b' src="10.0.0.1"' in first
    assert second.endswith(b"] \xef\xbb\xbf" + "é ü: it scans".encode())


def test_lines_where_a_receiver_counts_none(receiver, opened):
    sink = opened(port=receiver.port, framing="lines")
    sink.deliver([doc("a", message="x\ny"), doc("b")])
    receiver.wait(2)
    assert [line.count(b"<131>1 ") for line in bytes(receiver.brought[0]).splitlines()] == [1, 1]


def test_a_connection_is_kept_and_made_again_once_the_receiver_closed_it(receiver, opened):
    sink = opened(port=receiver.port)
    for n, name in enumerate("ab", 1):
        sink.deliver([doc(name)])
        receiver.wait(n)
    assert len(receiver.connections) == 1
    receiver.connections[0].shutdown(socket.SHUT_RDWR)
    receiver.connections[0].close()
    assert sink.deliver([doc("c")]) == [("stored", "")]
    receiver.wait(1, 1)
    assert [ids(frames(b)) for b in receiver.brought] == [["a", "b"], ["c"]]


def test_what_a_reset_connection_may_have_lost_goes_again(receiver, opened):
    receiver.reads = False
    sink = opened(port=receiver.port)
    assert sink.deliver([doc("a"), doc("b")]) == [("stored", "")] * 2, "its machine has them"
    receiver.wait(0)
    receiver.connections[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    receiver.connections[0].close()  # its program dies without having read
    receiver.reads = True
    sink.deliver([doc("c")])
    receiver.wait(3, 1)
    assert ids(frames(receiver.brought[1])) == ["a", "b", "c"]


def test_a_receiver_that_is_down_is_tried_again_and_nothing_counts_as_told(opened):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    sink = opened(port=port)
    outcomes = sink.deliver([doc("a"), doc("b")])
    assert [o for o, _ in outcomes] == ["retry", "retry"] and "refused" in outcomes[0][1].lower()
    assert sink.mark() == "{}"


def test_a_receiver_that_takes_nothing_more_is_left_in_time(receiver, opened):
    receiver.reads = False
    sink = opened(port=receiver.port, timeout_s=0.5, max_bytes=8_192, body="json")
    many = [doc(f"a{n}", fill="x" * 6_000) for n in range(2_000)]
    outcomes = sink.deliver(many)
    assert {o for o, _ in outcomes} == {"retry"}


def test_over_udp_a_message_is_a_datagram_within_its_limit(opened):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        sink = opened(transport="udp", port=listening.getsockname()[1])
        sink.deliver([doc("a"), doc("b", message="é" * 5_000)])
        first, second = listening.recv(65_536), listening.recv(65_536)
    assert first.endswith(b"Port scan: it scans")
    assert 1_390 < len(second) <= 1_400 and second.endswith(b"...") and second[:-3].decode()


def tls_server(**options):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(**CERTIFICATE)
    for name, value in options.items():
        setattr(made, name, value)
    return made


def test_over_tls_the_receiver_is_checked(opened):
    receiver = Receiver(tls_server())
    with pytest.raises(SinkError, match="not trusted"):
        opened(transport="tls", port=receiver.port).deliver([doc()])
    sink = opened(transport="tls", port=receiver.port, ca_certs=CERTIFICATE["certfile"])
    for name in "ab":
        assert sink.deliver([doc(name)]) == [("stored", "")]
    receiver.wait(2)
    assert [ids(frames(b)) for b in receiver.brought] == [["a", "b"]]
    receiver.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_receiver_that_wants_a_certificate_gets_one_or_takes_nothing(opened, version):
    context = tls_server(verify_mode=ssl.CERT_REQUIRED, maximum_version=version)
    context.load_verify_locations(CERTIFICATE["certfile"])
    receiver = Receiver(context)
    settings = {"transport": "tls", "port": receiver.port, "ca_certs": CERTIFICATE["certfile"]}
    assert opened(**settings).deliver([doc()])[0][0] == "retry"
    known = opened(**settings, certificate=CERTIFICATE["certfile"], key=CERTIFICATE["keyfile"])
    assert known.deliver([doc()]) == [("stored", "")]
    receiver.wait(1, None)
    receiver.close()


def test_cef_has_the_header_of_rfc_3164(receiver, opened):
    opened(port=receiver.port, format="cef", facility="auth").deliver([doc()])
    receiver.wait(1)
    (message,) = frames(receiver.brought[0])
    assert message.startswith(b"<35>Nov 21 15:05:00 sensor1 CEF:0|AegisEnrich|aegis-enrich|")


def test_the_whole_document_as_json_where_it_fits(receiver, opened):
    opened(port=receiver.port, body="json", max_bytes=2_000).deliver([doc("a"), doc("b", fill="x" * 3_000)])
    receiver.wait(2)
    whole, told = frames(receiver.brought[0])
    assert whole.endswith(b'"source":{"ip":"10.0.0.1"}}') and told.endswith(b"] Port scan: it scans")


def test_by_default_every_change_of_all_severities_is_told(receiver, opened):
    sink = opened(port=receiver.port)
    sink.deliver([doc(severity=21), doc(severity=21, revision=2), doc(severity=21, revision=3, status="closed")])
    receiver.wait(3)
    found = frames(receiver.brought[0])
    assert [re.search(rb'change="(\w+)"', m)[1] for m in found] == [b"open", b"update", b"close"]
    assert {m[:7] for m in found} == {b"<133>1 "}
    outcomes = opened(port=receiver.port, least_severity="high").deliver([doc(severity=21)])
    assert outcomes == [("there", "")]


HOSTILE = 'x"] evil="1"][y z="w"]\n<0>1 - forged - - - -\r\n\0\x1b[2J\u2028\u202e|act=x\\'


@pytest.mark.parametrize("form", ["rfc5424", "cef"])
def test_nothing_from_the_wire_ends_a_message_or_its_line(receiver, opened, form):
    bad = doc(
        message=HOSTILE, source={"ip": HOSTILE}, rule={"id": HOSTILE, "name": HOSTILE}, observer={"name": [HOSTILE]}
    )
    sink = opened(port=receiver.port, format=form, framing="lines", hostname=HOSTILE)
    sink.deliver([bad])
    receiver.wait(1)
    text = bytes(receiver.brought[0]).decode()
    assert text.endswith("\n") and not any(ord(c) < 32 or c in "\u2028\u202e\x7f" for c in text[:-1])
    if form == "rfc5424":
        data = text[text.index("[aegis") :]
        unescaped = re.sub(r'\\[\\"\]]', "", data)
        assert re.match(r'\[aegis@32473( [a-z]+="[^"\]]*")+\] ', unescaped)
    else:
        header = re.split(r"(?<!\\)\|", text[text.index("CEF:0") :].replace("\\\\", ""))
        assert len(header) >= 8
        keys = re.findall(r"(?:^| )([A-Za-z0-9]+)=", "|".join(header[7:]))
        assert keys.count("act") == 1 and "evil" not in keys


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": ""}, "syslog.host: is missing"),
        ({"transport": "sctp"}, "syslog.transport: 'sctp' is none of udp, tcp, tls"),
        ({"facility": "local9"}, "syslog.facility"),
        ({"sd_id": "a b"}, "syslog.sd_id: 'a b' is no name"),
        ({"max_bytes": 100}, "syslog.max_bytes: 100 is not in the range 480 to 65000"),
        ({"transport": "tls", "ca_certs": "/nowhere.pem"}, "no such file"),
        ({"when": ["never"]}, "syslog.when: never"),
        ({"port": 9, "timeout_s": 1}, "tcp://127.0.0.1:9: cannot be reached"),
    ],
)
def test_what_doctor_says(settings, said):
    found = Syslog.check({"host": "127.0.0.1", **settings})
    assert len(found) == 1 and said in found[0]


def test_what_doctor_finds_good(receiver):
    assert Syslog.check({"host": "127.0.0.1", "port": receiver.port}) == ()
    assert Syslog.check({"host": "127.0.0.1", "transport": "udp"}) == ()
    assert transport_module.STEP_S < 0.1
