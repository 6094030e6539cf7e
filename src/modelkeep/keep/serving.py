# SPDX-License-Identifier: Apache-2.0
"""A project's models as a running service: the lock in, live slots out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Self

from modelkeep.keep.api import Fetch, Keep
from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.runtime.phases import Overview, Priority
from modelkeep.runtime.pool import Pool
from modelkeep.runtime.served import Answer, Served, in_background
from modelkeep.spec.errors import UnknownModel
from modelkeep.spec.events import Warned
from modelkeep.spec.requirement import Requirement


class Serving:
    """The models of a project that have a loader. A context: out of it all workers are gone.

    Args:
        names: those alone, and their fallbacks; None: all.
        fetch: ``missing`` brings locked models that are absent before they load.

    Raises:
        StaleLock, InvalidDocument, UnknownModel: before anything is started.
        Offline, ReadOnlyStore: ``missing`` where nothing can be fetched.
    """

    def __init__(
        self, keep: Keep, names: Iterable[str] | None = None, *, fetch: Fetch = "never"
    ) -> None:
        self._keep = keep
        self._fetch = fetch
        if fetch == "missing":
            keep.require_fetching()
        settings = keep.settings
        chosen = _chosen(keep, names)
        if not chosen:
            keep.emit(Warned("models.toml", "no enabled model has a loader, so none is served"))
        self._pool = Pool(
            [self._served(wish) for wish in chosen],
            self._bring,
            max_parallel_loads=settings.number("runtime.max_parallel_loads"),
            startup_timeout_s=settings.seconds("runtime.startup_timeout"),
            shutdown_grace_s=settings.seconds("runtime.shutdown_grace"),
            environment={**keep.project.environment, **keep.env()},
            emit=keep.emit,
        )

    def _served(self, wish: Requirement) -> Served:
        locked = self._keep.locked.get(wish.name)
        return Served(
            name=wish.name,
            priority=Priority(wish.priority),
            fallback=wish.fallback,
            version=self._keep.version(wish.name),
            loader=wish.loader or "",
            size_bytes=locked.manifest.size_bytes if locked else 0,
            allow_pickle=wish.allow_pickle,
            allow_code=wish.allow_code,
        )

    def _bring(self, name: str) -> LoadSpec:
        return self._keep.load_spec(name, fetch=self._fetch)

    def __enter__(self) -> Self:
        self._pool.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    # -- what the server asks for

    def overview(self) -> Overview:
        """All slots as they are now."""
        return self._pool.overview()

    def predict(self, name: str, values: Values) -> Future[Answer]:
        """Ask a model; the future raises what went wrong."""
        return self._pool.predict(name, values)

    def load(self, name: str) -> Future[None]:
        """Load a model again or for the first time; the future tells when it is ready."""
        return _later(f"load {name}", lambda: self._pool.load(name))

    def unload(self, name: str) -> Future[None]:
        """End a model's process; the future tells when its memory is free."""
        return _later(f"unload {name}", lambda: self._pool.unload(name))


def _chosen(keep: Keep, names: Iterable[str] | None) -> list[Requirement]:
    """The models to serve, in the file's order."""
    models = {
        name: wish for name, wish in keep.wishes.models.items() if wish.enabled and wish.loader
    }
    if names is None:
        return list(models.values())
    wanted: set[str] = set()
    for name in names:
        spare: str | None = name
        while spare and spare not in wanted:
            if spare not in models:
                known = ", ".join(models) or "none"
                expected = f"an enabled model with a loader ({known})"
                raise UnknownModel(f"model {spare}", expected, "no such model")
            wanted.add(spare)
            spare = models[spare].fallback
    return [wish for name, wish in models.items() if name in wanted]


def _later(name: str, work: Callable[[], object]) -> Future[None]:
    future: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed on to whoever waits
            future.set_exception(error)
        else:
            future.set_result(None)

    in_background(name, run)
    return future
