"""A server on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.city_file import Source
from pipelines.sources.fetch import Fetched, Known, fetch_source
from pipelines.sources.landing import Landing

DAY = date(2026, 11, 20)
BODY = b"stop_id\nA\n"


@dataclass(frozen=True)
class Reply:
    """One answer; `length` is announced instead of the body's own, `drip` waits before bytes."""

    status: int = 200
    body: bytes = BODY
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    drip_seconds: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One question."""

    path: str
    headers: Mapping[str, str]


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status, b"", {"Location": location})


class Upstream(ThreadingHTTPServer):
    """Answers each path by its replies in turn, the last one again and again; else 404."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.replies: dict[str, list[Reply]] = {}
        self.asked: list[Asked] = []
        self.bodies_sent = 0

    def tell(self, path: str, *replies: Reply) -> str:
        """Have a path answered so; returns its address."""
        self.replies[path] = list(replies)
        return f"{self.url}{path}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


class _Answering(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, dict(self.headers.items())))
        waiting = self.server.replies.get(urlsplit(self.path).path, [Reply(404, b"no")])
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        etag = reply.headers.get("ETag")
        if etag and self.headers.get("If-None-Match") == etag and "X-Deaf" not in reply.headers:
            reply = Reply(304, b"")
        with contextlib.suppress(OSError):  # who asked may have left
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        length = len(reply.body) if reply.length is None else reply.length
        self.send_header("Content-Length", str(length))
        self.end_headers()
        step = 1 if reply.drip_seconds else max(1, len(reply.body))
        for place in range(0, len(reply.body), step):
            time.sleep(reply.drip_seconds)
            self.wfile.write(reply.body[place : place + step])
        self.server.bodies_sent += bool(reply.body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(*, tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """A server that runs as long as the context lasts."""
    with Upstream() as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def source(address: str, **more: object) -> Source:
    """A source of the city file; loopback is allowed unless told otherwise."""
    given = {"kind": "gtfs", "address": address, "format": "zip", "mark": "measured",
             "allow_private": True, **more}  # fmt: skip
    return Source.model_validate(given)


def fetch_all(
    folder: Path, what: Source, known: Mapping[str, Known] | None = None, **more: object
) -> list[Fetched]:
    """Fetch a source into a landing of its own folder."""
    return fetch_source(what, folder, DAY, known or {}, Landing(folder / "landing"), **more)  # type: ignore[arg-type]  # passed on


def fetch_one(folder: Path, address: str, known: Known | None = None, **more: object) -> Fetched:
    """Fetch the one object of an address."""
    name = urlsplit(address).path.strip("/") if "://" in address else Path(address).name
    [fetched] = fetch_all(folder, source(address, **more), {name: known} if known else {})
    return fetched


def known_of(fetched: Fetched) -> Known:
    return Known(fetched.sha256, fetched.version_id, fetched.etag, fetched.last_modified)
