# SPDX-License-Identifier: Apache-2.0
"""A project's two files: models.toml, which people write, and models.lock."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelkeep.spec.errors import InvalidDocument, StaleLock, UnknownModel
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.requirement import Requirement
from modelkeep.spec.wishes import DEFAULT_PROFILE, Wishes, parse_wishes
from modelkeep.store.publish import fresh_name

WISHES = "models.toml"
LOCK = "models.lock"


@dataclass(frozen=True)
class Project:
    """One folder with a models.toml; reads it anew each time."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def wishes_path(self) -> Path:
        """models.toml."""
        return self.folder / WISHES

    @property
    def lock_path(self) -> Path:
        """models.lock."""
        return self.folder / LOCK

    @property
    def exists(self) -> bool:
        """Whether the folder has either of the two files."""
        return self.wishes_path.exists() or self.lock_path.exists()

    def wishes(self, profile: str) -> Wishes:
        """models.toml under a profile.

        Raises:
            InvalidDocument: it is not there or says something wrong.
        """
        text = _read(self.wishes_path, "a project's models.toml")
        return parse_wishes(text, WISHES, profile=profile, environment=self.environment)

    def lock(self) -> Lock | None:
        """models.lock, or None where there is none yet.

        Raises:
            InvalidDocument: it is damaged, or of a newer form.
        """
        if not self.lock_path.exists():
            return None
        return Lock.parse(_read(self.lock_path, "a lock"), LOCK)

    def write_lock(self, lock: Lock) -> bool:
        """Put a lock in place whole; the same bytes are not written again."""
        text = str(lock)
        if self.lock_path.exists() and self.lock_path.read_text(encoding="utf-8") == text:
            return False
        write_text(self.lock_path, text)
        return True


def find_folder(start: Path) -> Path:
    """The nearest folder with a models.toml, from here upward; ``start`` if there is none."""
    for folder in (start, *start.parents):
        if (folder / WISHES).is_file():
            return folder
    return start


def write_text(path: Path, text: str) -> None:
    """Replace a file whole: beside it, fsynced, renamed.

    Raises:
        InvalidDocument: the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{fresh_name()[:8]}")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        got = error.strerror or str(error)
        raise InvalidDocument(str(path), None, "", "a file that can be written", got) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InvalidDocument(
            path.name, None, "", what, f"no such file in {path.parent}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDocument(str(path), None, "", what, str(error)) from error


def staleness(wishes: Wishes, lock: Lock | None) -> list[str]:
    """What models.toml asks for under this profile that the lock does not say. Pure."""
    if lock is None:
        return [f"there is no {LOCK}"]
    locked = lock.of_profile(wishes.profile)
    wanted = {name: model for name, model in wishes.models.items() if _is_locked(model)}
    reasons = [
        f"variable {name} is {value!r}, and was {lock.variables[name]!r} when it was locked"
        for name, value in wishes.variables.items()
        if lock.variables.get(name, value) != value
    ]
    reasons += [f"model {name} is not in it" for name in wanted if name not in locked]
    reasons += [
        f"model {name} asks for something else now"
        for name, model in wanted.items()
        if name in locked and locked[name].wish != model.wish
    ]
    reasons += [f"model {name} is no longer asked for" for name in locked if name not in wanted]
    return reasons


def _is_locked(model: Requirement) -> bool:
    return model.enabled and model.has_files


def every_staleness(project: Project) -> list[str]:
    """The same for all profiles together, each reason once."""
    lock = project.lock()
    profiles = project.wishes(DEFAULT_PROFILE).profiles
    found = (reason for name in profiles for reason in staleness(project.wishes(name), lock))
    return list(dict.fromkeys(found))


def require_fresh(wishes: Wishes, lock: Lock | None) -> Lock:
    """The lock, if it says what models.toml asks for.

    Raises:
        StaleLock: with the first reason.
    """
    reasons = staleness(wishes, lock)
    if reasons or lock is None:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        raise StaleLock(LOCK, f"what {WISHES} asks for", reasons[0] + more)
    return lock


def choose(locked: Mapping[str, LockedModel], names: Iterable[str] | None) -> list[LockedModel]:
    """The named models, all where none is named.

    Raises:
        UnknownModel: a name that the lock of this profile does not have.
    """
    if names is None:
        return list(locked.values())
    for name in names:
        if name not in locked:
            known = ", ".join(locked) or "none at all"
            raise UnknownModel(f"model {name}", f"one of the locked models ({known})", "no such")
    return [locked[name] for name in names]
