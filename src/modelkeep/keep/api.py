# SPDX-License-Identifier: Apache-2.0
"""The Python API: a project, its lock, its store, its models."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from modelkeep.keep.once import Once
from modelkeep.keep.project import Project, choose, every_staleness, find_folder, staleness
from modelkeep.keep.rows import LockReport, ModelRow
from modelkeep.keep.settings import Settings, find_settings
from modelkeep.keep.snapshot import Snapshot
from modelkeep.keep.syncing import SyncReport, sync
from modelkeep.preflight import check_model
from modelkeep.present import View
from modelkeep.spec.emit import Emit, ignore
from modelkeep.spec.errors import InvalidValue, Offline
from modelkeep.spec.lock import LockedModel
from modelkeep.spec.wishes import DEFAULT_PROFILE, Wishes
from modelkeep.store.tree import Tree

if TYPE_CHECKING:
    from modelkeep.keep.care import StoreReport, VerifyReport
    from modelkeep.keep.supply import Supply
    from modelkeep.loaders.base import LoadSpec, Model

Fetch = Literal["never", "missing"]


class Keep:
    """One project under one profile. Thread-safe; reads its files once.

    Make one with ``Keep.open()``.
    """

    def __init__(self, project: Project, *, profile: str, settings: Settings, emit: Emit) -> None:
        self.project = project
        self.profile = profile
        self.settings = settings
        self.tree = Tree(settings.store)
        self.emit = emit
        self._writing = threading.RLock()
        self._loaded: Once[Model] = Once()

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
    def _snapshot(self) -> Snapshot:
        return Snapshot(self.project, self.profile, self.tree)

    @property
    def wishes(self) -> Wishes:
        """models.toml under this profile.

        Raises:
            InvalidDocument: there is none, or it says something wrong.
        """
        return self._snapshot.wishes

    @property
    def locked(self) -> Mapping[str, LockedModel]:
        """What the lock says for this profile, by name; the lock must be fresh.

        Raises:
            StaleLock: there is none, or models.toml asks for something else.
            InvalidDocument: it is damaged.
        """
        return self._snapshot.locked

    @property
    def view(self) -> View:
        """The view of this profile's set. Raises as ``locked``."""
        return self._snapshot.view

    def _forget(self) -> None:
        self.__dict__.pop("_snapshot", None)

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
        from modelkeep.keep.locking import write_lock

        with self._writing:
            self._forget()
            names = frozenset(upgrade)
            report = write_lock(self.project, self.tree, self.supply, names, emit=self.emit)
            self._forget()
        return report

    def check_lock(self) -> list[str]:
        """Why the lock is stale, in any profile; empty when it is not. No network."""
        return every_staleness(self.project)

    def sync(self, names: Iterable[str] | None = None, *, locked: bool = False) -> SyncReport:
        """Make the store hold these models (all where none is named), and show them.

        Args:
            locked: never resolve; a stale lock is an error.

        Raises:
            StaleLock, UnknownModel, SourceError, DigestMismatch, StoreError.
        """
        with self._writing:
            if not locked and staleness(self.wishes, self._snapshot.lock):
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
            InvalidValue: it has no files (a mock).
            StaleLock: it is not locked as models.toml asks.
        """
        return self._snapshot.model(name)

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
        return self._snapshot.version(name)

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

        wish = self._snapshot.wish(name)
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

        return self._loaded.get(name, lambda: loaders.load(self.load_spec(name, fetch=fetch)))

    def env(self) -> dict[str, str]:
        """Variables that make every framework read this project's view, offline."""
        return self._snapshot.variables()

    # -- telling about it

    def list(self) -> list[ModelRow]:
        """Every model of models.toml under this profile, with its state."""
        return self._snapshot.rows()

    def info(self) -> StoreReport:
        """What the store holds, whichever project brought it."""
        from modelkeep.keep import care

        return care.info(self.tree)

    def verify(self, names: Iterable[str] | None = None, *, repair: bool = False) -> VerifyReport:
        """Read every byte again: of these models, of all locked ones, or of the whole
        store where there is neither a models.toml nor a models.lock.

        Args:
            repair: fetch what is damaged or missing again; the report tells what
                was found before.

        Raises:
            UnknownModel, StaleLock: models that are not locked.
            InvalidDocument: names, or a repair, without a project.
            SourceError, DigestMismatch: a repair that did not succeed.
        """
        from modelkeep.keep import care

        whole_store = names is None and not repair and not self.project.exists
        models = None if whole_store else choose(self.locked, names)
        report = care.verify(self.tree, models, self.emit)
        if repair and not report.all_well:
            care.put_aside(self.tree, [f.digest for f in report.faults if f.state == "damaged"])
            self.sync(names, locked=True)
        return report
