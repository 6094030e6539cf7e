# SPDX-License-Identifier: Apache-2.0
"""``https:`` and ``http:``: one file at one URL."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from modelkeep.sources.base import BringArchive, Stream
from modelkeep.sources.context import Context
from modelkeep.spec.errors import AccessDenied, InvalidValue, NotFound, Unreachable, UnsafePath
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.path import check_path
from modelkeep.spec.uri import SourceUri, redact
from modelkeep.wire.answers import Transient

if TYPE_CHECKING:
    from modelkeep.wire.client import Client


def file_name(url: str) -> str:
    """The last part of a URL's path, percent-decoded.

    Raises:
        InvalidValue: the path ends with a slash.
        UnsafePath: a name that no manifest may have.
    """
    name = unquote(urlsplit(url).path.rpartition("/")[2], errors="surrogateescape")
    if not name:
        raise InvalidValue(redact(url), "a URL whose last part names a file", "none")
    if "/" in name:
        raise UnsafePath(f"path {name!r}", "the name of one file", "a slash")
    return check_path(name)


class Https:
    """One file; a server that says nothing of its size is believed."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self, uri: SourceUri, revision: str | None, bring: BringArchive) -> Listing:
        """The file, with its size where the server tells it."""
        url = str(uri.unpinned())
        name = file_name(url)
        file = ListedFile(name, size_bytes=self._size(url))
        return Listing(Origin(source=url), (file,))

    def open(self, origin: Origin, path: str, start_byte: int) -> Stream:
        """The file."""
        if path != file_name(origin.source):
            raise NotFound(redact(origin.source), f"the file {path}", "another name")
        client = self._context.online(redact(origin.source))
        return client.open(origin.source, start_byte=start_byte)

    def open_archive(self, origin: Origin, start_byte: int) -> Stream:
        """There is none.

        Raises:
            NotFound: always.
        """
        raise NotFound(redact(origin.source), "an archive", "a single file")

    def _size(self, url: str) -> int | None:
        subject = redact(url)
        client = self._context.online(subject)
        return client.retry(subject, lambda: _size(client, url))


def _size(client: Client, url: str) -> int | None:
    try:
        with client.open(url, method="HEAD") as response:
            return response.size_bytes
    except Transient:
        raise
    except (AccessDenied, NotFound, Unreachable):
        # A URL signed for GET, or a server without HEAD: ask, and read nothing.
        with client.open(url) as response:
            return response.size_bytes
