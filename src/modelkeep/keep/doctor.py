# SPDX-License-Identifier: Apache-2.0
"""Looks at everything a serving process depends on, and says what would break it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelkeep.keep.api import Keep
from modelkeep.keep.extras import lacking
from modelkeep.spec.errors import KeepError
from modelkeep.spec.settings import Found
from modelkeep.store.probe import probe


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``level`` is ``ok``, ``note`` or ``bad`` (it would break serving)."""

    level: str
    subject: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at, and every setting with where it came from."""

    findings: tuple[Finding, ...]
    settings: tuple[Found, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing would break serving."""
        return all(finding.level != "bad" for finding in self.findings)


def diagnose(keep: Keep, environment: Mapping[str, str]) -> Diagnosis:
    """Look at the store, the project, the installed packages and the environment."""
    findings = [
        *_store(keep),
        *_project(keep),
        *_packages(keep),
        *_variables(keep, environment),
    ]
    return Diagnosis(tuple(findings), tuple(keep.settings.found.values()))


def _store(keep: Keep) -> Iterator[Finding]:
    home = keep.tree.home
    if not keep.tree.exists():
        yield Finding("note", "store", f"{home} is empty", "modelkeep sync")
    for identity in keep.info().damaged_manifests:
        remedy = "modelkeep verify --repair, in the project that it belongs to"
        yield Finding("bad", "store", f"manifest {identity} is damaged", remedy)
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    can = probe(nearest)
    if not can.writable:
        yield Finding("note", "store", f"{home} is read-only here: it can serve, not fetch")
        return
    yield Finding("ok", "store", f"{home}, {can.free_bytes / 1e9:,.1f} GB free")
    links = "symbolic links" if can.symlink else "hard links" if can.hardlink else "copies"
    level = "ok" if can.symlink or can.hardlink else "note"
    yield Finding(level, "views", f"made of {links} to blobs, as this filesystem allows")


def _project(keep: Keep) -> Iterator[Finding]:
    if not keep.project.wishes_path.exists():
        yield Finding(
            "note", "project", f"no models.toml in {keep.project.folder}", "modelkeep init"
        )
        return
    reasons = keep.check_lock()
    if reasons:
        yield Finding("bad", "lock", "; ".join(reasons), "modelkeep lock")
    else:
        yield Finding("ok", "lock", "models.lock says what models.toml asks for")
    for row in keep.list():
        if row.state == "incomplete":
            message = f"{row.name} is locked and not whole in the store"
            yield Finding("bad", "models", message, f"modelkeep sync {row.name}")
        elif row.state == "present":
            yield Finding("ok", "models", f"{row.name} is here, {row.size_bytes / 1e6:,.1f} MB")
        for permission in ("allow_pickle", "allow_code"):
            if getattr(row, permission):
                yield Finding(
                    "note", "models", f"{row.name} may run its author's code ({permission})"
                )


def _packages(keep: Keep) -> Iterator[Finding]:
    if not keep.project.wishes_path.exists():
        return
    models = [model for model in keep.wishes.models.values() if model.enabled and model.loader]
    if models and (names := lacking("server")):
        message = f"serving needs {', '.join(names)}"
        yield Finding("bad", "packages", message, "pip install 'modelkeep[server]'")
    for model in models:
        # Extras are named after the loaders that they are for.
        if names := lacking(model.loader or ""):
            message = f"model {model.name} needs {', '.join(names)}"
            yield Finding("bad", "packages", message, f"pip install 'modelkeep[{model.loader}]'")


def _variables(keep: Keep, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Variables of frameworks that lead to another cache than this project's view."""
    try:
        ours = keep.env()
    except KeepError:
        return
    for name, value in ours.items():
        theirs = environment.get(name)
        if theirs and theirs != value and os.sep in value and not _same(theirs, value):
            message = f"{name} leads to {theirs}, not to this project's {value}"
            yield Finding("note", "environment", message, 'eval "$(modelkeep env)"')


def _same(one: str, other: str) -> bool:
    try:
        return Path(one).resolve() == Path(other).resolve()
    except OSError:
        return False
