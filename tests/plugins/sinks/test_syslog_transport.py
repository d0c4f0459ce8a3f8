"""The way to a receiver: what it says where certificates are wrong, and how it waits."""

from __future__ import annotations

import socket
import ssl

import pytest

from aegis_enrich.errors import ConfigError
from aegis_plugins.sinks.syslog.transport import Stream, Udp, context, untrusted


def test_files_that_are_no_certificates_are_said(tmp_path):
    (tmp_path / "x.pem").write_text("hello")
    with pytest.raises(ConfigError, match="no certificates in PEM"):
        context(str(tmp_path / "x.pem"), "", "", "syslog")
    with pytest.raises(ConfigError, match=r"syslog\.key: .*no such file"):
        context("", "", "/nowhere", "syslog")


def test_tls_is_new_and_checked():
    made = context("", "", "", "syslog")
    assert (
        made.minimum_version == ssl.TLSVersion.TLSv1_2 and made.check_hostname and made.verify_mode == ssl.CERT_REQUIRED
    )


def test_only_a_certificate_that_does_not_check_needs_somebody():
    assert untrusted(OSError("no route"), "x") is None
    assert "correct ca_certs" in str(untrusted(ssl.SSLCertVerificationError("no"), "x"))


def test_a_closed_port_is_heard_of_over_udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    way = Udp("127.0.0.1", port)
    way.send([b"lost"])
    with pytest.raises(OSError, match="refused"):
        for _ in range(50):
            way.send([b"x"])
    way.close()


def test_what_could_not_go_again_waits_for_the_next_connection():
    """The receiver dies without reading, is away for a while, and comes back."""
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        way = Stream("127.0.0.1", port, timeout_s=2, counted=False, tls=None)
        way.send([b"one"])
        accepted, _ = first.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        accepted.close()
    with pytest.raises(OSError, match="refused"):
        way.send([b"two"])
    with socket.create_server(("127.0.0.1", port)) as second:
        way.send([b"two"])
        again, _ = second.accept()
        with again:
            assert again.recv(100) == b"one\ntwo\n"
    way.close()
