# SPDX-License-Identifier: Apache-2.0
"""Brings blobs into the store: many at once, each by the first way that gives the right bytes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

from modelkeep.fetch.plan import Job, Way, check_room, total_bytes
from modelkeep.fetch.pour import OpenAt, Pourer, Stopped
from modelkeep.sources import archive as archives
from modelkeep.sources.base import Source
from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Emit
from modelkeep.spec.errors import DigestMismatch, KeepError, SourceError, UnsafeArchive
from modelkeep.spec.events import BlobStored, FetchDone, FetchPlanned, Warned
from modelkeep.spec.listing import Archive, Origin
from modelkeep.spec.settings import Network
from modelkeep.store.blobs import all_blobs, has_blob
from modelkeep.store.flight import flight
from modelkeep.store.partials import Partial
from modelkeep.store.probe import free_bytes
from modelkeep.store.tree import Tree, refusal


class Fetcher:
    """One fetch, of any number of jobs. Use as a context: archives go away with it.

    Args:
        find: gives the source of a scheme.
        network: connections at once and the retry policy.
        limit_bytes: what the store may hold.
    """

    def __init__(
        self,
        tree: Tree,
        find: Callable[[str], Source],
        *,
        network: Network,
        limit_bytes: int,
        emit: Emit,
    ) -> None:
        self.tree = tree
        self._find = find
        self._network = network
        self._limit_bytes = limit_bytes
        self._emit = emit
        self._pourer = Pourer(network, emit)
        self._archives: dict[Digest, Path] = {}
        self._archives_lock = threading.Lock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self.tree.prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self._pourer.stop.set()
        self._open.close()

    # -- many

    def fetch(self, jobs: Sequence[Job]) -> dict[Job, Digest]:
        """Bring all of them.

        Returns:
            Each job's digest, found or confirmed.

        Raises:
            NoRoom: before the first byte.
            KeepError: the first that failed; the others stop, and what they
                have stays for the next time.
        """
        if not jobs:
            return {}
        self._check_room(total_bytes(jobs))
        self._emit(FetchPlanned(len(jobs), total_bytes(jobs)))
        begun = time.monotonic()
        found: dict[Job, Digest] = {}
        with ThreadPoolExecutor(self._network.connections, "fetch") as pool:
            futures = {pool.submit(self.fetch_one, job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    found[futures[future]] = future.result()
            except BaseException as error:
                self._pourer.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                if not isinstance(error, KeepError):
                    raise
                others = [f.exception() for f in futures if not f.cancelled()]
                raise _first_cause([error, *others]) from None
        wall_s = time.monotonic() - begun
        self._emit(FetchDone(len(jobs), total_bytes(jobs), wall_s))
        return found

    def _check_room(self, coming_bytes: int) -> None:
        check_room(
            coming_bytes,
            store=str(self.tree.home),
            free_bytes=free_bytes(self.tree.home),
            held_bytes=sum(size for _, size in all_blobs(self.tree)),
            limit_bytes=self._limit_bytes,
        )

    # -- one

    def fetch_one(self, job: Job) -> Digest:
        """Bring one blob, alone among all processes that want it."""
        try:
            if job.digest is None:
                return self._by_any_way(job)
            with flight(self.tree, job.digest, landed=lambda: self._has(job)) as ours:
                return self._by_any_way(job) if ours else job.digest
        except OSError as error:
            raise refusal(error, self.tree.home) from error

    def _by_any_way(self, job: Job) -> Digest:
        """The first way that gives the right bytes; a source that fails or lies is left."""
        errors: list[KeepError] = []
        for way in job.ways:
            try:
                return self._by_way(job, way)
            except Stopped:
                raise
            except (SourceError, DigestMismatch, UnsafeArchive) as error:
                errors.append(error)
                if way is not job.ways[-1]:
                    message = f"{error}; trying the next source"
                    self._emit(Warned(f"{job.subject}: {job.path}", message))
        raise _first_cause(errors)

    def _by_way(self, job: Job, way: Way) -> Digest:
        origin = way.origin
        if not origin.archive:
            source = self._source(origin)
            return self._receive(job, way, lambda start: source.open(origin, way.path, start))
        path = self._archive(origin, lambda: self._has(job))
        if path is None:
            assert job.digest is not None
            return job.digest
        member = origin.archive.member(way.path)
        return self._receive(job, way, lambda start: archives.open_member(path, member))

    def _receive(self, job: Job, way: Way, open_at: OpenAt) -> Digest:
        def pour() -> None:
            self._pourer.pour(
                partial, open_at, subject=job.subject, path=job.path, size=job.size_bytes
            )

        with Partial.begin(self.tree, job.digest) as partial:
            try:
                digest = _settle(partial, pour, partial.commit)
            except DigestMismatch as error:
                partial.discard()
                subject = f"{job.subject}: file {job.path} from {way.origin.source}"
                raise DigestMismatch(subject, error.expected, error.got) from error
            except BaseException:
                if job.digest is None:
                    partial.discard()
                raise
            self._emit(BlobStored(job.subject, job.path, str(digest), partial.done_bytes))
            return digest

    def _source(self, origin: Origin) -> Source:
        return self._find(origin.source.partition(":")[0])

    def _has(self, job: Job) -> bool:
        return job.digest is not None and has_blob(self.tree, job.digest, job.size_bytes)

    # -- archives

    def archive(self, origin: Origin) -> Path:
        """A verified archive on local disk, fetched once, kept until this fetch ends.

        Raises:
            SourceError, DigestMismatch, StoreError: as for any file.
        """
        assert origin.archive is not None
        self._emit(FetchPlanned(1, 0, origin.archive.filename))
        begun = time.monotonic()
        try:
            path = self._archive(origin, lambda: False)
            assert path is not None
            self._emit(FetchDone(1, path.stat().st_size, time.monotonic() - begun))
            return path
        except OSError as error:
            raise refusal(error, self.tree.home) from error

    def _archive(self, origin: Origin, landed: Callable[[], bool]) -> Path | None:
        """None where another process had it first and what we want came of it."""
        assert origin.archive is not None
        wanted = origin.archive.digest
        with self._archives_lock:
            if wanted not in self._archives:
                with ExitStack() as turn:
                    if not turn.enter_context(flight(self.tree, wanted, landed=landed)):
                        return None
                    self._archives[wanted] = self._bring(origin, origin.archive, turn)
                    self._open.push(turn.pop_all())
            return self._archives[wanted]

    def _bring(self, origin: Origin, archive: Archive, turn: ExitStack) -> Path:
        def pour() -> None:
            self._pourer.pour(
                partial,
                lambda start: source.open_archive(origin, start),
                subject=origin.source,
                path=archive.filename,
                size=None,
            )

        source = self._source(origin)
        partial = turn.enter_context(Partial.begin(self.tree, archive.digest))
        try:
            path = _settle(partial, pour, partial.finish)
        except DigestMismatch as error:
            partial.discard()
            subject = f"{origin.source}: {archive.filename}"
            raise DigestMismatch(subject, error.expected, error.got) from error
        turn.callback(partial.discard)
        return path


T = TypeVar("T")


def _settle(partial: Partial, pour: Callable[[], None], end: Callable[[], T]) -> T:
    """Fill and finish; a wrong whole that an earlier process began gets one clean try."""
    resumed = partial.resumed
    try:
        pour()
        return end()
    except DigestMismatch:
        if not resumed:
            raise
        partial.restart()
        pour()
        return end()


def _first_cause(errors: Sequence[BaseException | None]) -> BaseException:
    """What really went wrong: a wrong digest before the rest, a stop only if nothing else."""
    there = [error for error in errors if error]
    return min(there, key=lambda e: (isinstance(e, Stopped), not isinstance(e, DigestMismatch)))
