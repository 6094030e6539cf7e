# SPDX-License-Identifier: Apache-2.0
"""Pours one stream into one partial, again and again until it is whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing

from modelkeep.sources.base import Stream
from modelkeep.spec.emit import Emit
from modelkeep.spec.errors import DigestMismatch, SourceError, Unreachable
from modelkeep.spec.events import BytesArrived
from modelkeep.spec.settings import Network
from modelkeep.store.partials import Partial
from modelkeep.wire.answers import Transient, WrongRange
from modelkeep.wire.retry import retrying

OpenAt = Callable[[int], Stream]
_TELL_S = 0.1


class Stopped(SourceError):
    """Another file of the same fetch failed, or the user interrupted it."""


class Pourer:
    """What all files of one fetch share: the policy, the listener, the way to stop."""

    def __init__(self, network: Network, emit: Emit) -> None:
        self.network = network
        self.emit = emit
        self.stop = threading.Event()

    def pour(
        self, partial: Partial, open_at: OpenAt, *, subject: str, path: str, size: int | None
    ) -> None:
        """Fill the partial from a stream; its digest is for the caller to check.

        A broken stream is opened again where it broke. Any progress begins the
        retry policy anew. Where no digest is promised every try begins at 0,
        since another version could be mixed in unseen.

        Raises:
            SourceError: what the source raised once no retry is left.
            DigestMismatch: the stream says that it has another size.
        """
        while True:
            before = partial.done_bytes
            try:
                for attempt in retrying(self.network, f"{subject}: {path}", self.emit):
                    with attempt:
                        self._pour_once(partial, open_at, subject, path, size)
                return
            except Transient:
                if partial.digest is None or partial.done_bytes <= before:
                    raise

    def _pour_once(
        self, partial: Partial, open_at: OpenAt, subject: str, path: str, size: int | None
    ) -> None:
        if size is not None and partial.done_bytes == size:
            return
        if partial.done_bytes and (partial.digest is None or partial.done_bytes > (size or 2**63)):
            partial.restart()
        with closing(self._opened(partial, open_at)) as stream:
            if size is not None and stream.size_bytes not in (None, size):
                promised = f"{size} bytes ({partial.digest})" if partial.digest else f"{size} bytes"
                raise DigestMismatch(f"{subject}: {path}", promised, f"{stream.size_bytes} bytes")
            told = 0.0
            for piece in stream:
                if self.stop.is_set():
                    raise Stopped(f"{subject}: {path}", "to go on", "a stop")
                partial.write(piece)
                if size is not None and partial.done_bytes > size:
                    got = f"more than {size} bytes"
                    raise DigestMismatch(f"{subject}: {path}", f"{size} bytes", got)
                if time.monotonic() - told > _TELL_S:
                    self.emit(BytesArrived(subject, path, partial.done_bytes, size))
                    told = time.monotonic()
        if size is not None and partial.done_bytes < size:
            got = f"the end after {partial.done_bytes}"
            raise Transient(f"{subject}: {path}", f"{size} bytes", got)
        self.emit(BytesArrived(subject, path, partial.done_bytes, size))

    def _opened(self, partial: Partial, open_at: OpenAt) -> Stream:
        """The stream from where the partial ends, or from 0 where that cannot be had."""
        try:
            stream = open_at(partial.done_bytes)
        except WrongRange:
            if not partial.done_bytes:
                raise
            partial.restart()
            stream = open_at(0)
        if stream.start_byte != partial.done_bytes:
            partial.restart()
            if stream.start_byte:
                stream.close()
                raise Unreachable(partial.folder.name, "bytes from 0 on", f"{stream.start_byte}")
        return stream
