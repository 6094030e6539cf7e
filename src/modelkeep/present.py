# SPDX-License-Identifier: Apache-2.0
"""From the store to a view: folders that frameworks read, made of links to blobs.

A set's folder is immutable: built aside and renamed, so that two projects, or
two versions of one, never see each other's half-made view.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelkeep import layouts
from modelkeep.layouts.base import Link, Placement
from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Emit, ignore
from modelkeep.spec.errors import UnsafePath
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.path import check_closed, check_path
from modelkeep.store.publish import fresh_name
from modelkeep.store.tree import Tree, refusal

# Part of every set's name: a new way of building views must not find old ones.
_FORM = "views of form 1"


@dataclass(frozen=True)
class View:
    """What one set looks like on disk, before anything is touched.

    Attributes:
        folder: ``views/<set>``.
        placements: by path below ``folder``.
    """

    folder: Path
    models: tuple[LockedModel, ...]
    placements: dict[str, Placement]

    def path_of(self, model: LockedModel) -> Path:
        """Where a model's own files stand."""
        return self.folder / model.layout.name / layouts.find(model.layout.name).folder(model)

    def variables(self) -> dict[str, str]:
        """The environment that makes every framework of this set read it."""
        found: dict[str, str] = {}
        for name in sorted({model.layout.name for model in self.models}):
            found |= layouts.find(name).variables(self.folder / name)
        return found


def plan_view(tree: Tree, models: Iterable[LockedModel]) -> View:
    """Say what the view of these models is. Pure but for naming folders.

    Raises:
        InvalidValue: a layout that is not there or does not fit.
        UnsafePath: a placement that would leave its folder, or two on one path.
    """
    rows = tuple(sorted(models, key=lambda model: model.name))
    key = json.dumps([_FORM, *([m.name, str(m.identity), _shown(m)] for m in rows)])
    folder = tree.views / hashlib.sha256(key.encode()).hexdigest()
    placements: dict[str, Placement] = {}
    for name in sorted({model.layout.name for model in rows}):
        members = [model for model in rows if model.layout.name == name]
        for placement in layouts.find(name).place(members):
            path = check_path(f"{name}/{placement.path}")
            if placements.setdefault(path, placement) != placement:
                raise UnsafePath(f"path {path!r} of the view", "one content", "two")
    check_closed(list(placements))
    return View(folder, rows, placements)


def _shown(model: LockedModel) -> list[str]:
    origin = model.origins[0]
    return [str(model.layout), origin.source, origin.revision, origin.ref]


def view_faults(tree: Tree, view: View, absent: AbstractSet[Digest] = frozenset()) -> list[str]:
    """Paths of the view that are missing or lead elsewhere. Reads links, not bytes.

    Args:
        absent: blobs that the store does not have, whose files cannot be shown.
    """
    folder = str(view.folder)
    return [
        path
        for path, placement in view.placements.items()
        if placement.content not in absent
        and not _stands(tree, f"{folder}/{path}", placement, _to_blob(path, placement))
    ]


def _to_blob(path: str, placement: Placement) -> str:
    """What a symlink at that path of a view says: relative, so that a store can be moved."""
    if isinstance(placement.content, bytes):
        return ""
    hexdigits = placement.content.hex
    return "../" * (path.count("/") + 2) + f"blobs/{hexdigits[:2]}/{hexdigits}"


def _stands(tree: Tree, path: str, placement: Placement, target: str) -> bool:
    content = placement.content
    try:
        if isinstance(content, bytes):
            return Path(path).read_bytes() == content
        if placement.link is Link.SYMLINK:
            with suppress(OSError):
                return os.readlink(path) == target
        # A hard link or a copy has its blob's size and time; one that was made of
        # a blob since repaired has another time.
        shown, there = os.stat(path, follow_symlinks=False), os.stat(tree.blob_name(content))
        same_time = shown.st_mtime_ns == there.st_mtime_ns
        return stat.S_ISREG(shown.st_mode) and same_time and shown.st_size == there.st_size
    except OSError:
        return False


def present(
    tree: Tree, view: View, absent: AbstractSet[Digest] = frozenset(), *, emit: Emit = ignore
) -> bool:
    """Build the view, or add to it what is not right; readers never see less than before.

    Returns:
        Whether anything had to be done.

    Raises:
        ReadOnlyStore, StoreError: the store cannot be written.
    """
    faults = view_faults(tree, view, absent)
    if not faults and view.folder.is_dir():
        return False
    try:
        if not view.folder.is_dir():
            _build(tree, view, faults)
        # After a build too: one that was faster may have lacked some blobs.
        for path in view_faults(tree, view, absent):
            _mend(tree, view, path)
    except OSError as error:
        raise refusal(error, tree.home) from error
    from modelkeep.spec.events import ViewPresented

    emit(ViewPresented(str(view.folder), len(faults)))
    return True


def _build(tree: Tree, view: View, paths: Iterable[str]) -> None:
    tree.prepare()
    # Beside its final place, so that relative links read the same from both.
    aside = tree.views / f".{fresh_name()}"
    try:
        aside.mkdir()
        for path in paths:
            target = aside / path
            target.parent.mkdir(parents=True, exist_ok=True)
            _put(tree, target, view.placements[path], _to_blob(path, view.placements[path]))
        try:
            aside.rename(view.folder)
        except OSError:
            # Somebody else was faster: theirs was built from the same plan.
            if not view.folder.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _mend(tree: Tree, view: View, path: str) -> None:
    final, placement = view.folder / path, view.placements[path]
    final.parent.mkdir(parents=True, exist_ok=True)
    aside = final.with_name(f".{fresh_name()}")
    try:
        _put(tree, aside, placement, _to_blob(path, placement))
        aside.replace(final)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _put(tree: Tree, path: Path, placement: Placement, target: str) -> None:
    content = placement.content
    if isinstance(content, bytes):
        path.write_bytes(content)
        return
    if placement.link is Link.SYMLINK:
        with suppress(OSError):
            return path.symlink_to(target)
    blob = tree.blob(content)
    with suppress(OSError):
        return os.link(blob, path)
    shutil.copyfile(blob, path)
    shutil.copystat(blob, path)
