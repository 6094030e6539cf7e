# SPDX-License-Identifier: Apache-2.0
"""All served names: started in order, asked by name, ended together."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial

from modelkeep.loaders.base import Values
from modelkeep.runtime.phases import Overview, Phase, Priority, State, judge
from modelkeep.runtime.restart import RestartPolicy
from modelkeep.runtime.routing import Route
from modelkeep.runtime.served import Answer, Bring, Served, Terms, in_background
from modelkeep.runtime.slot import Slot
from modelkeep.spec.emit import Emit, ignore
from modelkeep.spec.errors import UnknownModel
from modelkeep.spec.events import PhaseChanged, ServiceSummary
from modelkeep.spec.tensor import Schema

_REAP_MARGIN_S = 5.0
_PATIENT = RestartPolicy()


class Pool:
    """The runtime's way in.

    Args:
        served: what is served, in the order in which it loads.
        bring: makes a model's files present and says how to load it; called
            from threads of the pool, for different names at once.
        max_parallel_loads: so many models are brought and loaded at once.
        startup_timeout_s: what one load may take once its files are there, and
            how long a question waits for a lazy model.
        shutdown_grace_s: what running answers get at ``close`` and ``unload``.
        environment: all variables of the workers; None hands on the parent's.
        emit: is told what happens, from any thread; it must not raise, nor
            load or unload.
    """

    def __init__(
        self,
        served: Sequence[Served],
        bring: Bring,
        *,
        max_parallel_loads: int = 2,
        startup_timeout_s: float = 600.0,
        shutdown_grace_s: float = 30.0,
        environment: Mapping[str, str] | None = None,
        emit: Emit = ignore,
        restarts: RestartPolicy = _PATIENT,
    ) -> None:
        self._emit = emit
        self._grace_s = shutdown_grace_s
        self._closed = threading.Event()
        self._settled = threading.Event()
        self._phase: Phase | None = None
        # A listener may ask for an overview while it is told of a phase.
        self._telling = threading.RLock()
        terms = Terms(
            bring=bring,
            gate=threading.Semaphore(max_parallel_loads),
            startup_timeout_s=startup_timeout_s,
            environment=environment,
            emit=emit,
            changed=self._changed,
            restarts=restarts,
        )
        self._slots = {one.name: Slot(one, terms) for one in served}

    def start(self) -> None:
        """Begin to load, critical models first; returns at once."""
        self._tell_phase()
        in_background("start", self._start)

    def wait_settled(self, timeout_s: float | None = None) -> bool:
        """Wait until everything that loads at start is ready or has failed."""
        return self._settled.wait(timeout_s)

    def predict(self, name: str, values: Values) -> Future[Answer]:
        """Ask a model; never blocks.

        A model that has failed is answered for by its fallback, or by the
        fallback's own. A lazy model loads, and the question waits for it.

        Returns:
            A future that raises UnknownModel, NotReady with the reason, BadInput
            or PredictFailed. Cancelling it drops a question that waits.
        """
        if name in self._slots:
            return Route(self._chain(name), values).go()
        answer: Future[Answer] = Future()
        answer.set_exception(self._unknown(name))
        return answer

    def schema(self, name: str) -> Schema:
        """What a model takes and gives; empty before it has been loaded.

        Raises:
            UnknownModel: it is not served.
        """
        return self._slot(name).status().schema

    def overview(self) -> Overview:
        """Every slot, the phase, and what readiness waits for."""
        return judge([slot.status() for slot in self._slots.values()])

    def load(self, name: str) -> None:
        """Load a model, also one that has failed before. Blocks.

        Raises:
            UnknownModel: it is not served.
            KeepError: why it did not load.
        """
        self._slot(name).load()

    def unload(self, name: str, grace_s: float | None = None) -> int:
        """End a model's process once it has answered. Blocks.

        Returns:
            Bytes (PSS) that the process held before its end; 0 where none ran.

        Raises:
            UnknownModel: it is not served.
        """
        return self._slot(name).unload(self._grace_s if grace_s is None else grace_s)

    def close(self, grace_s: float | None = None) -> None:
        """Take no more questions, answer the running ones, end and reap every process.

        Blocks for about the grace at most. May be called again.
        """
        self._closed.set()
        grace = self._grace_s if grace_s is None else grace_s
        threads = [
            in_background(f"close {name}", partial(slot.close, grace))
            for name, slot in self._slots.items()
        ]
        for thread in threads:
            thread.join(grace + _REAP_MARGIN_S)
        self._settled.set()

    # -- starting --------------------------------------------------------------

    def _start(self) -> None:
        for priority in (Priority.CRITICAL, Priority.PRELOAD):
            if self._closed.is_set():
                return
            threads = [
                slot.begin() for slot in self._slots.values() if slot.served.priority is priority
            ]
            for thread in threads:
                thread.join()
        if self._closed.is_set():
            return
        slots = self.overview().slots
        by_state = {
            state: tuple(slot.name for slot in slots if slot.state is state)
            for state in (State.READY, State.FAILED)
        }
        loaded, failed = by_state[State.READY], by_state[State.FAILED]
        waiting = tuple(slot.name for slot in slots if slot.name not in (*loaded, *failed))
        self._emit(ServiceSummary(loaded, waiting, failed))
        self._settled.set()

    def _changed(self, name: str) -> None:
        self._tell_phase()
        status = self._slots[name].status()
        if status.state is State.FAILED and not self._closed.is_set():
            self._wake_fallback(status.fallback)

    def _wake_fallback(self, name: str | None) -> None:
        # Readiness waits for a failed model's fallback; a lazy one would sleep on.
        spare = self._slots.get(name or "")
        lazy = spare is not None and spare.served.priority is Priority.LAZY
        if spare is not None and lazy and spare.status().state is State.EMPTY:
            spare.begin()

    def _tell_phase(self) -> None:
        with self._telling:
            overview = self.overview()
            # On the way out every slot empties; that is no phase of a start-up.
            if overview.phase is not self._phase and not self._closed.is_set():
                self._phase = overview.phase
                self._emit(PhaseChanged(overview.phase, "; ".join(overview.missing)))

    # -- asking ----------------------------------------------------------------

    def _unknown(self, name: str) -> UnknownModel:
        served = ", ".join(self._slots) or "none"
        return UnknownModel(f"model {name}", f"one that is served: {served}", "no such name")

    def _slot(self, name: str) -> Slot:
        if name not in self._slots:
            raise self._unknown(name)
        return self._slots[name]

    def _chain(self, name: str) -> tuple[Slot, ...]:
        """A slot, its fallback, the fallback's own, …; each once."""
        chain: list[Slot] = []
        spare: str | None = name
        while spare in self._slots and self._slots[spare] not in chain:
            chain.append(self._slots[spare])
            spare = chain[-1].served.fallback
        return tuple(chain)
