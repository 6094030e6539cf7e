# SPDX-License-Identifier: Apache-2.0
"""Makes the store hold, and the view show, what the lock says."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelkeep.preflight import absent_digests
from modelkeep.present import View, present
from modelkeep.spec.emit import Emit
from modelkeep.spec.lock import LockedModel
from modelkeep.store.blobs import has_blob
from modelkeep.store.manifests import note_origin, put_manifest
from modelkeep.store.tree import Tree, refusal

if TYPE_CHECKING:
    from modelkeep.keep.supply import Supply


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one sync did.

    Attributes:
        fetched: blobs that came; ``fetched_bytes`` their sizes.
        files: of all chosen models.
        presented: whether the view had to be built or mended.
    """

    models: tuple[str, ...]
    files: int
    size_bytes: int
    fetched: int
    fetched_bytes: int
    presented: bool
    wall_s: float


def sync(
    tree: Tree,
    view: View,
    chosen: Sequence[LockedModel],
    *,
    supply: Callable[[], Supply],
    emit: Emit,
) -> SyncReport:
    """Fetch what is missing of the chosen models and build the view.

    Args:
        view: of the whole profile; files of models that are not chosen are
            shown as far as they are there.
        supply: called only where something is missing.

    Raises:
        SourceError, DigestMismatch, StoreError: nothing half-made is left; what
            came stays for the next time.
    """
    begun = time.monotonic()
    absent = absent_digests(tree, view.models)
    wanted = {row.digest: row.size_bytes for model in chosen for row in model.manifest.files}
    missing = absent & wanted.keys()
    if missing:
        _fetch(tree, chosen, supply())
    _commit(tree, chosen)
    presented = present(tree, view, absent - missing, emit=emit)
    return SyncReport(
        models=tuple(model.name for model in chosen),
        files=sum(len(model.manifest.files) for model in chosen),
        size_bytes=sum(wanted.values()),
        fetched=len(missing),
        fetched_bytes=sum(wanted[digest] for digest in missing),
        presented=presented,
        wall_s=time.monotonic() - begun,
    )


def _fetch(tree: Tree, chosen: Sequence[LockedModel], supply: Supply) -> None:
    # Imported here: a sync with nothing to do needs no HTTP.
    from modelkeep.fetch.plan import missing_jobs

    jobs = missing_jobs(chosen, lambda digest, size: has_blob(tree, digest, size))
    with supply.fetcher() as fetcher:
        fetcher.fetch(jobs)


def _commit(tree: Tree, chosen: Sequence[LockedModel]) -> None:
    """Manifests last: they say that all of their blobs are here."""
    try:
        for model in chosen:
            if put_manifest(tree, model.manifest):
                note_origin(tree, model.identity, model.name, model.origins[0])
    except OSError as error:
        raise refusal(error, tree.home) from error
