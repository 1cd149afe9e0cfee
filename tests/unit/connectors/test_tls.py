"""Certificates are verified, always."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crmsync.connectors.answers import Effect, Site
from crmsync.connectors.base import Connection
from crmsync.connectors.http import Transport
from crmsync.connectors.throttle import MemoryThrottle
from crmsync.errors import Unavailable
from tests.unit.connectors.raw_server import answer

SITE = Site("https://api.example.com", (".example.com",))


def make_certificate(folder, name, *, days):
    """Write a self-signed certificate for a host name; return the files of both."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return str(pem)


@pytest.mark.parametrize(
    ("name", "days", "trusted", "accepted"),
    [
        ("localhost", 1, True, True),
        ("localhost", 1, False, False),
        ("localhost", -1, True, False),
        ("other.example", 1, True, False),
    ],
    ids=["good", "self-signed", "expired", "wrong host"],
)
def test_only_a_trusted_certificate_is_accepted(tmp_path, name, days, trusted, accepted):
    """Untrusted, expired and foreign certificates end the call before the request is sent."""
    pem = make_certificate(tmp_path, name, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def serve():
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                request = b""
                while not request.endswith(b"{}"):  # closing on unread bytes would reset
                    request += tls.recv(65536)
                received.append(request)
                tls.sendall(answer())
        except OSError:
            pass
        finally:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    connection = Connection(
        "crm", "test", {}, base_url=f"https://localhost:{listener.getsockname()[1]}"
    )
    http = Transport(connection, SITE, MemoryThrottle([]), ca_bundle=pem if trusted else None)
    try:
        if accepted:
            assert http.request("POST", "/", effect=Effect.WRITE, json={}).ok
        else:
            with pytest.raises(Unavailable, match="certificate"):
                http.request("POST", "/", effect=Effect.WRITE, json={})
            assert received == []
    finally:
        thread.join(5)
        listener.close()
