# SPDX-License-Identifier: Apache-2.0
"""An answer: its head at once, its body in pieces."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import urllib3

from modelkeep.wire.answers import Extent, Hop, Transient
from modelkeep.wire.pools import failure

PIECE_BYTES = 2**20
_PIECE_S = 0.25


@dataclass(frozen=True, slots=True)
class Body:
    """A small answer, whole. ``hops`` are the redirects that came before."""

    url: str
    status: int
    headers: Mapping[str, str]
    data: bytes
    hops: tuple[Hop, ...] = ()


class Response:
    """A body on its way; iterate once, then close. Satisfies ``sources.base.Stream``.

    Attributes:
        url: that answered in the end; ``hops`` are the redirects before it.
        headers: names in lower case.
        start_byte: where the body begins in its file; 0 where a range was ignored.
        size_bytes: of the whole file, or None where it is not told.
    """

    def __init__(
        self,
        raw: urllib3.BaseHTTPResponse,
        answer: Hop,
        *,
        hops: tuple[Hop, ...],
        extent: Extent,
        subject: str,
        timeout_s: float,
    ) -> None:
        self._raw = raw
        self._subject = subject
        self._timeout_s = timeout_s
        self.url = answer.url
        self.status = answer.status
        self.headers = answer.headers
        self.hops = hops
        self.start_byte = extent.start_byte
        self.size_bytes = extent.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of up to 1 MiB; a slow body gives smaller ones, several a second.

        Raises:
            Transient: broken, stalled, or shorter than it said. What came before
                has been given out.
        """
        reached = self.start_byte
        piece = bytearray()
        begun = time.monotonic()
        try:
            while data := self._some(PIECE_BYTES - len(piece)):
                reached += len(data)
                piece += data
                now = time.monotonic()
                if len(piece) >= PIECE_BYTES or now - begun >= _PIECE_S:
                    yield bytes(piece)
                    piece.clear()
                    begun = time.monotonic()
            if self.size_bytes is not None and reached != self.size_bytes:
                got = f"the end after {reached}"
                raise Transient(self._subject, f"{self.size_bytes} bytes", got)
        except Transient:
            if piece:
                yield bytes(piece)
            raise
        if piece:
            yield bytes(piece)

    def _some(self, limit: int) -> bytes:
        if self.status == 416:
            return b""
        left = getattr(self._raw, "length_remaining", None)
        try:
            return self._raw.read1(limit if left is None else min(limit, left)) or b""
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise failure(self._subject, error, self._timeout_s) from error

    def close(self) -> None:
        """Let the connection go; it is kept for others only if the body was read to its end."""
        discard(self._raw, 0)

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def discard(raw: urllib3.BaseHTTPResponse, most_bytes: int = 65536) -> None:
    """Leave a body unread: a short one is drained and its connection kept."""
    with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
        left = getattr(raw, "length_remaining", None)
        if left is not None and left <= most_bytes:
            raw.read(max(left, 1))
    raw.close()
