# SPDX-License-Identifier: Apache-2.0
"""The Python API: a project, its lock, its store, its models."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from modelkeep.keep import care
from modelkeep.keep.project import Project, choose, find_folder, require_fresh, staleness
from modelkeep.keep.rows import LockReport, ModelRow, compare, row_of
from modelkeep.keep.settings import Settings, find_settings
from modelkeep.keep.syncing import SyncReport, sync
from modelkeep.preflight import absent_digests, check_model
from modelkeep.present import View, plan_view
from modelkeep.spec.errors import InvalidValue, Offline, UnknownModel
from modelkeep.spec.events import Emit, ignore
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.manifest import Manifest
from modelkeep.spec.requirement import Requirement
from modelkeep.spec.wishes import DEFAULT_PROFILE, Wishes
from modelkeep.store.tree import Tree

if TYPE_CHECKING:
    from modelkeep.keep.supply import Supply
    from modelkeep.loaders.base import LoadSpec, Model

ALL = "*"
Fetch = Literal["never", "missing"]


class Keep:
    """One project under one profile. Thread-safe; reads its files once.

    Make one with ``Keep.open()``.
    """

    def __init__(
        self,
        project: Project,
        *,
        profile: str,
        settings: Settings,
        emit: Emit,
    ) -> None:
        self.project = project
        self.profile = profile
        self.settings = settings
        self.tree = Tree(settings.store)
        self.emit = emit
        self._writing = threading.RLock()
        self._loading: dict[str, threading.Lock] = {}
        self._loaded: dict[str, Model] = {}

    @classmethod
    def open(
        cls,
        folder: str | Path | None = None,
        *,
        profile: str | None = None,
        flags: Mapping[str, object] | None = None,
        environment: Mapping[str, str] | None = None,
        emit: Emit = ignore,
    ) -> Self:
        """Open the project of a folder.

        Args:
            folder: with models.toml in it; None: the current folder or the
                nearest one above it that has one.
            profile: else MODELKEEP_PROFILE, else ``default``.
            flags: settings that win over all others, by key (``store.path``).
            environment: instead of ``os.environ``.
            emit: hears of everything that happens.

        Raises:
            InvalidDocument: models.toml says something wrong.
            InvalidValue: a setting that does not parse.
        """
        environment = os.environ if environment is None else environment
        place = Path(folder).absolute() if folder else find_folder(Path.cwd())
        project = Project(place, environment)
        chosen = profile or environment.get("MODELKEEP_PROFILE") or DEFAULT_PROFILE
        known = project.wishes(chosen).settings if project.wishes_path.exists() else {}
        settings = find_settings(
            flags=flags or {}, environment=environment, project=known, folder=place
        )
        return cls(project, profile=chosen, settings=settings, emit=emit)

    # -- what the two files say, read once

    @cached_property
    def wishes(self) -> Wishes:
        """models.toml under this profile.

        Raises:
            InvalidDocument: there is none, or it says something wrong.
        """
        return self.project.wishes(self.profile)

    @cached_property
    def locked(self) -> Mapping[str, LockedModel]:
        """What the lock says for this profile, by name; the lock must be fresh.

        Raises:
            StaleLock: there is none, or models.toml asks for something else.
            InvalidDocument: it is damaged.
        """
        lock = require_fresh(self.wishes, self._lock)
        return dict(lock.of_profile(self.profile))

    @cached_property
    def _lock(self) -> Lock | None:
        return self.project.lock()

    @cached_property
    def view(self) -> View:
        """The view of this profile's set."""
        return plan_view(self.tree, self.locked.values())

    def _forget(self) -> None:
        for name in ("wishes", "locked", "_lock", "view"):
            self.__dict__.pop(name, None)

    @cached_property
    def supply(self) -> Supply:
        """Where bytes come from; made when something has to be fetched."""
        from modelkeep.keep.supply import Supply

        return Supply(
            self.tree,
            self.settings,
            environment=self.project.environment,
            folder=self.project.folder,
            emit=self.emit,
        )

    # -- making it so

    def lock(self, *, upgrade: Iterable[str] = ()) -> LockReport:
        """Write models.lock; only what models.toml changed is asked for.

        Args:
            upgrade: models to resolve anew; ``("*",)`` for all.

        Raises:
            KeepError: the first model that cannot be locked; the old lock stays.
        """
        from modelkeep.keep.locking import Locker

        names = frozenset(upgrade)
        with self._writing:
            self._forget()
            old = self._lock
            for name in names - {ALL}:
                if name not in self.wishes.models:
                    known = ", ".join(self.wishes.models)
                    raise UnknownModel(f"model {name}", f"one of models.toml ({known})", "no such")
            locker = Locker(
                self.tree,
                self.supply,
                upgrade=lambda name: ALL in names or name in names,
                emit=self.emit,
            )
            new = locker.lock(self.project, old)
            written = self.project.write_lock(new)
            self._forget()
        return compare(old, new, written)

    def check_lock(self) -> list[str]:
        """Why the lock is stale, in any profile; empty when it is not. No network."""
        lock = self.project.lock()
        reasons: list[str] = []
        for profile in self.project.wishes(DEFAULT_PROFILE).profiles:
            for reason in staleness(self.project.wishes(profile), lock):
                if reason not in reasons:
                    reasons.append(reason)
        return reasons

    def sync(self, names: Iterable[str] | None = None, *, locked: bool = False) -> SyncReport:
        """Make the store hold these models (all where none is named), and show them.

        Args:
            locked: never resolve; a stale lock is an error.

        Raises:
            StaleLock, UnknownModel, SourceError, DigestMismatch, StoreError.
        """
        with self._writing:
            if not locked and staleness(self.wishes, self._lock):
                self.lock()
            return sync(
                self.tree,
                self.view,
                choose(self.locked, names),
                supply=lambda: self.supply,
                emit=self.emit,
            )

    # -- using it

    def model(self, name: str) -> LockedModel:
        """One locked model.

        Raises:
            UnknownModel: models.toml has no such model, or it is not enabled.
            StaleLock: it is not locked as models.toml asks.
        """
        wish = self._wish(name)
        if not wish.has_files:
            raise InvalidValue(
                f"model {name}", "a model with files", "the loader mock, without any"
            )
        return self.locked[name]

    def _wish(self, name: str) -> Requirement:
        wish = self.wishes.models.get(name)
        if wish is None:
            known = ", ".join(self.wishes.models) or "none"
            raise UnknownModel(f"model {name}", f"one of models.toml ({known})", "no such model")
        if not wish.enabled:
            raise UnknownModel(f"model {name}", "a model that is enabled", "enabled = false")
        return wish

    def path(self, name: str) -> Path:
        """The folder that holds a model's files. Never downloads.

        Raises:
            MissingFile: the first file that is not there; ``modelkeep sync`` brings it.
            UnknownModel, StaleLock: as ``model``.
        """
        model = self.model(name)
        folder = self.view.path_of(model)
        check_model(self.tree, folder, model)
        return folder

    def version(self, name: str) -> str:
        """The first 12 hex digits of a model's identity, "" for a mock without files."""
        locked = self.locked.get(name)
        return locked.identity.hex[:12] if locked else ""

    def require_fetching(self) -> None:
        """Refuse early what fetching would stumble over later.

        Raises:
            Offline: the settings forbid the network.
            ReadOnlyStore: the store cannot be written.
        """
        if self.settings.flag("fetch.offline"):
            raise Offline("fetch missing", "a network", "settings that say offline")
        self.tree.prepare()

    def load_spec(self, name: str, *, fetch: Fetch = "never") -> LoadSpec:
        """All that a loader must know about a model.

        Args:
            fetch: ``missing`` brings absent files first; ``never`` refuses.

        Raises:
            InvalidValue: models.toml names no loader.
            MissingFile, UnknownModel, StaleLock: as ``path``.
            SourceError, StoreError: as ``sync``.
        """
        from modelkeep.loaders.base import LoadSpec

        wish = self._wish(name)
        if wish.loader is None:
            raise InvalidValue(f"model {name}: loader", "a loader's name in models.toml", "none")
        if fetch == "missing" and wish.has_files:
            self.sync([name], locked=True)
        return LoadSpec(
            name=name,
            folder=self.path(name) if wish.has_files else self.tree.views / "none",
            loader=wish.loader,
            device=wish.device,
            options=dict(wish.options),
            code_folder=self.project.folder,
            allow_pickle=wish.allow_pickle,
            allow_code=wish.allow_code,
        )

    def load(self, name: str, *, fetch: Fetch = "never") -> Model:
        """The live model, loaded into this process once, however many threads ask.

        Raises:
            LoadFailed, MissingExtra, ForbiddenFormat: it cannot be loaded.
            KeepError: as ``load_spec``.
        """
        from modelkeep import loaders

        with self._writing:
            turn = self._loading.setdefault(name, threading.Lock())
        with turn:
            if name not in self._loaded:
                self._loaded[name] = loaders.load(self.load_spec(name, fetch=fetch))
            return self._loaded[name]

    def env(self) -> dict[str, str]:
        """Variables that make every framework read this project's view, offline."""
        variables = {"MODELKEEP_HOME": str(self.tree.home), **self.view.variables()}
        for model in self.view.models:
            key = "MODELKEEP_PATH_" + "".join(c if c.isalnum() else "_" for c in model.name).upper()
            variables[key] = str(self.view.path_of(model))
        return variables

    # -- telling about it

    def list(self) -> list[ModelRow]:
        """Every model of models.toml under this profile, with its state."""
        lock = self._lock
        locked = lock.of_profile(self.profile) if lock else {}
        absent = absent_digests(self.tree, list(locked.values()))
        view = None if staleness(self.wishes, lock) else self.view
        return [
            row_of(wish, locked.get(wish.name), absent, view)
            for wish in self.wishes.models.values()
        ]

    def info(self) -> care.StoreReport:
        """What the store holds, whichever project brought it."""
        return care.info(self.tree)

    def verify(
        self, names: Iterable[str] | None = None, *, repair: bool = False
    ) -> care.VerifyReport:
        """Read every byte again: of these models, of all locked ones, or of the whole
        store where there is no project.

        Args:
            repair: fetch what is damaged or missing again; the report tells what
                was found before.

        Raises:
            UnknownModel, StaleLock: names that are not locked.
            SourceError, DigestMismatch: a repair that did not succeed.
        """
        report = care.verify(self.tree, self._manifests(names), self.emit)
        if repair and report.faults:
            care.put_aside(self.tree, [f.digest for f in report.faults if f.state == "damaged"])
            self.sync(names, locked=True)
        return report

    def _manifests(self, names: Iterable[str] | None) -> dict[str, Manifest]:
        if names is None and not self.project.lock_path.exists():
            return care.stored_manifests(self.tree)[0]
        return {model.name: model.manifest for model in choose(self.locked, names)}
