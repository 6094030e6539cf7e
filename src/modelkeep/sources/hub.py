# SPDX-License-Identifier: Apache-2.0
"""``hf:``: repositories of the Hugging Face Hub, or of a mirror that speaks as it does.

The routes, headers and error codes are those that huggingface_hub 2.4 uses.
A digest that the tree declares for an LFS file is a promise that each fetch
verifies; other files have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn
from urllib.parse import quote, urljoin

from modelkeep.sources.base import BringArchive, Stream
from modelkeep.sources.context import Context
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import AccessDenied, InvalidValue, NotFound, Unreachable
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.path import check_closed, check_path
from modelkeep.spec.uri import SourceUri
from modelkeep.wire.answers import Denied, Missing
from modelkeep.wire.origins import same_host

MAX_PAGES = 10_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*?\brel="?next"?', re.IGNORECASE)


class Hub:
    """Models, datasets and spaces by commit."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._endpoint = context.hub.rstrip("/")

    def list(self, uri: SourceUri, revision: str | None, bring: BringArchive) -> Listing:
        """Every file at a branch, tag or commit; without one, at ``main``.

        Raises:
            NotFound: no such repository or revision.
            AccessDenied: a private or gated repository.
            UnsafePath: the tree names a path that no manifest may have.
            Unreachable: an answer that is no Hub's.
        """
        ref = uri.revision or revision or "main"
        subject = str(SourceUri("hf", uri.body, ref))
        commit = self._commit(subject, uri.body, ref)
        files = tuple(self._tree(subject, uri.body, commit))
        check_closed([file.path for file in files])
        return Listing(Origin(str(uri.unpinned()), revision=commit, ref=ref), files)

    def open(self, origin: Origin, path: str, start_byte: int) -> Stream:
        """One file at the origin's commit.

        Raises:
            NotFound, AccessDenied: as for ``list``.
            Unreachable: the server answers for another commit.
        """
        repo = SourceUri.parse(origin.source).body
        subject = f"{origin.source}@{origin.revision}: {path}"
        url = f"{self._endpoint}/{quote(repo)}/resolve/{origin.revision}/{quote(check_path(path))}"
        try:
            response = self._context.online(subject).open(url, start_byte=start_byte)
        except (Denied, Missing) as error:
            self._explain(subject, repo, error)
        heads = [hop.headers for hop in response.hops] + [response.headers]
        said = next((head["x-repo-commit"] for head in heads if "x-repo-commit" in head), None)
        if said is not None and said != origin.revision:
            response.close()
            raise Unreachable(subject, f"commit {origin.revision}", f"commit {said!r}")
        return response

    def open_archive(self, origin: Origin, start_byte: int) -> Stream:
        """There is none.

        Raises:
            NotFound: always.
        """
        raise NotFound(origin.source, "an archive", "a repository")

    def _commit(self, subject: str, repo: str, ref: str) -> str:
        url = f"{self._api(repo)}/revision/{quote(ref, safe='')}"
        found, _ = self._ask(subject, repo, url)
        commit = found.get("sha") if isinstance(found, dict) else None
        if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
            raise Unreachable(subject, "a commit of 40 hex digits", repr(commit))
        if _COMMIT.fullmatch(ref) and commit != ref:
            raise Unreachable(subject, f"commit {ref}", f"commit {commit}")
        return commit

    def _tree(self, subject: str, repo: str, commit: str) -> Iterator[ListedFile]:
        url: str | None = f"{self._api(repo)}/tree/{commit}?recursive=true&expand=false"
        for _ in range(MAX_PAGES):
            if url is None:
                return
            rows, url = self._ask(subject, repo, url)
            if not isinstance(rows, list):
                raise Unreachable(subject, "a tree as a JSON array", type(rows).__name__)
            for row in rows:
                file = _listed(subject, row)
                if file is not None:
                    yield file
        raise Unreachable(subject, f"a tree of at most {MAX_PAGES} pages", "more")

    def _ask(self, subject: str, repo: str, url: str) -> tuple[Any, str | None]:
        """One JSON answer, and the URL of its next page."""
        client = self._context.online(subject)
        try:
            body = client.read(url, supplied_by=_supplier(url, self._endpoint))
        except (Denied, Missing) as error:
            self._explain(subject, repo, error)
        try:
            value = json.loads(body.data)
        except ValueError as error:
            raise Unreachable(subject, "JSON", f"{len(body.data)} other bytes") from error
        match = _NEXT.search(body.headers.get("link", ""))
        return value, urljoin(body.url, match[1]) if match else None

    def _api(self, repo: str) -> str:
        prefix, slash, rest = repo.partition("/")
        if slash and prefix in ("datasets", "spaces"):
            return f"{self._endpoint}/api/{prefix}/{quote(rest)}"
        return f"{self._endpoint}/api/models/{quote(repo)}"

    def _explain(self, subject: str, repo: str, error: Denied | Missing) -> NoReturn:
        """Say what the Hub's error code means; 401 is also its answer to strangers' guesses."""
        code = error.answer.headers.get("x-error-code", "")
        status = error.answer.status
        if code == "GatedRepo":
            page = f"{self._endpoint}/{repo}"
            got = f"a gated one: its licence must be accepted at {page} and a token be given"
            raise AccessDenied(subject, "a repository open to this user", got) from error
        if code == "RepoNotFound":
            got = f"none, or a private one that wants another token (status {status})"
            raise NotFound(subject, "a repository", got) from error
        if code == "RevisionNotFound":
            raise NotFound(subject, "a branch, tag or commit of it", "no such revision") from error
        if code == "EntryNotFound":
            raise NotFound(subject, "the file at that revision", "no such file") from error
        if isinstance(error, Denied):
            got = f"status {status}: a token that may read it is needed at {self._endpoint}"
            raise AccessDenied(subject, "access", got) from error
        raise NotFound(subject, "it at the Hub", f"status {status}") from error


def _listed(subject: str, row: object) -> ListedFile | None:
    """One row of a tree; None for a folder."""
    try:
        if not isinstance(row, dict) or row["type"] not in ("file", "directory"):
            raise TypeError("neither file nor directory")
        if row["type"] == "directory":
            return None
        lfs = row.get("lfs")
        size = (lfs or row)["size"]
        if not isinstance(size, int) or size < 0 or not isinstance(row["path"], str):
            raise TypeError("a size or path of another type")
        digest = Digest(lfs["oid"]) if lfs else None
    except (KeyError, TypeError, InvalidValue) as error:
        raise Unreachable(subject, "rows of a Hub's tree", f"{error!r}") from error
    return ListedFile(check_path(row["path"]), size, digest)


def _supplier(url: str, endpoint: str) -> str | None:
    """Whom the URL of a next page comes from, if it leads away from the Hub."""
    return None if same_host(url, [endpoint]) else endpoint
