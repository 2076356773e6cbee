"""Which machines may be asked: public ones, unless the city file allows a private one.

A name is looked up once, every address that it has is checked, and the connection goes to an
address that was checked: a name that answers differently the next time gains nothing. TLS still
proves the name. Public means global unicast by IANA's registries; an IPv4 address inside an IPv6
one (mapped, 6to4, NAT64) is judged by itself.

Left out: a proxy. None is used, whatever the environment says, since it would look names up itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from ssl import SSLContext
from typing import Any

import httpcore

from pipelines.errors import SourceError
from pipelines.sources.fetch.deadline import Deadline

GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291: all that is handed out so far
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: how an IPv6-only machine sees IPv4
LAST_PORT = 65_535
PROTOCOLS = IPv4Network("192.0.0.0/24")  # RFC 6890: older Pythons know only parts of it
TEREDO = IPv6Network("2001::/32")  # RFC 4380: a tunnel to anywhere


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody on the internet could reach."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        inner = _inner_ipv4(found)
        if inner is None:
            return found in GLOBAL_UNICAST and found not in TEREDO and found.is_global
        found = inner
    return found.is_global and not (found.is_multicast or found.is_reserved or found in PROTOCOLS)


def _inner_ipv4(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def look_up(host: str, port: int) -> list[str]:
    """Every address of a host, in the order in which the system prefers them.

    Raises OSError where the name has none, UnicodeError where it can be no name, OverflowError
    where there can be no such port.
    """
    if not 0 < port <= LAST_PORT:
        raise OverflowError(port)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def checked_addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The addresses of a host.

    Raises `SourceError` where one of them is not public or the host can't be a name, and OSError
    where it has no address.
    """
    try:
        addresses = look_up(host, port)
    except (UnicodeError, OverflowError):
        raise SourceError(
            f"{host!r} is no machine with a port {port}.", "Check `address` in the city file."
        ) from None
    private = [] if allow_private else [item for item in addresses if not is_public(item)]
    if private:
        named = host if host in private else f"{host} ({private[0]})"
        raise SourceError(
            f"{named} is no public address.",
            "If it is right, set `allow_private = true` for the source in the city file.",
        )
    return addresses


class GuardedNetwork(httpcore.NetworkBackend):
    """Opens connections to checked addresses alone, none of which outlives the deadline."""

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        self._deadline = deadline
        self._allow_private = allow_private
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers."""
        try:
            addresses = checked_addresses(host, port, allow_private=self._allow_private)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {error.strerror or error}") from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.within(timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure


class _TimedStream(httpcore.NetworkStream):
    """A connection on which no single wait outlives the deadline, however slowly it drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = self._deadline.within(timeout)
        try:
            inner = self._stream.start_tls(ssl_context, server_hostname, timeout)
        except ValueError as error:  # a name that no certificate can bear
            raise httpcore.ConnectError(str(error)) from error
        return _TimedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
