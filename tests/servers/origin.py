# SPDX-License-Identifier: Apache-2.0
"""An HTTP origin of a few files, with ranges, that cuts, lies, stalls and redirects on order.

Every fault is keyed by path and lasts for so many requests (``times``; None
for ever). ``requests``, ``sent_bytes`` and ``connections`` tell what happened.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it came; header names in lower case, the path percent-decoded."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: str = ""
    target: str = ""

    def __iter__(self) -> Iterator[Any]:
        return iter((self.method, self.path, self.headers))


@dataclass(frozen=True)
class Reply:
    """What to answer; ``ranges`` says whether a Range header is honoured."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ranges: bool = False


class Origin:
    """Serves ``files`` (path, with its leading slash, to bytes) until closed."""

    def __init__(
        self,
        files: Mapping[str, bytes] | None = None,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.files = dict(files or {})
        self.requests: list[Request] = []
        self.connections = 0
        self._sent: Counter[str] = Counter()
        self._faults: dict[tuple[str, str], tuple[object, int | None]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server((host, 0), self, tls)
        scheme = "https" if tls else "http"
        self.host, self.port = host, int(self._server.server_address[1])
        self.url = f"{scheme}://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop; stalled answers end. From then on connections are refused."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url_for(self, path: str) -> str:
        """The URL of one path."""
        return self.url + quote(path)

    def sent_bytes(self, path: str) -> int:
        """Body bytes written for that path, over all requests."""
        with self._lock:
            return self._sent[path]

    def asked(self, path: str) -> list[Request]:
        """The requests for one path."""
        return [request for request in self.requests if request.path == path]

    # -- misbehaving -----------------------------------------------------------

    def cut_after(
        self, path: str, n_bytes: int, times: int | None = 1, *, reset: bool = False
    ) -> None:
        """Close the connection (or reset it) after so many bytes of a body."""
        self._order("cut", path, (n_bytes, reset), times)

    def stall(self, path: str, after_bytes: int, times: int | None = 1) -> None:
        """Send so many bytes of a body, then nothing, and keep the connection."""
        self._order("stall", path, after_bytes, times)

    def slow(self, path: str, piece_bytes: int, wait_s: float, times: int | None = None) -> None:
        """Wait before each piece of a body."""
        self._order("slow", path, (piece_bytes, wait_s), times)

    def lie(self, path: str, other_bytes: bytes, times: int | None = None) -> None:
        """Serve other bytes under that path."""
        self._order("lie", path, other_bytes, times)

    def ignore_range(self, path: str, times: int | None = None) -> None:
        """Answer 200 with everything, whatever range was asked."""
        self._order("whole", path, True, times)

    def fail(
        self,
        path: str,
        status: int,
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with that status and no file."""
        self._order("fail", path, Reply(status, b"no\n", dict(headers or {})), times)

    def redirect(
        self,
        path: str,
        to: str,
        times: int | None = None,
        *,
        status: int = 302,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with a Location."""
        reply = Reply(status, b"", {**(headers or {}), "Location": to})
        self._order("fail", path, reply, times)

    def change_headers(
        self, path: str, headers: Mapping[str, str | None], times: int | None = None
    ) -> None:
        """Put headers into the answer, over the right ones; None leaves one out."""
        self._order("headers", path, dict(headers), times)

    def _order(self, kind: str, path: str, value: object, times: int | None) -> None:
        with self._lock:
            self._faults[kind, path] = (value, times)

    def take(self, kind: str, path: str) -> Any:
        """The fault that is ordered for this request, counted down; else None."""
        with self._lock:
            value, times = self._faults.get((kind, path), (None, None))
            if times is not None:
                if times <= 1:
                    self._faults.pop((kind, path), None)
                else:
                    self._faults[kind, path] = (value, times - 1)
            return value

    # -- answering -------------------------------------------------------------

    def reply(self, request: Request) -> Reply:
        """The honest answer; other servers override this."""
        if request.path in self.files:
            return Reply(200, self.files[request.path], ranges=True)
        return Reply(404, b"nothing here\n")

    def count(self, path: str, sent: int) -> None:
        """Add to ``sent_bytes``."""
        with self._lock:
            self._sent[path] += sent


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], origin: Origin, tls: ssl.SSLContext | None):
        self.origin = origin
        super().__init__(address, _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up; that is no error of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.origin.connections += 1

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing."""

    def do_GET(self) -> None:
        origin = self.server.origin
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = unquote(parts.path)
        request = Request(self.command, path, headers, parts.query, self.path)
        origin.requests.append(request)
        reply = origin.take("fail", path) or origin.reply(request)
        lie = origin.take("lie", path)
        if lie is not None:
            reply = Reply(200, lie, reply.headers, ranges=True)
        with contextlib.suppress(OSError):
            self._send(path, *self._ranged(path, reply, headers.get("range", "")))

    do_HEAD = do_POST = do_GET  # noqa: N815  (http.server finds them by these names)

    def _ranged(self, path: str, reply: Reply, asked: str) -> tuple[int, bytes, dict[str, str]]:
        headers = dict(reply.headers)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
        whole = len(reply.body)
        if reply.status != 200 or not reply.ranges:
            return reply.status, reply.body, headers
        headers["Accept-Ranges"] = "bytes"
        if not match or self.server.origin.take("whole", path):
            return 200, reply.body, headers
        start = int(match[1])
        if start >= whole:
            return 416, b"", {**headers, "Content-Range": f"bytes */{whole}"}
        end = min(int(match[2] or whole), whole - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{whole}"
        return 206, reply.body[start : end + 1], headers

    def _send(self, path: str, status: int, body: bytes, headers: dict[str, str]) -> None:
        origin = self.server.origin
        headers = {"Content-Length": str(len(body)), **headers}
        headers.update(origin.take("headers", path) or {})
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut, stall = origin.take("cut", path), origin.take("stall", path)
        end = len(body) if cut is None else min(cut[0], len(body))
        self._write(path, body[: end if stall is None else min(stall, end)])
        if stall is not None:
            origin.closing.wait(30)
            self.close_connection = True
        if cut is not None:
            self._hang_up(reset=cut[1])
        if headers.get("Content-Length") is None or stall is not None:
            self.close_connection = True

    def _write(self, path: str, body: bytes) -> None:
        origin = self.server.origin
        piece_bytes, wait_s = origin.take("slow", path) or (2**18, 0.0)
        for at in range(0, len(body), piece_bytes):
            if wait_s and origin.closing.wait(wait_s):
                return
            piece = body[at : at + piece_bytes]
            self.wfile.write(piece)
            origin.count(path, len(piece))

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)
