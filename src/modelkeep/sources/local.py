# SPDX-License-Identifier: Apache-2.0
"""Files on this machine as streams; and ``file:`` URLs as paths (RFC 8089)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from io import RawIOBase
from pathlib import Path
from urllib.parse import unquote, urlsplit

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import AccessDenied, InvalidValue, NotFound, Unreachable
from modelkeep.wire.answers import WrongRange

PIECE_BYTES = 2**20


def path_of_url(url: str) -> Path:
    """The path of a ``file:`` URL, percent-decoded; no host but this one.

    Raises:
        InvalidValue: another scheme or another host.
    """
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise InvalidValue("URL", "file:///a/path/on/this/machine", repr(url))
    return Path(unquote(parts.path))


class LocalStream:
    """A regular file from some byte on. Satisfies ``base.Stream``."""

    def __init__(
        self, handle: RawIOBase, subject: str, *, start_byte: int, size_bytes: int
    ) -> None:
        self._handle = handle
        self._subject = subject
        self.start_byte = start_byte
        self.size_bytes: int | None = size_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of 1 MiB.

        Raises:
            Unreachable: the file shrank or cannot be read on.
        """
        left = (self.size_bytes or 0) - self.start_byte
        while left:
            try:
                piece = self._handle.read(min(left, PIECE_BYTES))
            except OSError as error:
                raise Unreachable(self._subject, "bytes", error.strerror or "an error") from error
            if not piece:
                got = f"its end {left} bytes earlier"
                raise Unreachable(self._subject, f"{self.size_bytes} bytes", got)
            left -= len(piece)
            yield piece

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def open_local(path: Path, start_byte: int = 0) -> LocalStream:
    """Open a regular file.

    Raises:
        NotFound: nothing there. AccessDenied: it may not be read.
        InvalidValue: a folder, pipe, device or socket.
        WrongRange: the file ends before that byte.
    """
    subject = f"file {path}"
    try:
        # A pipe without a writer would hold a plain open for ever.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(subject, "a regular file", "nothing there") from error
    except PermissionError as error:
        raise AccessDenied(
            subject, "a file that may be read", error.strerror or "no permission"
        ) from error
    except OSError as error:
        raise Unreachable(subject, "a regular file", error.strerror or str(error)) from error
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise InvalidValue(subject, "a regular file", kind_of(status.st_mode))
    if start_byte > status.st_size:
        os.close(number)
        raise WrongRange(subject, f"bytes from {start_byte} on", f"a file of {status.st_size}")
    handle = os.fdopen(number, "rb", buffering=0)
    handle.seek(start_byte)
    return LocalStream(handle, subject, start_byte=start_byte, size_bytes=status.st_size)


def kind_of(mode: int) -> str:
    """A file's kind in words."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")


def digest_of(path: Path) -> Digest:
    """The digest of a local file; raises what ``open_local`` and its stream raise."""
    stream = open_local(path)
    digest = hashlib.sha256()
    try:
        for piece in stream:
            digest.update(piece)
    finally:
        stream.close()
    return Digest(digest.hexdigest())
