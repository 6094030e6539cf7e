# SPDX-License-Identifier: Apache-2.0
"""Asking package indexes: pages of the simple API, and find-links pages and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from modelkeep.sources.context import Context
from modelkeep.sources.index import ACCEPT, Candidate, parse_page
from modelkeep.sources.local import open_local, path_of_url
from modelkeep.spec.errors import AccessDenied, NotFound, Unreachable
from modelkeep.spec.uri import redact

_HTML = "text/html"


def offered(context: Context, package: str) -> Iterator[tuple[str, tuple[Candidate, ...]]]:
    """Each place that is configured and has the package, in order: its URL and what it lists.

    Places that do not have it are passed over; a find-links page lists other
    packages too.

    Raises:
        AccessDenied, Unreachable, Offline, ForbiddenAddress: a place gave no answer.
    """
    name = canonicalize_name(package)
    for root in context.indexes.urls:
        yield from _asked(context, f"{root.rstrip('/')}/{name}/")
    for place in context.indexes.find_links:
        yield from _asked(context, place)


def _asked(context: Context, place: str) -> Iterator[tuple[str, tuple[Candidate, ...]]]:
    try:
        if urlsplit(place).scheme in ("http", "https"):
            client = context.online(redact(place))
            body = client.read(place, headers={"Accept": ACCEPT})
            media = body.headers.get("content-type", _HTML)
            yield place, parse_page(body.data, media, body.url)
        else:
            yield place, _local(_path(context, place))
    except NotFound:
        return


def _path(context: Context, place: str) -> Path:
    path = path_of_url(place) if place.startswith("file:") else Path(place)
    return Path(os.path.abspath(context.folder / path))


def _local(path: Path) -> tuple[Candidate, ...]:
    """A folder's index.html, else its files; or a page that is a file."""
    page = path / "index.html"
    if not path.is_dir():
        page = path
    elif not page.is_file():
        return tuple(_files(path))
    stream = open_local(page)
    try:
        data = b"".join(stream)
    finally:
        stream.close()
    media = "application/json" if page.suffix == ".json" else _HTML
    return parse_page(data, media, page.as_uri())


def _files(folder: Path) -> Iterator[Candidate]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except PermissionError as error:
        got = error.strerror or "no permission"
        raise AccessDenied(f"folder {folder}", "one that may be read", got) from error
    except OSError as error:
        raise Unreachable(f"folder {folder}", "its entries", error.strerror or "") from error
    for name in names:
        yield Candidate(name, (folder / name).as_uri())
