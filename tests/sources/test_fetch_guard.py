"""Which addresses are public, and that the address that was checked is the one that is asked."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.fetch import exchange, guard, retries
from pipelines.sources.fetch.guard import is_public
from tests.sources.upstream import Reply, Upstream, fetch_one, serving

# IANA's special-purpose registries: what is not globally reachable, and multicast.
SPECIAL = [
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
]  # fmt: skip
SPECIAL_6 = [
    "::/128", "::1/128", "100::/64", "2001:2::/48", "2001:db8::/32", "fc00::/7", "fe80::/10",
    "fec0::/10", "ff00::/8", "2001::/32",
]  # fmt: skip
# Networks that anybody can reach: two resolvers, Kazakhtelecom, Amazon.
REACHABLE = ["8.8.8.0/24", "1.1.1.0/24", "95.56.0.0/14", "52.216.0.0/15"]
REACHABLE_6 = ["2606:4700:4700::/48", "2a00:1450::/32", "2001:4860:4860::/48"]


def addresses(networks: list[str]) -> st.SearchStrategy[str]:
    def within(text: str) -> st.SearchStrategy[str]:
        network = IPv6Network(text) if ":" in text else IPv4Network(text)
        kind: Any = type(network.network_address)
        first, last = int(network.network_address), int(network.broadcast_address)
        return st.integers(first, last).map(lambda number: str(kind(number)))

    return st.sampled_from(networks).flatmap(within)


@pytest.mark.slow
@given(addresses(SPECIAL + SPECIAL_6))
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.slow
@given(addresses(REACHABLE + REACHABLE_6))
def test_reachable_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.slow
@given(addresses(SPECIAL + REACHABLE) | st.ip_addresses(v=4).map(str))
def test_an_address_inside_another_is_judged_by_itself(address: str) -> None:
    number = int(IPv4Address(address))
    inside = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address((0x2002 << 112) | (number << 80) | 1),
    ]
    assert [is_public(str(wrapped)) for wrapped in inside] == [is_public(address)] * 3


@pytest.mark.slow
@given(st.ip_addresses(v=6))
def test_what_no_flag_forbids(address: IPv6Address) -> None:
    if is_public(str(address)) and address not in guard.NAT64:
        inner = address.ipv4_mapped or address.sixtofour or address
        assert inner.is_global
        flags = ("private", "loopback", "link_local", "multicast", "reserved", "unspecified")
        assert not any(getattr(inner, f"is_{flag}") for flag in flags)


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)
    with serving() as server:
        server.tell("/feed.zip", Reply())
        yield server


class Names:
    """A name server whose answers change: each look-up of a name takes the next one."""

    def __init__(self, patch: pytest.MonkeyPatch, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(found) for name, found in answers.items()}
        self.asked: list[str] = []
        self.system = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: int, *more: Any, **options: Any) -> list[Any]:
        if host not in self.answers:
            return self.system(host, port, *more, **options)
        self.asked.append(host)
        found = self.answers[host].pop(0)
        return [entry for ip in found for entry in self.system(ip, port, *more, **options)]


def only_loopback_is_public(address: str) -> bool:
    return address == "127.0.0.1"


def test_a_name_is_looked_up_once_and_that_address_is_asked(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "is_public", only_loopback_is_public)
    names = Names(monkeypatch, feeds_example=[["127.0.0.1"], ["169.254.169.254"]])
    address = f"http://feeds.example:{upstream.server_port}/feed.zip"
    assert fetch_one(tmp_path, address, allow_private=False).outcome == "new"
    assert names.asked == ["feeds.example"]
    assert upstream.asked[0].headers["Host"] == f"feeds.example:{upstream.server_port}"
    again = fetch_one(tmp_path, address, allow_private=False)
    assert "feeds.example (169.254.169.254) is no public address" in again.reason
    assert len(upstream.asked) == 1


def test_one_private_address_among_others_is_enough(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "is_public", only_loopback_is_public)
    Names(monkeypatch, feeds_example=[["127.0.0.1", "10.0.0.1"]])
    address = f"http://feeds.example:{upstream.server_port}/feed.zip"
    assert "(10.0.0.1)" in fetch_one(tmp_path, address, allow_private=False).reason
    assert upstream.asked == []


def test_the_next_address_is_asked_where_one_does_not_answer(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, feeds_example=[["127.0.0.3", "127.0.0.1"]])
    address = f"http://feeds.example:{upstream.server_port}/feed.zip"
    assert fetch_one(tmp_path, address).outcome == "new"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost", "[::1]", "0"])
def test_other_spellings_of_this_machine(tmp_path: Path, upstream: Upstream, host: str) -> None:
    address = f"http://{host}:{upstream.server_port}/feed.zip"
    assert "is no public address" in fetch_one(tmp_path, address, allow_private=False).reason
    assert upstream.asked == []


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", ".example"])
def test_a_host_that_can_be_no_name(tmp_path: Path, host: str) -> None:
    fetched = fetch_one(tmp_path, f"http://{host}/feed.zip", allow_private=False)
    assert fetched.outcome == "failed"
    assert "Traceback" not in fetched.reason


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_SECONDS", 0.001)

    def fail(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    fetched = fetch_one(tmp_path, "http://nowhere.example/feed.zip")
    assert fetched.is_transient
    assert "nowhere.example: Name or service not known" in fetched.reason


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """A server's context with a certificate of its own for a name; it is its own issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "certificate.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize("name", ["feeds.example", "other.example"])
def test_tls_proves_the_name_and_not_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server_side = certificate(tmp_path, name)
    told: list[str] = []
    server_side.sni_callback = lambda _socket, asked, _context: told.append(str(asked))
    trusting = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
    monkeypatch.setattr(exchange, "_tls", lambda: trusting)
    Names(monkeypatch, feeds_example=[["127.0.0.1"]])
    with serving(tls=server_side) as upstream:
        upstream.tell("/feed.zip", Reply())
        address = f"https://feeds.example:{upstream.server_port}/feed.zip"
        fetched = fetch_one(tmp_path, address)
    assert told == ["feeds.example"]
    if name == "feeds.example":
        assert fetched.outcome == "new"
    else:
        assert not fetched.is_transient
        assert "can't prove that it is feeds.example" in fetched.reason
        assert "renew the certificate" in fetched.reason


def test_a_certificate_of_nobodys_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, feeds_example=[["127.0.0.1"]])
    with serving(tls=certificate(tmp_path, "feeds.example")) as upstream:
        fetched = fetch_one(tmp_path, f"https://feeds.example:{upstream.server_port}/feed.zip")
    assert "can't prove" in fetched.reason
    assert upstream.asked == []
