# SPDX-License-Identifier: Apache-2.0
"""A package index of the simple API, and small archives to put into it."""

from __future__ import annotations

import hashlib
import html
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from servers.origin import Origin, Reply, Request

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def make_wheel(files: Mapping[str, bytes]) -> bytes:
    """A zip of these members, and nothing else."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def make_sdist(top: str, files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of these members below one folder; an empty ``top`` puts none there."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{top}/{name}" if top else name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def page(archives: Mapping[str, bytes], yanked: frozenset[str] = frozenset()) -> str:
    """A simple page in HTML, with links to files beside it and their SHA-256."""
    rows = [
        f'<a href="{html.escape(name)}#sha256={hashlib.sha256(data).hexdigest()}"'
        f"{' data-yanked=why' if name in yanked else ''}>{html.escape(name)}</a><br>"
        for name, data in archives.items()
    ]
    return "<!DOCTYPE html><html><body>\n" + "\n".join(rows) + "\n</body></html>\n"


def write_tree(folder: Path, packages: Mapping[str, Mapping[str, bytes]]) -> str:
    """Write ``simple/NAME/index.html`` and the archives there; gives the ``file:`` index URL."""
    for name, archives in packages.items():
        place = folder / "simple" / canonicalize_name(name)
        place.mkdir(parents=True, exist_ok=True)
        (place / "index.html").write_text(page(archives))
        for filename, data in archives.items():
            (place / filename).write_bytes(data)
    return (folder / "simple").as_uri()


class Index(Origin):
    """Serves packages (name to file name to bytes) below ``/simple/`` and ``/files/``.

    Args:
        html_only: answer HTML also to those who would rather have JSON.
        yanked: file names. without_digest: file names whose SHA-256 is not told.
    """

    def __init__(
        self,
        packages: Mapping[str, Mapping[str, bytes]] | None = None,
        *,
        html_only: bool = False,
        yanked: frozenset[str] = frozenset(),
        without_digest: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.html_only = html_only
        self.yanked = yanked
        self.without_digest = without_digest
        self.packages: dict[str, dict[str, bytes]] = {}
        for name, archives in (packages or {}).items():
            self.add(name, archives)
        self.index_url = f"{self.url}/simple"

    def add(self, package: str, archives: Mapping[str, bytes]) -> None:
        """Offer more archives."""
        self.packages.setdefault(canonicalize_name(package), {}).update(archives)
        for filename, data in archives.items():
            self.files[f"/files/{filename}"] = data

    def reply(self, request: Request) -> Reply:
        """A page, or a file."""
        parts = request.path.strip("/").split("/")
        if parts[0] != "simple" or len(parts) != 2 or parts[1] not in self.packages:
            return super().reply(request)
        if self.html_only or JSON_TYPE not in request.headers.get("accept", ""):
            text = self._html(self.packages[parts[1]])
            return Reply(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})
        text = self._json(parts[1], self.packages[parts[1]])
        return Reply(200, text.encode(), {"Content-Type": JSON_TYPE})

    def _html(self, archives: Mapping[str, bytes]) -> str:
        rows = []
        for name, data in archives.items():
            digest = hashlib.sha256(data).hexdigest()
            fragment = "" if name in self.without_digest else f"#sha256={digest}"
            mark = ' data-yanked="why"' if name in self.yanked else ""
            rows.append(f'<a href="../../files/{name}{fragment}"{mark}>{name}</a>')
        return "<!DOCTYPE html>\n" + "\n".join(rows)

    def _json(self, name: str, archives: Mapping[str, bytes]) -> str:
        files = []
        for filename, data in archives.items():
            digest = hashlib.sha256(data).hexdigest()
            hashes = {} if filename in self.without_digest else {"sha256": digest}
            row = {"filename": filename, "url": f"/files/{filename}", "hashes": hashes}
            files.append({**row, "yanked": "why" if filename in self.yanked else False})
        return json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files})
