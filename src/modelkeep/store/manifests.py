# SPDX-License-Identifier: Apache-2.0
"""Manifests, the commit point of a model version, and the names it came under."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DamagedStore, InvalidValue, KeepError
from modelkeep.spec.listing import Origin
from modelkeep.spec.manifest import Manifest
from modelkeep.store.publish import write_small
from modelkeep.store.tree import Tree


@dataclass(frozen=True, slots=True)
class Came:
    """Under which name, from which source and revision a model version came."""

    name: str
    source: str
    revision: str


def put_manifest(tree: Tree, manifest: Manifest) -> bool:
    """Write the commit point, over a damaged one too.

    Call it after all of the manifest's blobs are published.

    Returns:
        Whether it had to be written.

    Raises:
        OSError: the filesystem refuses.
    """
    path = tree.manifest(manifest.identity)
    with suppress(FileNotFoundError):
        if path.read_bytes() == manifest.canonical:
            return False
    tree.prepare()
    write_small(path, manifest.canonical, tree.tmp)
    return True


def get_manifest(tree: Tree, identity: Digest) -> Manifest | None:
    """Read a manifest and check it against its name; None where there is none.

    Raises:
        DamagedStore: its bytes are not what its name says.
    """
    path = tree.manifest(identity)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if Digest.of(data) != identity:
        raise DamagedStore(f"manifest {path}", str(identity), str(Digest.of(data)))
    try:
        return Manifest.parse(data)
    except KeepError as error:
        raise DamagedStore(f"manifest {path}", error.expected, error.got) from error


def all_manifests(tree: Tree) -> Iterator[Digest]:
    """The identities of everything that was committed here, sorted."""
    for path in sorted(tree.manifests.glob("*.json")):
        with suppress(InvalidValue):
            yield Digest(path.stem)


def note_origin(tree: Tree, identity: Digest, name: str, origin: Origin | None) -> None:
    """Remember how a model version came here, so that a bare store can be listed."""
    source, revision = (origin.source, origin.revision) if origin else ("", "")
    came = Came(name, source, revision)
    known = origins_of(tree, identity)
    if came in known:
        return
    rows = [[row.name, row.source, row.revision] for row in (*known, came)]
    data = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    write_small(tree.origin(identity), data, tree.tmp, mode=0o644)


def origins_of(tree: Tree, identity: Digest) -> tuple[Came, ...]:
    """What ``note_origin`` wrote; a damaged note counts as none."""
    with suppress(OSError, ValueError, TypeError):
        rows = json.loads(tree.origin(identity).read_bytes())
        return tuple(Came(*(str(part) for part in row)) for row in rows)
    return ()
