# SPDX-License-Identifier: Apache-2.0
"""What happened, one frozen record for each kind."""

from __future__ import annotations

from dataclasses import dataclass

from modelkeep.spec.emit import Event


@dataclass(frozen=True)
class Warned(Event):
    """Something the operator should know, though the work goes on."""

    subject: str
    message: str


@dataclass(frozen=True)
class FetchPlanned(Event):
    """A fetch begins: so many files and bytes are missing. Sizes not known count 0.

    ``what`` names the one file that is fetched, where it is no model's own (an archive).
    """

    files: int
    size_bytes: int
    what: str = ""


@dataclass(frozen=True)
class BytesArrived(Event):
    """At most ten a second per file. ``done_bytes`` counts what an earlier run left."""

    subject: str
    path: str
    done_bytes: int
    size_bytes: int | None


@dataclass(frozen=True)
class BlobStored(Event):
    """One file is whole, verified and published."""

    subject: str
    path: str
    digest: str
    size_bytes: int


@dataclass(frozen=True)
class Retrying(Event):
    """A try failed and another follows after ``wait_s``."""

    subject: str
    reason: str
    attempt: int
    wait_s: float


@dataclass(frozen=True)
class FetchDone(Event):
    """The fetch is over: so many files and bytes came, in so long."""

    files: int
    size_bytes: int
    wall_s: float


@dataclass(frozen=True)
class ViewPresented(Event):
    """A set's view was built or mended."""

    folder: str
    files: int


@dataclass(frozen=True)
class FileVerified(Event):
    """One blob was read again; ``ok`` tells whether it still is what its name says."""

    digest: str
    size_bytes: int
    ok: bool


@dataclass(frozen=True)
class PhaseChanged(Event):
    """The service as a whole moved: see runtime/phases.py."""

    phase: str
    reason: str


@dataclass(frozen=True)
class ModelLoading(Event):
    """A slot began to load."""

    model: str
    path: str
    size_bytes: int


@dataclass(frozen=True)
class ModelLoaded(Event):
    """A model answers. ``memory_bytes`` is the worker's growth (PSS; RSS where there is none)."""

    model: str
    path: str
    size_bytes: int
    wall_s: float
    memory_bytes: int


@dataclass(frozen=True)
class ModelFailed(Event):
    """A model did not load, or its process ended; ``reason`` is for people."""

    model: str
    reason: str


@dataclass(frozen=True)
class ModelUnloaded(Event):
    """A model's process has ended as it should."""

    model: str


@dataclass(frozen=True)
class ServiceSummary(Event):
    """The last line after start-up: what is loaded, what is not."""

    loaded: tuple[str, ...]
    waiting: tuple[str, ...]
    failed: tuple[str, ...]
