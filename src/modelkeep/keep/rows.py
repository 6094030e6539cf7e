# SPDX-License-Identifier: Apache-2.0
"""A project told as rows: what a lock changed, how each model stands. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from modelkeep.present import View
from modelkeep.spec.digest import Digest
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.requirement import Requirement


@dataclass(frozen=True, slots=True)
class LockReport:
    """What ``lock`` changed: names of models added, changed and removed."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    models: int
    files: int
    size_bytes: int
    written: bool


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model of the project, as ``list`` shows it.

    Attributes:
        state: ``present``, ``incomplete``, ``stale`` (not locked as asked for),
            ``disabled``, or ``no files`` (a mock).
        path: the folder in the view, "" where it is not present.
    """

    name: str
    state: str
    source: str
    revision: str
    identity: str
    layout: str
    loader: str
    priority: str
    files: int
    size_bytes: int
    path: str
    allow_pickle: bool
    allow_code: bool


def row_of(
    wish: Requirement,
    model: LockedModel | None,
    absent: AbstractSet[Digest],
    view: View | None,
) -> ModelRow:
    """One model's row.

    Args:
        model: what the lock says of it, if anything.
        absent: digests that the store lacks.
        view: None while the lock is stale.
    """
    state = _state(wish, model, absent)
    shown = view is not None and model is not None and state == "present"
    origin = model.origins[0] if model else None
    return ModelRow(
        name=wish.name,
        state=state,
        source=str(wish.sources[0]) if wish.sources else "",
        revision=origin.revision if origin else "",
        identity=str(model.identity) if model else "",
        layout=str(wish.layout),
        loader=wish.loader or "",
        priority=wish.priority,
        files=len(model.manifest.files) if model else 0,
        size_bytes=model.manifest.size_bytes if model else 0,
        path=str(view.path_of(model)) if shown and view and model else "",
        allow_pickle=wish.allow_pickle,
        allow_code=wish.allow_code,
    )


def _state(wish: Requirement, model: LockedModel | None, absent: AbstractSet[Digest]) -> str:
    if not wish.enabled:
        return "disabled"
    if not wish.has_files:
        return "no files"
    if model is None or model.wish != wish.wish:
        return "stale"
    lacking = any(row.digest in absent for row in model.manifest.files)
    return "incomplete" if lacking else "present"


def compare(old: Lock | None, new: Lock, *, written: bool) -> LockReport:
    """What a new lock changed."""

    def identities(lock: Lock | None) -> dict[str, set[tuple[Digest, Digest]]]:
        found: dict[str, set[tuple[Digest, Digest]]] = {}
        for model in lock.models if lock else ():
            found.setdefault(model.name, set()).add((model.identity, model.wish))
        return found

    before, after = identities(old), identities(new)
    return LockReport(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(n for n in sorted(after.keys() & before.keys()) if after[n] != before[n]),
        removed=tuple(sorted(before.keys() - after.keys())),
        models=len(after),
        files=sum(len(model.manifest.files) for model in new.models),
        size_bytes=sum(model.manifest.size_bytes for model in new.models),
        written=written,
    )
