# SPDX-License-Identifier: Apache-2.0
"""Package indexes: what their pages say, and which archive is chosen. Pure.

Simple repository API (packaging.python.org): PEP 503 HTML, PEP 691 JSON,
PEP 592 yanking. The choice never looks at this machine, so that one lock
serves all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue, NotFound, Unreachable
from modelkeep.spec.uri import redact

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One archive that some index offers.

    Attributes:
        url: absolute, without fragment.
        digest: that the index declares, or None.
        yanked: to be taken only where its version is asked for exactly.
    """

    filename: str
    url: str
    digest: Digest | None = None
    yanked: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine."""
        return urlsplit(self.url).scheme == "file"


def parse_page(data: bytes, content_type: str, url: str) -> tuple[Candidate, ...]:
    """The archives that a page lists, JSON or HTML by its type.

    A page from elsewhere that points at this machine's files is not heeded there.

    Args:
        data: the page.
        content_type: the header's value.
        url: of the page, after redirects.

    Raises:
        Unreachable: not a page of the simple API, or of a version we do not know.
    """
    media = content_type.partition(";")[0].strip().lower()
    try:
        is_json = media.endswith("+json") or media == "application/json"
        found = _parse_json(data, url) if is_json else _parse_html(data, url)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__}: {error}"
        raise Unreachable(redact(url), "a page of the simple API", got) from error
    schemes = ("http", "https", "file") if urlsplit(url).scheme == "file" else ("http", "https")
    return tuple(one for one in found if urlsplit(one.url).scheme in schemes)


def _check_version(text: str) -> None:
    if text.partition(".")[0] != "1":
        raise ValueError(f"API version {text}")


def _parse_json(data: bytes, url: str) -> list[Candidate]:
    page = json.loads(data)
    _check_version(page["meta"]["api-version"])
    found = []
    for row in page["files"]:
        link, _ = urldefrag(urljoin(url, row["url"]))
        digest = _digest(row.get("hashes", {}).get("sha256"))
        yanked = row.get("yanked", False) is not False
        found.append(Candidate(row["filename"], link, digest, yanked))
    return found


class _Links(HTMLParser):
    """Collects anchors, the base and the API version of a page."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.base = url
        self.version = "1.0"
        self.rows: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "base" and given.get("href"):
            self.base = urljoin(self.base, given["href"] or "")
        elif tag == "meta" and given.get("name") == "pypi:repository-version":
            self.version = given.get("content") or ""
        elif tag == "a" and given.get("href"):
            self.rows.append((given["href"] or "", "data-yanked" in given))


def _parse_html(data: bytes, url: str) -> list[Candidate]:
    page = _Links(url)
    page.feed(data.decode("utf-8", errors="replace"))
    page.close()
    _check_version(page.version)
    found = []
    for href, yanked in page.rows:
        link, fragment = urldefrag(urljoin(page.base, href.strip()))
        filename = unquote(urlsplit(link).path.rpartition("/")[2])
        algorithm, _, value = fragment.partition("=")
        digest = _digest(value) if algorithm == "sha256" else None
        found.append(Candidate(filename, link, digest, yanked))
    return found


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest(text.lower()) if text else None
    except InvalidValue:
        return None


def version_of(filename: str, package: str) -> Version | None:
    """The version of an archive of that package, or None for what is no such archive."""
    try:
        if filename.endswith(".whl"):
            name, version = parse_wheel_filename(filename)[:2]
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return version if name == canonicalize_name(package) else None


def choose(
    candidates: Sequence[Candidate], package: str, wish: str | None
) -> tuple[Version, Candidate]:
    """The version that fits a wish, and its one archive.

    Args:
        candidates: of all indexes, those asked first standing first.
        package: its name, in any spelling.
        wish: ``1.0.3`` (exactly that), ``>=1,<2``, or None for the newest final.

    Raises:
        NotFound: nothing fits.
        InvalidValue: the wish is neither version nor specifiers.
    """
    by_version: dict[Version, list[Candidate]] = {}
    for candidate in candidates:
        version = version_of(candidate.filename, package)
        if version is not None:
            by_version.setdefault(version, []).append(candidate)
    version = _choose_version(by_version, package, wish)
    if version is None:
        versions = ", ".join(map(str, sorted(by_version)[-5:])) or "none"
        raise NotFound(f"package {package}", f"a version that fits {wish or 'any'}", versions)
    exact = _exact(wish) is not None
    fitting = [one for one in by_version[version] if exact or not one.yanked]
    return version, choose_archive(fitting)


def _exact(wish: str | None) -> Version | None:
    text = (wish or "").strip().removeprefix("===").removeprefix("==").strip()
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _choose_version(
    by_version: dict[Version, list[Candidate]], package: str, wish: str | None
) -> Version | None:
    exact = _exact(wish)
    if exact is not None:
        return next((version for version in by_version if version == exact), None)
    try:
        specifiers = SpecifierSet(wish or "")
    except InvalidSpecifier as error:
        expected = "a version such as 1.0.3, or specifiers such as >=1,<2"
        raise InvalidValue(f"package {package}", expected, repr(wish)) from error
    usable = [key for key, found in by_version.items() if not all(one.yanked for one in found)]
    return max(specifiers.filter(usable), default=None)


def choose_archive(candidates: Iterable[Candidate]) -> Candidate:
    """One of a version's archives: a pure wheel, else the first wheel by name, else the sdist.

    Of one name offered twice, the first that is local or has a digest is taken.
    Among pure wheels one for Python 3 goes first, then the newest build.
    """
    by_name: dict[str, Candidate] = {}
    for one in candidates:
        had = by_name.get(one.filename)
        if had is None or (had.digest is None and not had.is_local):
            by_name[one.filename] = one
    return by_name[min(by_name, key=_rank)]


def _rank(filename: str) -> tuple[int, bool, int, str]:
    if not filename.endswith(".whl"):
        return (2, False, 0, filename)
    _, _, build, tags = parse_wheel_filename(filename)
    pure = all(tag.abi == "none" and tag.platform == "any" for tag in tags)
    if not pure:
        return (1, False, 0, filename)
    modern = any(tag.interpreter.startswith("py3") for tag in tags)
    return (0, not modern, -(build[0] if build else 0), filename)
