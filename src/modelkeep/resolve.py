# SPDX-License-Identifier: Apache-2.0
"""From a wish and what its sources list to the facts of a lock. Pure."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DigestMismatch, ForbiddenFormat, NotFound
from modelkeep.spec.formats import is_code
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

    Without ``files``, what a package holds for Python's sake is left out.

    Raises:
        ForbiddenFormat: code without ``allow_code``.
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
        if _is_asked(requirement, listing, file.path)
        and not any(matches(file.path, glob) for glob in requirement.exclude)
    )
    if not kept:
        raise NotFound(f"model {requirement.name}", f"files in {listing.origin.source}", "none")
    for file in kept:
        check_path(file.path)
    check_code(requirement, kept)
    return kept


def _is_asked(requirement: Requirement, listing: Listing, path: str) -> bool:
    if requirement.files:
        return any(matches(path, glob) for glob in requirement.files)
    if not listing.origin.source.startswith("pypi:"):
        return True
    return not _is_packaging(path) and (requirement.allow_code or not is_code(path))


def _is_packaging(path: str) -> bool:
    """What installers and type checkers put beside a package's files (PEP 376, 427, 561)."""
    *folders, name = path.split("/")
    if name in ("py.typed", "PKG-INFO"):
        return True
    return any(folder.endswith((".dist-info", ".egg-info")) for folder in folders)


def resolve(
    requirement: Requirement, origins: Sequence[Origin], rows: Iterable[FileRow]
) -> LockedModel:
    """One wish, resolved, for no profile yet.

    Raises:
        DigestMismatch: the requirement's own ``digest`` is neither the identity
            nor that of the only file.
    """
    manifest = Manifest.of(rows)
    check_digest(requirement, manifest)
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


def check_code(requirement: Requirement, files: Iterable[ListedFile]) -> None:
    """Refuse a repository's own code without permission."""
    code = [file.path for file in files if is_code(file.path)]
    if code and not requirement.allow_code:
        raise forbidden(requirement.name, "code", code)


def forbidden(name: str, what: str, paths: Sequence[str]) -> ForbiddenFormat:
    """The error for files that need a permission; ``what`` is ``code`` or ``pickle``."""
    shown = [*paths[:5], "…"] if len(paths) > 5 else list(paths)
    exclude = json.dumps(shown, ensure_ascii=False)
    expected = f"no {what} (exclude = {exclude}, or allow_{what} = true)"
    return ForbiddenFormat(f"model {name}", expected, f"{what} in {', '.join(shown)}")


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
