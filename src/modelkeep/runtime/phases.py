# SPDX-License-Identifier: Apache-2.0
"""From the states of all slots to one word about the service. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from modelkeep.spec.tensor import Schema

_UNDECLARED = Schema()


class Priority(StrEnum):
    """When a model is loaded: before the service is ready, at start, on first use."""

    CRITICAL = "critical"
    PRELOAD = "preload"
    LAZY = "lazy"


class State(StrEnum):
    """Where a slot stands (DESIGN §5)."""

    EMPTY = "empty"
    FETCHING = "fetching"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


class Phase(StrEnum):
    """Where the service stands (DESIGN §5)."""

    INIT = "init"
    CORE_READY = "core_ready"
    MODELS_LOADING = "models_loading"
    MODELS_READY = "models_ready"
    FULLY_READY = "fully_ready"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """One slot as seen at one moment.

    Attributes:
        version: the first 12 hex digits of the identity; "" for a mock without files.
        reason: for people, why it is not ready; "" when it is.
        memory_bytes: of the worker, above an empty one; 0 until measured.
        load_s: wall time of the last load.
    """

    name: str
    state: State
    priority: Priority
    version: str = ""
    loader: str = ""
    fallback: str | None = None
    reason: str = ""
    memory_bytes: int = 0
    size_bytes: int = 0
    load_s: float = 0.0
    pid: int | None = None
    restarts: int = 0
    allow_pickle: bool = False
    allow_code: bool = False
    schema: Schema = _UNDECLARED


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole service at one moment.

    Attributes:
        ready: whether an orchestrator may send requests.
        missing: per required slot that is not ready, one sentence.
    """

    phase: Phase
    ready: bool
    missing: tuple[str, ...]
    slots: tuple[SlotStatus, ...]


def required(slots: Sequence[SlotStatus]) -> tuple[SlotStatus, ...]:
    """The slots that readiness waits for: the critical ones, else those loaded at start.

    Where every model is lazy, nothing is waited for; they load on first use.
    """
    critical = tuple(slot for slot in slots if slot.priority is Priority.CRITICAL)
    return critical or tuple(slot for slot in slots if slot.priority is Priority.PRELOAD)


def judge(slots: Sequence[SlotStatus]) -> Overview:
    """Phase, readiness and what is missing. An empty set is never ready.

    A required slot that failed counts as ready while its fallback is, or the
    fallback's own: requests are answered, and the phase says degraded.
    """
    if not slots:
        return Overview(Phase.INIT, ready=False, missing=("no model is served",), slots=())
    by_name = {slot.name: slot for slot in slots}
    missing = tuple(
        f"{slot.name} is {slot.state}: {slot.reason or 'it has not begun to load'}"
        for slot in required(slots)
        if not _answers(slot, by_name)
    )
    return Overview(_phase(slots, bool(missing)), not missing, missing, tuple(slots))


def _answers(slot: SlotStatus, by_name: dict[str, SlotStatus]) -> bool:
    seen = {slot.name}
    while slot.state is State.FAILED and slot.fallback in by_name and slot.fallback not in seen:
        slot = by_name[slot.fallback]
        seen.add(slot.name)
    return slot.state is State.READY


def _phase(slots: Sequence[SlotStatus], incomplete: bool) -> Phase:
    if any(slot.state is State.FAILED for slot in slots):
        return Phase.DEGRADED
    if incomplete:
        return Phase.INIT
    at_start = [slot for slot in slots if slot.priority is not Priority.LAZY]
    if all(slot.state is State.READY for slot in slots):
        return Phase.FULLY_READY
    if all(slot.state is State.READY for slot in at_start):
        return Phase.MODELS_READY
    if any(slot.state in (State.LOADING, State.FETCHING) for slot in at_start):
        return Phase.MODELS_LOADING
    return Phase.CORE_READY
