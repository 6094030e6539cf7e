# SPDX-License-Identifier: Apache-2.0
"""What has to be fetched, and whether there is room for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import NoRoom
from modelkeep.spec.listing import Origin
from modelkeep.spec.lock import LockedModel


@dataclass(frozen=True, slots=True)
class Way:
    """One place where the bytes can be had."""

    origin: Origin
    path: str


@dataclass(frozen=True, slots=True)
class Job:
    """One blob to bring.

    Attributes:
        subject: the model it is for; the first one, where several need it.
        digest: what must come; None while a lock is being made and only the
            bytes themselves can tell.
        ways: in the order in which they are tried.
    """

    subject: str
    path: str
    ways: tuple[Way, ...]
    digest: Digest | None = None
    size_bytes: int | None = None


def missing_jobs(
    models: Iterable[LockedModel], has: Callable[[Digest, int], bool]
) -> tuple[Job, ...]:
    """A job for each blob that the store lacks, once, the largest first."""
    jobs: dict[Digest, Job] = {}
    for model in models:
        for row in model.manifest.files:
            if row.digest in jobs or has(row.digest, row.size_bytes):
                continue
            ways = tuple(Way(origin, row.path) for origin in model.origins)
            jobs[row.digest] = Job(model.name, row.path, ways, row.digest, row.size_bytes)
    return tuple(sorted(jobs.values(), key=lambda job: -(job.size_bytes or 0)))


def total_bytes(jobs: Iterable[Job]) -> int:
    """The sum of the sizes that are known."""
    return sum(job.size_bytes or 0 for job in jobs)


def check_room(
    coming_bytes: int, *, store: str, free_bytes: int, held_bytes: int, limit_bytes: int
) -> None:
    """Refuse before the first byte what cannot fit.

    Raises:
        NoRoom: the disk, or ``store.max_size``, is too small.
    """
    if coming_bytes > free_bytes:
        expected = f"{coming_bytes:,} bytes free for what is to come"
        raise NoRoom(f"store {store}", expected, f"{free_bytes:,} bytes free on its disk")
    if coming_bytes and held_bytes + coming_bytes > limit_bytes:
        raise NoRoom(
            f"store {store}",
            f"at most {limit_bytes:,} bytes in it (store.max_size)",
            f"{held_bytes:,} bytes there and {coming_bytes:,} to come",
        )
