# SPDX-License-Identifier: Apache-2.0
"""What models.toml and models.lock say under one profile, each read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from modelkeep.keep.project import Project, require_fresh, staleness
from modelkeep.keep.rows import ModelRow, row_of
from modelkeep.preflight import absent_digests
from modelkeep.present import View, plan_view
from modelkeep.spec.errors import InvalidValue, UnknownModel
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.requirement import Requirement
from modelkeep.spec.wishes import Wishes
from modelkeep.store.tree import Tree


class Snapshot:
    """One reading of a project; a new lock needs a new one."""

    def __init__(self, project: Project, profile: str, tree: Tree) -> None:
        self._project = project
        self._profile = profile
        self._tree = tree

    @cached_property
    def wishes(self) -> Wishes:
        """models.toml. Raises InvalidDocument."""
        return self._project.wishes(self._profile)

    @cached_property
    def lock(self) -> Lock | None:
        """models.lock, stale or not; None where there is none. Raises InvalidDocument."""
        return self._project.lock()

    @cached_property
    def locked(self) -> Mapping[str, LockedModel]:
        """The models of this profile by name. Raises StaleLock, InvalidDocument."""
        return dict(require_fresh(self.wishes, self.lock).of_profile(self._profile))

    @cached_property
    def view(self) -> View:
        """How they are shown. Raises as ``locked``."""
        return plan_view(self._tree, self.locked.values())

    def wish(self, name: str) -> Requirement:
        """One enabled requirement.

        Raises:
            UnknownModel: there is none of that name, or it is not enabled.
        """
        wish = self.wishes.models.get(name)
        if wish is None:
            known = ", ".join(self.wishes.models) or "none"
            raise UnknownModel(f"model {name}", f"one of models.toml ({known})", "no such model")
        if not wish.enabled:
            raise UnknownModel(f"model {name}", "a model that is enabled", "enabled = false")
        return wish

    def model(self, name: str) -> LockedModel:
        """One locked model. Raises as ``wish`` and ``locked``; InvalidValue for a mock."""
        if not self.wish(name).has_files:
            got = "the loader mock, without any"
            raise InvalidValue(f"model {name}", "a model with files", got)
        return self.locked[name]

    def version(self, name: str) -> str:
        """The first 12 digits of a model's identity, "" for a mock."""
        locked = self.locked.get(name)
        return locked.identity.hex[:12] if locked else ""

    def rows(self) -> list[ModelRow]:
        """Every model of models.toml with its state."""
        locked = self.lock.of_profile(self._profile) if self.lock else {}
        absent = absent_digests(self._tree, list(locked.values()))
        view = None if staleness(self.wishes, self.lock) else self.view
        return [
            row_of(wish, locked.get(wish.name), absent, view)
            for wish in self.wishes.models.values()
        ]

    def variables(self) -> dict[str, str]:
        """The environment in which every framework reads this view, offline."""
        variables = {"MODELKEEP_HOME": str(self._tree.home), **self.view.variables()}
        for model in self.view.models:
            name = "".join(c if c.isalnum() else "_" for c in model.name).upper()
            variables[f"MODELKEEP_PATH_{name}"] = str(self.view.path_of(model))
        return variables
