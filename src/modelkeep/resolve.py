# SPDX-License-Identifier: Apache-2.0
"""From a wish and what its sources list to the facts of a lock. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DigestMismatch, ForbiddenFormat, NotFound
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.path import check_path
from modelkeep.spec.requirement import Requirement


def matches(path: str, glob: str) -> bool:
    """Whether a path fits a glob: fnmatch on the whole path, ``*`` crosses ``/``.

    A glob that ends in ``/`` means all below that folder (as huggingface_hub's
    ``allow_patterns`` has it).
    """
    return fnmatch.fnmatchcase(path, glob + "*" if glob.endswith("/") else glob)


def select(requirement: Requirement, listing: Listing) -> tuple[ListedFile, ...]:
    """The listed files that the requirement keeps.

    Raises:
        NotFound: a glob of ``files`` fits nothing, or nothing is left.
        UnsafePath: a path that climbs out.
    """
    for glob in requirement.files:
        if not any(matches(file.path, glob) for file in listing.files):
            some = ", ".join(file.path for file in listing.files[:5]) or "no file at all"
            subject = f"model {requirement.name}: files"
            raise NotFound(
                subject, f"something that fits {glob!r} in {listing.origin.source}", some
            )
    kept = tuple(
        file
        for file in listing.files
        if (not requirement.files or any(matches(file.path, glob) for glob in requirement.files))
        and not any(matches(file.path, glob) for glob in requirement.exclude)
    )
    if not kept:
        raise NotFound(f"model {requirement.name}", f"files in {listing.origin.source}", "none")
    for file in kept:
        check_path(file.path)
    return kept


def resolve(
    requirement: Requirement, origins: Sequence[Origin], rows: Iterable[FileRow]
) -> LockedModel:
    """One wish, resolved, for no profile yet.

    Raises:
        DigestMismatch: the requirement's own ``digest`` is neither the identity
            nor that of the only file.
        ForbiddenFormat: Python code without ``allow_code``.
    """
    manifest = Manifest.of(rows)
    check_digest(requirement, manifest)
    check_code(requirement, manifest)
    return LockedModel(
        name=requirement.name,
        profiles=(),
        wish=requirement.wish,
        layout=requirement.layout,
        origins=tuple(origins),
        manifest=manifest,
        allow_pickle=requirement.allow_pickle,
        allow_code=requirement.allow_code,
    )


def check_digest(requirement: Requirement, manifest: Manifest) -> None:
    """Compare with ``digest`` of models.toml, where there is one."""
    wanted = requirement.digest
    only = manifest.files[0].digest if len(manifest.files) == 1 else None
    if wanted and wanted not in (manifest.identity, only):
        got: Digest = only or manifest.identity
        raise DigestMismatch(f"model {requirement.name}", str(wanted), str(got))


def check_code(requirement: Requirement, manifest: Manifest) -> None:
    """Refuse a repository's own Python without permission."""
    code = [row.path for row in manifest.files if row.path.endswith((".py", ".pyc", ".so"))]
    if code and not requirement.allow_code:
        raise ForbiddenFormat(
            f"model {requirement.name}: file {code[0]}",
            "no code (or allow_code = true, or exclude = [...] for it)",
            "code of the repository",
        )


def merge(resolved: Mapping[str, Mapping[str, LockedModel]], variables: Mapping[str, str]) -> Lock:
    """One lock of all profiles: ``{profile: {name: model}}``; equal rows share one entry."""
    rows: dict[tuple[str, str, str], LockedModel] = {}
    profiles: dict[tuple[str, str, str], list[str]] = {}
    for profile, models in resolved.items():
        for name, model in models.items():
            key = (name, str(model.wish), str(model.identity))
            rows.setdefault(key, model)
            profiles.setdefault(key, []).append(profile)
    return Lock.of(
        (replace(model, profiles=tuple(profiles[key])) for key, model in rows.items()), variables
    )
