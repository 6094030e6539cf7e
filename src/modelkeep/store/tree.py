# SPDX-License-Identifier: Apache-2.0
"""Where everything stands in a store's folder, and nothing else."""

from __future__ import annotations

import errno
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import NoRoom, ReadOnlyStore, StoreError

FORM = "v1"
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Tree:
    """The paths of one store. Making a Tree touches nothing on disk.

    Args:
        home: the store's folder; everything lies in ``home/v1``.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        root = home / FORM
        self.blobs = root / "blobs"
        self._blobs = str(self.blobs)
        self.manifests = root / "manifests"
        self.origins = root / "origins"
        self.views = root / "views"
        self.tmp = root / "tmp"
        self.locks = root / "locks"

    def blob(self, digest: Digest) -> Path:
        """The final path of a blob; only digests become paths."""
        return Path(self.blob_name(digest))

    def blob_name(self, digest: Digest) -> str:
        """The same as text, for those who look at thousands."""
        return f"{self._blobs}/{digest.hex[:2]}/{digest.hex}"

    def manifest(self, identity: Digest) -> Path:
        """The final path of a manifest."""
        return self.manifests / f"{identity.hex}.json"

    def origin(self, identity: Digest) -> Path:
        """Where the names and sources of a model version are kept."""
        return self.origins / f"{identity.hex}.json"

    def exists(self) -> bool:
        """Whether a store has been made here."""
        return self.blobs.is_dir()

    def prepare(self) -> None:
        """Make the folders that writing needs; private ones are 0700.

        Raises:
            ReadOnlyStore: this process may not write here.
            StoreError: something else is in the way.
        """
        try:
            for folder in (self.blobs, self.manifests, self.origins, self.views, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            self.tmp.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise refusal(error, self.home) from error


def refusal(error: OSError, home: Path) -> StoreError:
    """The typed form of an error from writing into the store."""
    if error.errno in _REFUSED:
        return ReadOnlyStore(f"store {home}", "a folder that can be written", _text(error))
    if error.errno in _FULL:
        return NoRoom(f"store {home}", "room on its disk", _text(error))
    return StoreError(f"store {home}", "a working folder", _text(error))


def _text(error: OSError) -> str:
    place = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{place}"
