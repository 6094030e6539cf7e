# SPDX-License-Identifier: Apache-2.0
"""Looks after the store: reads every byte again, tells what it holds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Emit
from modelkeep.spec.errors import DamagedStore
from modelkeep.spec.events import FileVerified
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.manifest import Manifest
from modelkeep.store.blobs import all_blobs, check_blob
from modelkeep.store.manifests import Came, all_manifests, get_manifest, origins_of
from modelkeep.store.publish import fresh_name
from modelkeep.store.tree import Tree, refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """One blob that is not what it should be; ``state`` is ``missing`` or ``damaged``."""

    digest: Digest
    state: str
    models: tuple[str, ...]
    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What reading everything again found; ``damaged_manifests`` by identity."""

    files: int
    size_bytes: int
    faults: tuple[Fault, ...]
    damaged_manifests: tuple[str, ...]
    wall_s: float

    @property
    def all_well(self) -> bool:
        """Whether every byte is as it should be."""
        return not self.faults and not self.damaged_manifests


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model version in the store.

    Attributes:
        came: names, sources and revisions under which it came.
        shared_bytes: of blobs that other versions have too.
    """

    identity: Digest
    came: tuple[Came, ...]
    files: int
    size_bytes: int
    shared_bytes: int
    complete: bool


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What a store holds.

    Attributes:
        saved_bytes: what copies would take beyond what is there.
        loose_bytes: of blobs that no manifest names.
    """

    path: str
    exists: bool
    blobs: int
    size_bytes: int
    saved_bytes: int
    loose_bytes: int
    models: tuple[StoredModel, ...]
    damaged_manifests: tuple[str, ...]


def verify(tree: Tree, models: Sequence[LockedModel] | None, emit: Emit) -> VerifyReport:
    """Read every blob of these models again, with as many threads as there are cores.

    Args:
        models: None for all that the store's own manifests name.
    """
    begun = time.monotonic()
    if models is None:
        manifests, damaged = stored_manifests(tree)
    else:
        manifests = {model.name: model.manifest for model in models}
        damaged = [str(m.identity) for m in models if _is_damaged(tree, m.identity)]
    named: dict[Digest, tuple[list[str], str, int]] = {}
    for name, manifest in manifests.items():
        for row in manifest.files:
            users = named.setdefault(row.digest, ([], row.path, row.size_bytes))[0]
            if name not in users:
                users.append(name)

    def look(digest: Digest) -> str:
        if not tree.blob(digest).is_file():
            return "missing"
        ok = check_blob(tree, digest)
        emit(FileVerified(str(digest), named[digest][2], ok))
        return "" if ok else "damaged"

    digests = sorted(named, key=lambda digest: -named[digest][2])
    with ThreadPoolExecutor(os.cpu_count() or 1, "verify") as pool:
        states = dict(zip(digests, pool.map(look, digests), strict=True))
    faults = tuple(
        Fault(digest, state, tuple(named[digest][0]), named[digest][1], named[digest][2])
        for digest, state in states.items()
        if state
    )
    size = sum(row[2] for row in named.values())
    return VerifyReport(len(named), size, faults, tuple(damaged), time.monotonic() - begun)


def put_aside(tree: Tree, digests: Iterable[Digest]) -> None:
    """Take damaged blobs out of the store, so that they are fetched again.

    Raises:
        ReadOnlyStore, StoreError: the store cannot be written.
    """
    try:
        tree.prepare()
        for digest in digests:
            aside = tree.tmp / f"damaged-{fresh_name()}"
            with suppress(FileNotFoundError):
                tree.blob(digest).rename(aside)
                aside.unlink()
    except OSError as error:
        raise refusal(error, tree.home) from error


def _is_damaged(tree: Tree, identity: Digest) -> bool:
    try:
        get_manifest(tree, identity)
    except DamagedStore:
        return True
    return False


def stored_manifests(tree: Tree) -> tuple[dict[str, Manifest], list[str]]:
    """Every manifest of the store by a name for people, and the damaged ones' identities."""
    found: dict[str, Manifest] = {}
    damaged: list[str] = []
    for identity in all_manifests(tree):
        try:
            manifest = get_manifest(tree, identity)
        except DamagedStore:
            damaged.append(str(identity))
            continue
        if manifest:
            names = sorted({came.name for came in origins_of(tree, identity)})
            found[f"{'/'.join(names) or 'unnamed'}@{identity.hex[:12]}"] = manifest
    return found, damaged


def info(tree: Tree) -> StoreReport:
    """Count what the store holds. Sizes come from names and stat; no blob is read."""
    blobs = dict(all_blobs(tree))
    manifests, damaged = stored_manifests(tree)
    users = Counter(
        digest for manifest in manifests.values() for digest in {r.digest for r in manifest.files}
    )
    models = tuple(_stored(tree, manifest, blobs, users) for manifest in manifests.values())
    size = sum(blobs.values())
    named = sum(size for digest, size in blobs.items() if digest in users)
    return StoreReport(
        path=str(tree.home),
        exists=tree.exists(),
        blobs=len(blobs),
        size_bytes=size,
        saved_bytes=max(sum(m.size_bytes for m in models if m.complete) - named, 0),
        loose_bytes=size - named,
        models=models,
        damaged_manifests=tuple(damaged),
    )


def _stored(
    tree: Tree, manifest: Manifest, blobs: Mapping[Digest, int], users: Mapping[Digest, int]
) -> StoredModel:
    rows: Sequence[tuple[Digest, int]] = [(row.digest, row.size_bytes) for row in manifest.files]
    return StoredModel(
        identity=manifest.identity,
        came=origins_of(tree, manifest.identity),
        files=len(rows),
        size_bytes=manifest.size_bytes,
        shared_bytes=sum(size for digest, size in set(rows) if users[digest] > 1),
        complete=all(blobs.get(digest) == size for digest, size in rows),
    )
