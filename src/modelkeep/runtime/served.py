# SPDX-License-Identifier: Apache-2.0
"""What the pool is told about each name it serves, and how it works. Values only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.runtime.phases import Priority
from modelkeep.runtime.restart import RestartPolicy
from modelkeep.spec.emit import Emit

Bring = Callable[[str], LoadSpec]
"""Makes a model's files present, however long that takes; raises KeepError."""


@dataclass(frozen=True, slots=True)
class Served:
    """One name.

    Attributes:
        fallback: the name that answers when this one has failed.
        version: the first 12 hex digits of the identity; "" for a mock without files.
        size_bytes: of its files.
    """

    name: str
    priority: Priority = Priority.PRELOAD
    fallback: str | None = None
    version: str = ""
    loader: str = ""
    size_bytes: int = 0
    allow_pickle: bool = False
    allow_code: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Outputs, and who gave them: a fallback answers under its own name."""

    model: str
    version: str
    outputs: Values


@dataclass(frozen=True, slots=True)
class Terms:
    """What all slots of a pool share.

    Attributes:
        bring: makes a model's files present.
        gate: entered by whoever loads; lets so many in at once.
        environment: all variables of a worker; None hands on the parent's.
        changed: called with a slot's name after its state has changed.
    """

    bring: Bring
    gate: AbstractContextManager[object]
    startup_timeout_s: float
    environment: Mapping[str, str] | None
    emit: Emit
    changed: Callable[[str], None]
    restarts: RestartPolicy


def in_background(name: str, work: Callable[[], object]) -> threading.Thread:
    """Run on a thread that does not keep the interpreter alive."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread
