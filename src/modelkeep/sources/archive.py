# SPDX-License-Identifier: Apache-2.0
"""Members of wheels, zips and tar.gz files, read with caps and never extracted.

Regular files only. What an archive declares is judged before a byte of it is
believed, and what is then read must be what it declared.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from gzip import GzipFile
from pathlib import Path
from typing import IO, cast

from modelkeep.spec.errors import NotFound, UnsafeArchive, UnsafePath
from modelkeep.spec.path import check_closed, check_path

MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 512 * 2**30
MAX_RATIO = 1000
FREE_BYTES = 2**20  # so much may come of even the smallest archive
PIECE_BYTES = 2**20
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # zipfile's word for passwords, and for methods it does not have
)


class _Caps:
    """Adds up what an archive declares; refuses it once that is too much.

    Args:
        path: the archive, whose own size bounds what it may grow to.
    """

    def __init__(self, path: Path) -> None:
        self.subject = f"archive {path.name}"
        self.most_bytes = min(max(path.stat().st_size * MAX_RATIO, FREE_BYTES), MAX_TOTAL_BYTES)
        self._total_bytes = 0
        self._names: set[str] = set()

    def admit(self, name: str, size_bytes: int) -> None:
        """Count one regular file."""
        try:
            check_path(name)
        except UnsafePath as error:
            raise self.refuse("members that stay inside", f"{name!r}: {error.got}") from error
        if name in self._names:
            raise self.refuse("each member once", f"{name!r} twice")
        self._names.add(name)
        self._total_bytes += size_bytes
        if len(self._names) > MAX_MEMBERS:
            raise self.refuse(f"at most {MAX_MEMBERS} members", "more")
        if size_bytes < 0 or self._total_bytes > self.most_bytes:
            got = f"{self._total_bytes} or more"
            raise self.refuse(f"at most {self.most_bytes} bytes when unpacked", got)

    def refuse(self, expected: str, got: str) -> UnsafeArchive:
        return UnsafeArchive(self.subject, expected, got)

    def close(self) -> None:
        """All were seen: no file may stand where another needs a folder."""
        try:
            check_closed(sorted(self._names))
        except UnsafePath as error:
            raise self.refuse("members that fit one folder", str(error)) from error


class _Metered(io.RawIOBase):
    """Unpacked bytes, no more of them than the caps allow.

    tarfile reads extended headers into memory whole, whatever size they
    declare; its reads of members are small.
    """

    def __init__(self, inner: GzipFile, caps: _Caps) -> None:
        self._inner = inner
        self._caps = caps

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 4 * PIECE_BYTES:
            raise self._caps.refuse("headers of a few KiB", f"one of {size} bytes")
        self._check(self._inner.tell() + size)
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check(offset)
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def _check(self, offset: int) -> None:
        # Headers and padding come on top of what the members declare.
        most = 2 * self._caps.most_bytes + MAX_MEMBERS * 2048
        if offset > most:
            raise self._caps.refuse(f"at most {most} bytes when unpacked", "more")


class MemberStream:
    """One member from its first byte. Satisfies ``base.Stream``."""

    start_byte = 0

    def __init__(
        self, handle: IO[bytes], subject: str, *, size_bytes: int, held: contextlib.ExitStack
    ) -> None:
        self._handle = handle
        self._subject = subject
        self._held = held
        self.size_bytes: int | None = size_bytes

    def __iter__(self) -> Iterator[bytes]:
        """Pieces of up to 1 MiB.

        Raises:
            UnsafeArchive: damaged, or another size than declared.
        """
        count = 0
        with damage(self._subject):
            while piece := self._handle.read(PIECE_BYTES):
                count += len(piece)
                if count > (self.size_bytes or 0):
                    break
                yield piece
        if count != self.size_bytes:
            raise UnsafeArchive(self._subject, f"{self.size_bytes} bytes", f"{count} or more")

    def close(self) -> None:
        """Close the member, and the archive if it was opened for it alone."""
        self._handle.close()
        self._held.close()


@contextlib.contextmanager
def damage(subject: str) -> Iterator[None]:
    """Turn what the readers raise over damaged archives into UnsafeArchive."""
    try:
        yield
    except _DAMAGE as error:
        got = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UnsafeArchive(subject, "an undamaged archive", got) from error


def members(path: Path) -> tuple[tuple[str, int], ...]:
    """Every regular file: its name and declared size in bytes, in the archive's order.

    Raises:
        UnsafeArchive: damaged; a link, device or climbing name among the
            members; a name twice; more than the caps allow.
        NotFound: no such archive.
    """
    with contextlib.ExitStack() as held:
        caps, found = _open(path, held)
        with damage(caps.subject):
            rows = tuple((one.name, one.size_bytes) for one in found)
        caps.close()
        return rows


def open_member(path: Path, member: str) -> MemberStream:
    """One member, to be closed when read.

    Raises:
        NotFound: no such archive or member.
        UnsafeArchive: as for ``members``, as far as was read to find it.
    """
    with contextlib.ExitStack() as held:
        for _, stream in _streams(path, {member}, held):
            stream._held = held.pop_all()
            return stream
    raise NotFound(f"archive {path.name}", f"the member {member}", "none of that name")


def open_members(path: Path, names: Collection[str]) -> Iterator[tuple[str, MemberStream]]:
    """Many members in one pass, in the archive's order, each good until the next is asked for.

    A tar.gz has to be unpacked from its start for each ``open_member``; here once.

    Raises:
        NotFound, UnsafeArchive: as for ``open_member``.
    """
    left = set(names)
    with contextlib.ExitStack() as held:
        for name, stream in _streams(path, frozenset(names), held):
            left.discard(name)
            yield name, stream
            stream.close()
    if left:
        expected = f"the member {min(left)}"
        raise NotFound(f"archive {path.name}", expected, "none of that name")


def _streams(
    path: Path, names: Collection[str], held: contextlib.ExitStack
) -> Iterator[tuple[str, MemberStream]]:
    caps, found = _open(path, held)
    while True:
        with damage(caps.subject):
            one = next(found, None)
            if one is None:
                return
            if one.name not in names:
                continue
            handle = one.open()
        subject = f"{caps.subject}: {one.name}"
        nothing = contextlib.ExitStack()
        yield one.name, MemberStream(handle, subject, size_bytes=one.size_bytes, held=nothing)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    size_bytes: int
    open: Callable[[], IO[bytes]]


def _open(path: Path, held: contextlib.ExitStack) -> tuple[_Caps, Iterator[_Found]]:
    """Open by content: a file in a store has no name that would tell."""
    try:
        caps = _Caps(path)
        handle = held.enter_context(path.open("rb"))
    except OSError as error:
        raise NotFound(f"archive {path}", "a file", error.strerror or "none") from error
    with damage(caps.subject):
        magic = handle.read(4)
        handle.seek(0)
        if magic[:2] == b"\x1f\x8b":
            inner = held.enter_context(GzipFile(fileobj=handle, mode="rb"))
            metered = cast(IO[bytes], _Metered(inner, caps))
            archive = held.enter_context(tarfile.TarFile(fileobj=metered))
            return caps, _tarred(archive, metered, caps)
        if magic[:2] == b"PK":
            return caps, _zipped(held.enter_context(zipfile.ZipFile(handle)), caps)
    raise caps.refuse("a wheel, zip or tar.gz", f"a file that begins with {magic!r}")


def _zipped(archive: zipfile.ZipFile, caps: _Caps) -> Iterator[_Found]:
    for info in archive.infolist():
        if info.orig_filename != info.filename:
            raise caps.refuse("plain names", repr(info.orig_filename))
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise caps.refuse("regular files only", f"{info.filename!r}: a link or device")
        if info.is_dir():
            continue
        if kind == stat.S_IFDIR or info.flag_bits & 0x1:
            raise caps.refuse("regular files only", f"{info.filename!r}: a folder or encrypted")
        caps.admit(info.filename, info.file_size)
        yield _Found(info.filename, info.file_size, partial(archive.open, info))


def _tarred(archive: tarfile.TarFile, handle: IO[bytes], caps: _Caps) -> Iterator[_Found]:
    # One at a time: a member is judged before the next header makes tarfile
    # unpack and skip what the member declares.
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg() or info.sparse is not None:
            raise caps.refuse("regular files only", f"{info.name!r}: a link, device or hole")
        caps.admit(info.name, info.size)
        yield _Found(info.name, info.size, partial(_extract, archive, info))
    _check_rest(archive, handle, caps)


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    handle = archive.extractfile(info)
    assert handle is not None  # for a regular file there is one
    return handle


def _check_rest(archive: tarfile.TarFile, handle: IO[bytes], caps: _Caps) -> None:
    """Nothing but zeros may follow the last member.

    tarfile takes a damaged header for the end; reading on also proves gzip's CRC.
    """
    handle.seek(archive.offset)
    count = 0
    while piece := handle.read(PIECE_BYTES):
        count += len(piece)
        if piece.strip(b"\0"):
            raise caps.refuse("zeros after the last member", "other bytes")
    if count < tarfile.BLOCKSIZE:
        raise caps.refuse("an end mark after the last member", "the end of the file")
