# SPDX-License-Identifier: Apache-2.0
"""Makes models.lock: asks sources only about what models.toml changed."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor

from modelkeep.fetch.engine import Fetcher
from modelkeep.fetch.plan import Job, Way
from modelkeep.keep.project import Project
from modelkeep.keep.rows import LockReport, compare
from modelkeep.keep.supply import Supply
from modelkeep.resolve import forbidden, merge, resolve, select
from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Emit
from modelkeep.spec.errors import KeepError, NotFound, SourceError, UnknownModel
from modelkeep.spec.events import Warned
from modelkeep.spec.formats import HEAD_BYTES, is_pickle
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.manifest import FileRow
from modelkeep.spec.requirement import Requirement
from modelkeep.spec.wishes import DEFAULT_PROFILE
from modelkeep.store.blobs import has_blob
from modelkeep.store.tree import Tree

ALL = "*"


def write_lock(
    project: Project, tree: Tree, supply: Supply, upgrade: AbstractSet[str], *, emit: Emit
) -> LockReport:
    """Bring models.lock up to date.

    Args:
        upgrade: names to resolve anew; ``*`` means all.

    Raises:
        UnknownModel: a name that models.toml does not have.
        KeepError: the first model that cannot be locked; the old lock stays.
    """
    wanted = project.wishes(DEFAULT_PROFILE)
    known = {name for each in wanted.profiles for name in project.wishes(each).models}
    for name in sorted(upgrade - known - {ALL}):
        expected = f"one of models.toml ({', '.join(sorted(known))})"
        raise UnknownModel(f"model {name}", expected, "no such model")
    old = project.lock()
    anew = known if ALL in upgrade else upgrade
    new = Locker(tree, supply, upgrade=anew, emit=emit).lock(project, old)
    return compare(old, new, written=project.write_lock(new))


class Locker:
    """One run of ``lock``.

    Args:
        upgrade: names to resolve anew though their wish is the same.
    """

    def __init__(
        self, tree: Tree, supply: Supply, *, upgrade: AbstractSet[str], emit: Emit
    ) -> None:
        self._tree = tree
        self._supply = supply
        self._upgrade = upgrade
        self._emit = emit
        self._done: dict[tuple[str, Digest], LockedModel] = {}

    def lock(self, project: Project, old: Lock | None) -> Lock:
        """The lock that models.toml asks for, of all its profiles.

        Raises:
            SourceError, DigestMismatch, ForbiddenFormat, StoreError: the first
                model that cannot be locked.
        """
        wishes = project.wishes(DEFAULT_PROFILE)
        every = [wishes, *(project.wishes(name) for name in wishes.profiles[1:])]
        for row in old.models if old else ():
            if row.name not in self._upgrade:
                self._done[row.name, row.wish] = row
        variables = {name: value for each in every for name, value in each.variables.items()}
        with self._supply.fetcher() as fetcher:
            resolved = {
                each.profile: {
                    name: self._one(model, fetcher)
                    for name, model in each.models.items()
                    if model.enabled and model.has_files
                }
                for each in every
            }
        return merge(resolved, variables)

    def _one(self, requirement: Requirement, fetcher: Fetcher) -> LockedModel:
        key = (requirement.name, requirement.wish)
        if key not in self._done:
            listings = self._list(requirement, fetcher)
            self._done[key] = self._resolve(requirement, listings, fetcher)
        return self._done[key]

    def _list(self, requirement: Requirement, fetcher: Fetcher) -> list[Listing]:
        """What every source says that answers; the others are left out of the lock."""
        listings: list[Listing] = []
        errors: list[KeepError] = []
        for uri in requirement.sources:
            try:
                source = self._supply.source(uri.scheme)
                revision = uri.revision or requirement.revision
                listings.append(source.list(uri, revision, fetcher.archive))
            except SourceError as error:
                errors.append(error)
                if len(requirement.sources) > 1:
                    self._emit(
                        Warned(f"model {requirement.name}", f"{error}; left out of the lock")
                    )
        if not listings:
            raise errors[0]
        return listings

    def _resolve(
        self, requirement: Requirement, listings: Sequence[Listing], fetcher: Fetcher
    ) -> LockedModel:
        first = listings[0]
        kept = select(requirement, first)
        paths = {file.path for file in kept}
        origins = [first.origin]
        for other in listings[1:]:
            lacking = paths - {file.path for file in other.files}
            if lacking:
                message = f"{other.origin.source} lacks {min(lacking)}; left out of the lock"
                self._emit(Warned(f"model {requirement.name}", message))
            else:
                origins.append(other.origin)
        rows = self._rows(requirement, kept, origins, fetcher)
        model = resolve(requirement, origins, rows)
        self._refuse_pickles(model)
        return model

    def _rows(
        self,
        requirement: Requirement,
        kept: Sequence[ListedFile],
        origins: Sequence[Origin],
        fetcher: Fetcher,
    ) -> list[FileRow]:
        """Rows with digests: as listed, or found by fetching what the listing does not tell."""
        ways = {file.path: (Way(origins[0], file.path),) for file in kept}
        jobs = [
            Job(requirement.name, file.path, ways[file.path], file.digest, file.size_bytes)
            for file in kept
            if file.digest is None or file.size_bytes is None
        ]
        found = {job.path: digest for job, digest in fetcher.fetch(jobs).items()}
        rows = []
        for file in kept:
            digest, size = file.digest, file.size_bytes
            if file.path in found:
                digest = found[file.path]
                size = self._tree.blob(digest).stat().st_size
            if digest is None or size is None:
                raise NotFound(f"file {file.path}", "its digest and size", "neither")
            rows.append(FileRow(file.path, size, digest))
        return rows

    def _refuse_pickles(self, model: LockedModel) -> None:
        if model.allow_pickle:
            return
        rows = model.manifest.files
        # Heads that are still at the source cost a request each.
        with ThreadPoolExecutor(self._supply.network.connections, "head") as pool:
            heads = list(pool.map(lambda row: self._head(model, row), rows))
        pickles = [row.path for row, head in zip(rows, heads, strict=True) if is_pickle(head)]
        if pickles:
            raise forbidden(model.name, "pickle", pickles)

    def _head(self, model: LockedModel, row: FileRow) -> bytes:
        if has_blob(self._tree, row.digest, row.size_bytes):
            with self._tree.blob(row.digest).open("rb") as file:
                return file.read(HEAD_BYTES)
        return self._supply.head(model.origins[0], row.path, HEAD_BYTES)
