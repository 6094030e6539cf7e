# SPDX-License-Identifier: Apache-2.0
"""``file:``: a folder or one file on this machine.

A link to a regular file counts as that file, wherever it lies: a Hugging Face
snapshot is made of links that lead out of it. A link to a folder is refused,
since a tree with loops or doubles has no closed list of files.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from modelkeep.sources.base import BringArchive
from modelkeep.sources.context import Context
from modelkeep.sources.local import LocalStream, kind_of, open_local, path_of_url
from modelkeep.spec.errors import AccessDenied, InvalidValue, NotFound, Unreachable, UnsafePath
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.path import check_path
from modelkeep.spec.uri import SourceUri


class Folder:
    """Every regular file below a folder; relative paths start from the project's folder."""

    def __init__(self, context: Context) -> None:
        self._folder = context.folder

    def list(self, uri: SourceUri, revision: str | None, bring: BringArchive) -> Listing:
        """All files, sorted, with sizes and no digests.

        Raises:
            NotFound: no such folder or file, or a link that leads nowhere.
            UnsafePath: a link to a folder, or a name that no manifest may have.
            InvalidValue: a pipe, device or socket.
        """
        root = self._root(uri.body)
        origin = Origin(source=str(uri.unpinned()))
        if stat.S_ISDIR(_stat(root).st_mode):
            files = sorted(_walk(root, ""), key=lambda file: file.path.encode())
            return Listing(origin, tuple(files))
        return Listing(origin, (_regular(root, check_path(root.name)),))

    def open(self, origin: Origin, path: str, start_byte: int) -> LocalStream:
        """One file.

        Raises:
            NotFound, InvalidValue, UnsafePath: as for ``list``.
        """
        root = self._root(SourceUri.parse(origin.source).body)
        check_path(path)
        if not stat.S_ISDIR(_stat(root).st_mode):
            if path != root.name:
                raise NotFound(f"file {path}", f"the one file {root}", "another name")
            return open_local(root, start_byte)
        place = root
        for part in path.split("/")[:-1]:
            place = place / part
            if place.is_symlink():
                raise _link_to_folder(path)
        return open_local(root / path, start_byte)

    def open_archive(self, origin: Origin, start_byte: int) -> LocalStream:
        """There is none.

        Raises:
            NotFound: always.
        """
        raise NotFound(origin.source, "an archive", "a folder of files")

    def _root(self, body: str) -> Path:
        path = path_of_url(f"file:{body}") if body.startswith("//") else Path(body)
        return Path(os.path.abspath(self._folder / path))


def _walk(folder: Path, prefix: str) -> list[ListedFile]:
    files = []
    try:
        entries = list(os.scandir(folder))
    except PermissionError as error:
        raise AccessDenied(
            f"folder {folder}", "one that may be read", error.strerror or "no permission"
        ) from error
    except OSError as error:
        raise Unreachable(f"folder {folder}", "its entries", error.strerror or "") from error
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            files += _walk(folder / entry.name, f"{path}/")
            continue
        files.append(_regular(folder / entry.name, check_path(path)))
    return files


def _regular(place: Path, path: str) -> ListedFile:
    status = _stat(place)
    if stat.S_ISDIR(status.st_mode):
        raise _link_to_folder(path)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidValue(f"file {place}", "a regular file", kind_of(status.st_mode))
    return ListedFile(path, size_bytes=status.st_size)


def _stat(place: Path) -> os.stat_result:
    try:
        return place.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        got = "a link that leads nowhere" if place.is_symlink() else "nothing there"
        raise NotFound(f"file {place}", "a file or folder", got) from error
    except PermissionError as error:
        raise AccessDenied(
            f"file {place}", "one that may be read", error.strerror or "no permission"
        ) from error
    except OSError as error:
        raise Unreachable(f"file {place}", "a file or folder", error.strerror or "") from error


def _link_to_folder(path: str) -> UnsafePath:
    expected = "files, folders and links to files"
    return UnsafePath(f"path {path!r}", expected, "a link to a folder")
