# SPDX-License-Identifier: Apache-2.0
"""What every source can do: say what it has, and open it from any byte on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from modelkeep.spec.listing import Listing, Origin
from modelkeep.spec.uri import SourceUri

BringArchive = Callable[[Origin], Path]
"""Fetches the archive of an origin, verified, to a local file that lasts while it is listed."""


class Stream(Protocol):
    """Bytes on their way. Iterate once, then close.

    Attributes:
        start_byte: where these bytes begin; 0 where the origin ignored the range.
        size_bytes: of the whole file, or None where it is not told.
    """

    start_byte: int
    size_bytes: int | None

    def __iter__(self) -> Iterator[bytes]:
        """Pieces in order.

        Raises:
            Unreachable: the connection broke or stalled; what came is good.
        """
        ...

    def close(self) -> None:
        """Let the connection go."""
        ...


class Source(Protocol):
    """One scheme.

    All raise NotFound, AccessDenied, Unreachable, Offline or ForbiddenAddress.
    A source retries small questions itself; an opened stream that breaks is
    opened again by who reads it, from the byte it has reached.
    """

    def list(self, uri: SourceUri, revision: str | None, bring: BringArchive) -> Listing:
        """Everything at that revision (None: the source's newest or only one)."""
        ...

    def open(self, origin: Origin, path: str, start_byte: int) -> Stream:
        """One file of an origin that is no archive."""
        ...

    def open_archive(self, origin: Origin, start_byte: int) -> Stream:
        """The archive of an origin that has one."""
        ...
