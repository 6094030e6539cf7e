# SPDX-License-Identifier: Apache-2.0
"""Where a model comes from, as people write it: ``hf:org/name``, ``pypi:name==1.0``, ….

Only the text is judged here; what it leads to is a source's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Self

from modelkeep.spec.errors import InvalidValue, UnsafePath
from modelkeep.spec.path import check_path

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.+)", re.DOTALL)
_HF = re.compile(r"((?:datasets/|spaces/)?(?:[\w.-]+/)?[\w.-]+)(?:@([^@\s]+))?", re.ASCII)
_PYPI = re.compile(r"([a-z0-9](?:[\w.-]*[a-z0-9])?)(?:==([^/\s]+))?(/[^\s/].*)?", re.A | re.I)

FORMS = {
    "hf": "hf:[datasets/|spaces/]org/name[@revision]",
    "pypi": "pypi:package[==version][/folder in the package]",
    "https": "https://host/path/to/file",
    "http": "http://host/path/to/file",
    "file": "file:path/to/folder or file:/absolute/path",
}


@dataclass(frozen=True, slots=True)
class SourceUri:
    """A source in parts.

    Attributes:
        scheme: ``hf``, ``pypi``, ``https``, ``http``, ``file``, or a plugin's.
        body: repository, package, whole URL after the colon, or path.
        revision: what ``@revision`` or ``==version`` said, else None.
        folder: the folder inside the package that paths are relative to; else "".
    """

    scheme: str
    body: str
    revision: str | None = None
    folder: str = ""

    def __str__(self) -> str:
        if self.scheme == "pypi":
            version = f"=={self.revision}" if self.revision else ""
            folder = f"/{self.folder}" if self.folder else ""
            return f"pypi:{self.body}{version}{folder}"
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.scheme}:{self.body}{revision}"

    def unpinned(self) -> Self:
        """The same place with no revision of its own."""
        return replace(self, revision=None)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URI.

        Raises:
            InvalidValue: no scheme, a form that the scheme does not have, user
                information in a URL (it would end up in files that are shared).
        """
        match = _SCHEME.fullmatch(text)
        if not match:
            raise InvalidValue("source", "one of " + ", ".join(FORMS.values()), repr(text))
        scheme, body = match[1], match[2]
        if scheme in ("http", "https"):
            return cls(scheme, _check_url(scheme, body))
        if scheme == "hf":
            return cls(scheme, *_fields(_HF, scheme, body))
        if scheme == "pypi":
            package, version, folder = _fields(_PYPI, scheme, body)
            return cls(scheme, package, version, _inside(folder))
        _refuse_user(f"{scheme}:{body}")
        return cls(scheme, body)


def _fields(form: re.Pattern[str], scheme: str, body: str) -> tuple[str, ...]:
    match = form.fullmatch(body)
    if not match or {".", ".."} & set(body.split("/")):
        raise InvalidValue("source", FORMS[scheme], repr(f"{scheme}:{body}"))
    return match.groups()


def _inside(folder: str | None) -> str:
    if not folder:
        return ""
    try:
        return check_path(folder.strip("/"))
    except UnsafePath as error:
        raise InvalidValue("source", FORMS["pypi"], f"{error.got} in {folder!r}") from error


def _check_url(scheme: str, body: str) -> str:
    from urllib.parse import urlsplit  # here, since most projects name no plain URL

    shown = repr(redact(f"{scheme}:{body}"))
    _refuse_user(f"{scheme}:{body}")
    try:
        parts = urlsplit(f"{scheme}:{body}")
        named = parts.hostname
        parts.port  # noqa: B018  (urlsplit checks the port only when it is read)
    except ValueError as error:
        raise InvalidValue("source", FORMS[scheme], f"{shown} ({error})") from error
    if not body.startswith("//") or not named or re.search(r"\s", body):
        raise InvalidValue("source", FORMS[scheme], shown)
    return body


def _refuse_user(url: str) -> None:
    # Found by eye and not by urlsplit, whose errors repeat what they stumble over.
    if _USER.match(url.partition(":")[2]):
        got = f"some in {redact(url)!r}"
        raise InvalidValue("source", "a URL with no user information", got)


# The second form is a password with a bare slash in it: after the colon comes no port.
_USER = re.compile(r"//(?:[^/?#]*@|[^/?#@:\[]*:(?!\d*(?:[/?#]|$))[^@]*@)")
_SECRET = re.compile(
    r"(?i)([?&](?:[\w-]*(?:token|signature|credential|password|secret|key)|sig)=)[^&\s#]*"
)


def redact(url: str) -> str:
    """The URL without user information and without the values of secret-like parameters."""
    return _SECRET.sub(r"\1***", _USER.sub("//***@", url))
