# SPDX-License-Identifier: Apache-2.0
"""A small Hugging Face Hub: repositories with branches, LFS files, gates and pages of a tree."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from servers.origin import Origin, Reply, Request

JSON = {"Content-Type": "application/json"}


def git_sha1(data: bytes) -> str:
    """What git calls a file of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class Repo:
    """One repository.

    Attributes:
        files: path to bytes, the same at each commit.
        lfs: paths that are kept in LFS: the tree tells their SHA-256.
        refs: branch or tag to commit.
        gated: nobody may read it without ``token``.
        token: that must be sent, where one must.
        says_commit: sent as X-Repo-Commit instead of the right one.
    """

    files: dict[str, bytes]
    lfs: frozenset[str] = frozenset()
    refs: dict[str, str] = field(default_factory=lambda: {"main": "a" * 40})
    gated: bool = False
    token: str = ""
    says_commit: str = ""

    def commit(self, revision: str) -> str | None:
        """The commit of a branch, tag or commit."""
        return revision if revision in self.refs.values() else self.refs.get(revision)

    def row(self, path: str) -> dict[str, object]:
        """A file as the tree tells it."""
        data = self.files[path]
        row: dict[str, object] = {"type": "file", "path": path, "size": len(data)}
        row["oid"] = git_sha1(data)
        if path in self.lfs:
            oid = hashlib.sha256(data).hexdigest()
            row["lfs"] = {"oid": oid, "size": len(data), "pointerSize": 134}
        return row

    def tree(self) -> list[dict[str, object]]:
        """All rows, folders before what is in them."""
        folders = {
            "/".join(path.split("/")[:end])
            for path in self.files
            for end in range(1, path.count("/") + 1)
        }
        rows = [
            {"type": "directory", "path": path, "oid": git_sha1(path.encode()), "size": 0}
            for path in folders
        ]
        rows += [self.row(path) for path in self.files]
        return sorted(rows, key=lambda row: str(row["path"]))


class Hub(Origin):
    """Serves repositories (``org/name``, ``datasets/org/name``).

    Args:
        page_rows: rows of a tree on one page.
        files_at: another origin that LFS files are redirected to, as signed URLs are.
        prefix: a path that all routes begin with.
    """

    def __init__(
        self,
        repos: Mapping[str, Repo] | None = None,
        *,
        page_rows: int = 1000,
        files_at: Origin | None = None,
        prefix: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls=tls)
        self.repos = dict(repos or {})
        self.page_rows = page_rows
        self.files_at = files_at
        self.prefix = prefix
        self.endpoint = self.url + prefix

    def reply(self, request: Request) -> Reply:
        """API and resolve routes; 404 for the rest."""
        if not request.path.startswith(self.prefix + "/"):
            return Reply(404)
        path = request.path.removeprefix(self.prefix)
        if path.startswith("/api/"):
            return self._api(request, path.removeprefix("/api/"))
        name, _, rest = path[1:].partition("/resolve/")
        revision, _, file = rest.partition("/")
        return self._refuse(name, request) or self._resolve(name, revision, file)

    def _refuse(self, name: str, request: Request) -> Reply | None:
        repo = self.repos.get(name)
        if repo is None:
            return _error(401 if "authorization" not in request.headers else 404, "RepoNotFound")
        if repo.token and request.headers.get("authorization") != f"Bearer {repo.token}":
            if repo.gated:
                return _error(403, "GatedRepo")
            return _error(401, "RepoNotFound")
        return None

    def _api(self, request: Request, path: str) -> Reply:
        kind, _, rest = path.partition("/")
        parts = rest.split("/")
        words = ("revision", "tree", "paths-info", "refs")
        at = next((i for i, part in enumerate(parts) if part in words and i), len(parts))
        name = "/".join(parts[:at])
        name = name if kind == "models" else f"{kind}/{name}"
        refused = self._refuse(name, request)
        if kind not in ("models", "datasets", "spaces") or refused:
            return refused or Reply(404)
        repo = self.repos[name]
        verb = parts[at] if at < len(parts) else "revision"
        revision = "/".join(parts[at + 1 :]) or "main"
        commit = repo.commit(revision)
        if commit is None:
            return _error(404, "RevisionNotFound")
        if verb == "tree":
            return self._tree(request, repo)
        if verb != "revision":
            return Reply(404)
        siblings = [{"rfilename": file} for file in sorted(repo.files)]
        whole = {"id": name, "sha": commit, "siblings": siblings}
        return Reply(200, json.dumps(whole).encode(), JSON)

    def _tree(self, request: Request, repo: Repo) -> Reply:
        rows = repo.tree()
        start = int(parse_qs(request.query).get("cursor", ["0"])[0])
        page = rows[start : start + self.page_rows]
        headers = dict(JSON)
        if start + self.page_rows < len(rows):
            following = f"{self.url}{request.path}?recursive=true&cursor={start + self.page_rows}"
            headers["Link"] = f'<{following}>; rel="next"'
        return Reply(200, json.dumps(page).encode(), headers)

    def _resolve(self, name: str, revision: str, path: str) -> Reply:
        repo = self.repos[name]
        commit = repo.commit(revision)
        if commit is None:
            return _error(404, "RevisionNotFound")
        headers = {"X-Repo-Commit": repo.says_commit or commit}
        data = repo.files.get(path)
        if data is None:
            return _error(404, "EntryNotFound", headers)
        if path not in repo.lfs:
            return Reply(200, data, {**headers, "ETag": f'"{git_sha1(data)}"'}, ranges=True)
        oid = hashlib.sha256(data).hexdigest()
        headers["X-Linked-Size"] = str(len(data))
        headers["X-Linked-Etag"] = f'"{oid}"'
        if self.files_at is None:
            return Reply(200, data, {**headers, "ETag": f'"{oid}"'}, ranges=True)
        self.files_at.files[f"/{oid}"] = data
        location = f"{self.files_at.url}/{oid}?X-Signature=secret-of-the-url"
        return Reply(302, b"", {**headers, "Location": location})


def _error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, b"{}", {**(headers or {}), "X-Error-Code": code, "X-Error-Message": code})
