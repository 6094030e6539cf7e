# SPDX-License-Identifier: Apache-2.0
"""Everything that modelkeep says went wrong, as values.

Each error carries its subject, what was expected and what was got; hints
("try: …") are the command line's, status codes the server's.
"""

from __future__ import annotations


class KeepError(Exception):
    """The root of every error that modelkeep raises on purpose.

    Args:
        subject: what the sentence is about: a model, a file, a URL, a setting.
        expected: what should have been there.
        got: what was there instead.
    """

    def __init__(self, subject: str, expected: str, got: str) -> None:
        self.subject = subject
        self.expected = expected
        self.got = got
        super().__init__(subject, expected, got)

    def __str__(self) -> str:
        return f"{self.subject}: expected {self.expected}, got {self.got}"


# -- what people write ---------------------------------------------------------


class InvalidValue(KeepError):
    """A text or value that does not parse: a digest, a URI, a size, a name."""


class InvalidDocument(KeepError):
    """A file that people or programs wrote does not say what it must.

    Args:
        path: the file, as the person named it.
        line: 1-based line of the key, or None where it cannot be told.
        key: dotted key, such as ``models.pat.priority``.
    """

    def __init__(self, path: str, line: int | None, key: str, expected: str, got: str) -> None:
        self.path = path
        self.line = line
        self.key = key
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {key}" if key else place, expected, got)


class UnknownModel(KeepError):
    """A name that the project does not have."""


class StaleLock(KeepError):
    """models.lock no longer says what models.toml asks for, or is not there."""


# -- bytes ---------------------------------------------------------------------


class DigestMismatch(KeepError):
    """The bytes that came are not the bytes that were promised."""


class UnsafePath(KeepError):
    """A relative path that is absolute, climbs out, or cannot be kept on every system."""


class UnsafeArchive(KeepError):
    """An archive that is damaged, or whose size, count or ratio passes the caps."""


class ForbiddenFormat(KeepError):
    """A file that runs code when loaded (pickle, Python) without permission for it."""


# -- sources -------------------------------------------------------------------


class SourceError(KeepError):
    """A source could not give what was asked."""


class NotFound(SourceError):
    """The source answered, and does not have it."""


class AccessDenied(SourceError):
    """The source wants other or better credentials, or an accepted licence."""


class Unreachable(SourceError):
    """No usable answer, after every retry."""


class Offline(SourceError):
    """The network is needed, and the settings forbid it."""


class ForbiddenAddress(SourceError):
    """A redirect or a supplied URL leads to a private address that nobody named."""


# -- the store -----------------------------------------------------------------


class StoreError(KeepError):
    """The store cannot do what was asked of it."""


class MissingFile(StoreError):
    """A file that a model needs is not in the store or its view.

    Args:
        model: the model's name.
        path: the file's path inside the model; empty when the whole is missing.
        store: the store's folder.
    """

    def __init__(self, model: str, path: str, store: str) -> None:
        self.model = model
        self.path = path
        self.store = store
        what = f"model {model}: file {path}" if path else f"model {model}"
        super().__init__(what, f"it in the store {store}", "nothing there")


class DamagedStore(StoreError):
    """Bytes in the store are not what their name says."""


class NoRoom(StoreError):
    """The disk, or the store's size limit, has too little room for what is to come."""


class ReadOnlyStore(StoreError):
    """Something would have to be written, and the store cannot be written to."""


# -- running -------------------------------------------------------------------


class MissingExtra(KeepError):
    """A loader, source or server needs a package that is not installed.

    Args:
        subject: who needs it.
        package: the import that failed.
        extra: the extra of modelkeep that installs it.
    """

    def __init__(self, subject: str, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(subject, f"the Python package {package}", "it is not installed")


class LoadFailed(KeepError):
    """A model's loader raised, ran out of time, or its process ended."""


class BadInput(KeepError):
    """A request's inputs are not what the model takes."""


class PredictFailed(KeepError):
    """The model raised while answering."""


class NotReady(KeepError):
    """The model is known and cannot answer now."""
