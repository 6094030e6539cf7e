# SPDX-License-Identifier: Apache-2.0
"""A folder with model classes that misbehave on order, and pools that serve them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelkeep.loaders.base import LoadSpec
from modelkeep.runtime.phases import Priority, SlotStatus, State
from modelkeep.runtime.pool import Pool
from modelkeep.runtime.restart import RestartPolicy
from modelkeep.runtime.served import Served
from modelkeep.spec.emit import Event
from modelkeep.spec.errors import KeepError

CLASSES = '''
import os, signal, sys, time
from pathlib import Path

class Model:
    """Obeys the input ``do``."""

    def __init__(self, *, mark=None, crash_at_load=False, load_s=0.0, grow_mb=0):
        self.mark, self.crash_at_load, self.load_s = mark, crash_at_load, load_s
        self.grow_mb = grow_mb

    def load(self, folder):
        time.sleep(self.load_s)
        self.ballast = bytearray(b"x") * (self.grow_mb * 2**20)
        if self.crash_at_load:
            os._exit(9)
        if self.mark:
            with open(self.mark, "a") as file:
                file.write("loaded\\n")

    def predict(self, inputs):
        do, argument = inputs.get("do"), inputs.get("argument")
        if do == "pid":
            return {"pid": os.getpid()}
        if do == "sleep":
            time.sleep(argument)
            return {"slept": argument}
        if do == "wait for":
            while not Path(argument).exists():
                time.sleep(0.01)
            return {"there": argument}
        if do == "exit":
            os._exit(argument)
        if do == "kill":
            os.kill(os.getpid(), argument)
        if do == "raise":
            raise {"ValueError": ValueError, "RuntimeError": RuntimeError}[argument]("as told")
        if do == "leave":
            sys.exit(4)
        if do == "give":
            return {"bad": object()}
        if do == "list":
            return [1]
        if do == "environment":
            return {"value": os.environ.get(argument), "path": sys.path[:1], "cwd": os.getcwd()}
        return dict(inputs)

    def close(self):
        if self.mark:
            with open(self.mark, "a") as file:
                file.write("closed\\n")
'''


def wait_until(true: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Stage:
    """Makes specs and pools; remembers what they tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "staged_models.py").write_text(CLASSES)
        self.events: list[Event] = []
        self.brought: list[str] = []
        self.specs: dict[str, LoadSpec | KeepError | Callable[[], LoadSpec]] = {}
        self._pools: list[Pool] = []

    def model(self, name: str, **options: Any) -> LoadSpec:
        """A spec for the class that obeys."""
        options = {"class": "staged_models:Model", **options}
        spec = LoadSpec(name, self.folder, "python", options=options, code_folder=self.folder)
        self.specs[name] = spec
        return spec

    def mock(self, name: str, **options: Any) -> LoadSpec:
        """A spec for a mock."""
        self.specs[name] = LoadSpec(name, self.folder, "mock", options=options)
        return LoadSpec(name, self.folder, "mock", options=options)

    def bring(self, name: str) -> LoadSpec:
        self.brought.append(name)
        found = self.specs[name]
        if isinstance(found, KeepError):
            raise found
        return found if isinstance(found, LoadSpec) else found()

    def pool(self, *served: Served, **terms: Any) -> Pool:
        """A pool that is started and will be closed."""
        terms = {"startup_timeout_s": 60.0, "shutdown_grace_s": 20.0, **terms}
        terms.setdefault("restarts", RestartPolicy(waits_s=(0.05, 0.05), window_s=300.0))
        pool = Pool(served, self.bring, emit=self.events.append, **terms)
        self._pools.append(pool)
        pool.start()
        return pool

    def ready(self, *served: Served, **terms: Any) -> Pool:
        """A pool that has settled."""
        pool = self.pool(*served, **terms)
        assert pool.wait_settled(60)
        return pool

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        for pool in self._pools:
            pool.close(5)


def status(pool: Pool, name: str) -> SlotStatus:
    return next(slot for slot in pool.overview().slots if slot.name == name)


def is_in(pool: Pool, name: str, state: State) -> Callable[[], bool]:
    return lambda: status(pool, name).state is state


def critical(name: str, **more: Any) -> Served:
    return Served(name, Priority.CRITICAL, **more)


def lazy(name: str, **more: Any) -> Served:
    return Served(name, Priority.LAZY, **more)
