# SPDX-License-Identifier: Apache-2.0
"""A file on its way into the store, which outlives the process that writes it.

``tmp/<host>-<uuid>/`` holds ``data`` and ``record.json``. The record lists the
ranges that were fdatasynced; a resume reads them again to rebuild the digest,
since hashlib's state cannot be saved. The digest of the whole decides.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, Self

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DigestMismatch
from modelkeep.store.blobs import PIECE_BYTES, publish_blob
from modelkeep.store.owner import Owner, host_name, is_dead, this_process
from modelkeep.store.publish import fresh_name, sync_data
from modelkeep.store.tree import Tree

CHECKPOINT_BYTES = 16 << 20


class Partial:
    """One growing file. Use as a context: on the way out it is let go, not deleted.

    Attributes:
        digest: what it must become, or None where only the bytes will tell.
        done_bytes: the length of the prefix that is here.
        resumed: whether an earlier process wrote some of it.
    """

    def __init__(self, tree: Tree, folder: Path, digest: Digest | None, file: FileIO) -> None:
        self.tree = tree
        self.folder = folder
        self.digest = digest
        self.done_bytes = 0
        self.resumed = False
        self._recorded_bytes = 0
        self._sha256 = hashlib.sha256()
        self._file = file

    @classmethod
    def begin(cls, tree: Tree, digest: Digest | None) -> Self:
        """Take over what nobody of this host works on any more, or start anew.

        Without a digest nothing is taken over: another version could be mixed in.

        Raises:
            OSError: the filesystem refuses.
        """
        if digest:
            for folder, record in _records(tree):
                if record.get("digest") == str(digest) and (
                    claimed := _claim(tree, folder, record)
                ):
                    partial = cls(tree, claimed[0], digest, claimed[1])
                    partial._take_over(record)
                    return partial
        folder = _new_folder(tree)
        folder.mkdir(mode=0o700)
        partial = cls(tree, folder, digest, (folder / "data").open("x+b", buffering=0))
        _say_in_use(partial._file)
        partial._record(0, this_process())
        return partial

    def _take_over(self, record: dict[str, Any]) -> None:
        """Put our name on a claimed folder before others see it again, then read it again."""
        promised = _prefix(record)
        self._record(promised, this_process())
        visible = _new_folder(self.tree)
        self.folder.rename(visible)
        self.folder = visible
        while self.done_bytes < promised:
            piece = self._file.read(min(PIECE_BYTES, promised - self.done_bytes))
            if not piece:
                break
            self._sha256.update(piece)
            self.done_bytes += len(piece)
        self.resumed = self.done_bytes > 0
        self._file.truncate(self.done_bytes)
        self._file.seek(self.done_bytes)
        self._checkpoint()

    def write(self, piece: bytes) -> None:
        """Append; every 16 MiB are made durable and recorded."""
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]
        self._sha256.update(piece)
        self.done_bytes += len(piece)
        if self.done_bytes - self._recorded_bytes >= CHECKPOINT_BYTES:
            self._checkpoint()

    def restart(self) -> None:
        """Forget every byte: the origin begins at 0 again, or the whole was wrong."""
        self._file.seek(0)
        self._file.truncate(0)
        self._sha256 = hashlib.sha256()
        self.done_bytes = 0
        self.resumed = False
        self._checkpoint()

    def _checkpoint(self) -> None:
        sync_data(self._file.fileno())
        self._record(self.done_bytes, this_process())

    def _record(self, length: int, owner: Owner | None) -> None:
        self._recorded_bytes = length
        record = {
            "digest": str(self.digest) if self.digest else None,
            "ranges": [[0, length]],
            "owner": owner and owner.as_dict(),
        }
        beside = self.folder / "record.new"
        beside.write_text(json.dumps(record))
        beside.rename(self.folder / "record.json")

    def finish(self) -> Path:
        """Verify the whole and leave it where it is (an archive that is only read from).

        Raises:
            DigestMismatch: it is not what was promised; the bytes are forgotten.
        """
        self._checkpoint()
        got = Digest(self._sha256.hexdigest())
        if self.digest and got != self.digest:
            size = self.done_bytes
            self.restart()
            raise DigestMismatch("bytes", str(self.digest), f"{got} ({size} bytes)")
        return self.folder / "data"

    def commit(self) -> Digest:
        """Verify, fsync and publish as a blob; the partial is gone afterwards.

        Raises:
            DigestMismatch: as ``finish``.
            OSError: the filesystem refuses.
        """
        data = self.finish()
        digest = Digest(self._sha256.hexdigest())
        os.fchmod(self._file.fileno(), 0o444)
        os.fsync(self._file.fileno())
        publish_blob(self.tree, data, digest)
        self.discard()
        return digest

    def discard(self) -> None:
        """Close and delete."""
        self._file.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Let go; what can be resumed stays for whoever is next, this process or another."""
        if self._file.closed:
            return
        if self.digest is None or not self.done_bytes:
            return self.discard()
        with suppress(OSError):
            sync_data(self._file.fileno())
            self._record(self.done_bytes, None)
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def written_bytes(tree: Tree, digest: Digest) -> int:
    """What all partials of these bytes hold, of any host: whether somebody makes progress."""
    total = 0
    for folder, record in _records(tree, host="*"):
        if record.get("digest") == str(digest):
            with suppress(OSError):
                total += (folder / "data").stat().st_size
    return total


def _records(tree: Tree, host: str | None = None) -> Iterator[tuple[Path, dict[str, Any]]]:
    for folder in sorted(tree.tmp.glob(f"{host or host_name()}-*")):
        with suppress(OSError, ValueError, RecursionError):
            record = json.loads((folder / "record.json").read_text())
            if isinstance(record, dict):
                yield folder, record


def _prefix(record: dict[str, Any]) -> int:
    match record.get("ranges"):
        case [[0, int(end)], *_]:
            return end
    return 0


def _new_folder(tree: Tree) -> Path:
    return tree.tmp / f"{host_name()}-{fresh_name()}"


def _claim(tree: Tree, folder: Path, record: dict[str, Any]) -> tuple[Path, FileIO] | None:
    """Rename a folder that nobody holds to a name that nobody looks for, and open its data.

    None if its owner lives, another was first, or its data is a blob already.
    """
    try:
        owner = record["owner"]
        if owner is not None and not is_dead(Owner(**owner)):
            return None
        data = folder / "data"
        if data.stat().st_nlink > 1:
            return None
        data.chmod(0o600)
        file = data.open("r+b", buffering=0)
    except (OSError, KeyError, TypeError):
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        pass  # no locks here: the rename decides
    try:
        return folder.rename(tree.tmp / f".{fresh_name()}"), file
    except OSError:
        file.close()
        return None


def _say_in_use(file: FileIO) -> None:
    """Say "in use" to processes whose pids mean nothing here (other containers)."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
