# SPDX-License-Identifier: Apache-2.0
"""One served name: its worker, its state, and who is being answered.

The state is moved under one lock; events and callbacks happen outside of it.
Loads and unloads of a slot follow each other, so an unload waits for a load
that has begun.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.runtime import memory
from modelkeep.runtime.phases import Priority, SlotStatus, State
from modelkeep.runtime.process import Loaded, Worker
from modelkeep.runtime.served import Served, Terms, in_background
from modelkeep.runtime.waiting import Waiting
from modelkeep.spec.errors import KeepError, LoadFailed, NotReady
from modelkeep.spec.events import ModelFailed, ModelLoaded, ModelLoading, ModelUnloaded
from modelkeep.spec.tensor import Schema

_REAP_GRACE_S = 1.0
_CLOSING = "the service is closing"


class Slot:
    """A name that answers, or says why not.

    Args:
        served: what it is.
        terms: what it shares with the other slots.
    """

    def __init__(self, served: Served, terms: Terms) -> None:
        self.served = served
        self._subject = f"model {served.name}"
        self._terms = terms
        self._lock = threading.Condition()
        self._changing = threading.Lock()
        self._closed = threading.Event()
        self._waiting = Waiting(self._subject)
        self._state = State.EMPTY
        self._reason = "it has not begun to load"
        self._worker: Worker | None = None
        self._loaded = Loaded(Schema(), 0.0, 0)
        self._leases = 0
        self._restarts: list[float] = []

    def status(self) -> SlotStatus:
        """How it stands at this moment."""
        with self._lock:
            served, ready = self.served, self._state is State.READY
            return SlotStatus(
                name=served.name,
                state=self._state,
                priority=served.priority,
                version=served.version,
                loader=served.loader,
                fallback=served.fallback,
                reason=self._reason,
                memory_bytes=self._loaded.memory_bytes if ready else 0,
                size_bytes=served.size_bytes,
                load_s=self._loaded.wall_s,
                pid=self._worker.pid if self._worker is not None else None,
                restarts=len(self._restarts),
                allow_pickle=served.allow_pickle,
                allow_code=served.allow_code,
                schema=self._loaded.schema,
            )

    def predict(self, values: Values) -> Future[Values]:
        """Ask the model; a lazy one begins to load, and the question waits for it.

        Raises:
            NotReady: it cannot answer now; with the reason.
        """
        with self._lock:
            state, worker = self._state, self._worker
            if state is State.READY:
                self._leases += 1
            elif not self._may_wait():
                raise NotReady(self._subject, "it ready", f"{state}: {self._reason}")
            else:
                answer = self._waiting.add(values, self._terms.startup_timeout_s)
                if state is State.EMPTY:
                    self._set(State.FETCHING, "its first question has come")
        if state is State.READY and worker is not None:
            return self._lend(worker, values, Future())
        if state is State.EMPTY:
            self.begin()
        return answer

    def begin(self) -> threading.Thread:
        """Load on a thread; how it went is in the status."""
        return in_background(f"load {self.served.name}", self._try_load)

    def load(self) -> None:
        """Load, unless it is ready. Blocks.

        Raises:
            NotReady: the service is closing.
            KeepError: why it did not load.
        """
        with self._changing:
            if not self._is(State.READY):
                self._load()

    def unload(self, grace_s: float) -> int:
        """Answer what is being answered, then end the process. Blocks.

        Args:
            grace_s: for the answers; after it the process is ended.

        Returns:
            Bytes (PSS) that the process held before it ended.
        """
        with self._changing:
            return self._end(grace_s, "it was unloaded")

    def close(self, grace_s: float) -> None:
        """End for good; a load that has begun is cut off. Blocks."""
        deadline = time.monotonic() + grace_s
        with self._lock:
            self._closed.set()
            state, worker = self._state, self._worker
        self._waiting.refuse(NotReady(self._subject, "it ready", _CLOSING))
        if state is State.FETCHING:
            return  # nothing runs yet, and nothing will
        if state is State.LOADING and worker is not None:
            worker.kill()
        if self._changing.acquire(timeout=grace_s):
            try:
                self._end(max(0.0, deadline - time.monotonic()), _CLOSING)
            finally:
                self._changing.release()
        elif worker is not None:
            worker.kill()  # an unload with a longer grace than ours

    # -- loading ---------------------------------------------------------------

    def _try_load(self) -> None:
        try:
            self.load()
        except KeepError:
            return  # it stands in the status

    def _load(self) -> None:
        self._move(State.FETCHING, "it waits for its turn to load")
        try:
            with self._terms.gate:
                self._move(State.FETCHING, "its files are being made present")
                spec = self._bring()
                self._move(State.LOADING, "its loader is at work")
                path, size_bytes = str(spec.folder), self.served.size_bytes
                self._terms.emit(ModelLoading(self.served.name, path, size_bytes))
                loaded = self._run(spec)
        except KeepError as error:
            self._fail(error)
            raise
        memory_bytes, wall_s = loaded.memory_bytes, loaded.wall_s
        self._terms.emit(ModelLoaded(self.served.name, path, size_bytes, wall_s, memory_bytes))
        self._terms.changed(self.served.name)

    def _bring(self) -> LoadSpec:
        self._check_open()
        try:
            return self._terms.bring(self.served.name)
        except KeepError:
            raise
        except Exception as error:  # a stranger's callable; else the slot would wait for ever
            got = f"{type(error).__name__}: {error}"
            raise LoadFailed(self._subject, "its files", got) from error

    def _run(self, spec: LoadSpec) -> Loaded:
        with self._lock:
            self._check_open()
            worker = Worker(spec, self._terms.environment, on_exit=self._exited)
            self._worker = worker
        try:
            loaded = worker.wait_loaded(self._terms.startup_timeout_s)
            self._open(worker, loaded)
        except KeepError:
            worker.stop(_REAP_GRACE_S)
            raise
        return loaded

    def _open(self, worker: Worker, loaded: Loaded) -> None:
        with self._lock:
            self._check_open()
            # An end before this line is this load's failure, one after it a crash.
            if not worker.alive:
                raise LoadFailed(self._subject, "it ready", "its process ended at once")
            self._loaded = loaded
            self._set(State.READY, "")
            questions = self._waiting.take()
            self._leases += len(questions)
        for question in questions:
            self._lend(worker, question.values, question.answer)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise NotReady(self._subject, "it loaded", _CLOSING)

    def _fail(self, error: KeepError) -> None:
        with self._lock:
            self._worker = None
            closed = self._closed.is_set()
            self._set(State.EMPTY if closed else State.FAILED, str(error))
        if not closed:
            self._terms.emit(ModelFailed(self.served.name, str(error)))
        self._terms.changed(self.served.name)
        self._waiting.refuse(NotReady(self._subject, "it loaded", str(error)))

    # -- ending ----------------------------------------------------------------

    def _end(self, grace_s: float, reason: str) -> int:
        deadline = time.monotonic() + grace_s
        with self._lock:
            worker = self._worker if self._state is State.READY else None
            if worker is None:
                self._set(State.EMPTY, reason)
            else:
                self._set(State.DRAINING, "it answers what it was asked before it ends")
        self._terms.changed(self.served.name)
        if worker is None:
            self._waiting.refuse(NotReady(self._subject, "it loaded", reason))
            return 0
        with self._lock:
            self._lock.wait_for(lambda: self._leases == 0, grace_s)
        held_bytes = memory.held_by(worker.pid)
        worker.stop(max(_REAP_GRACE_S, deadline - time.monotonic()))
        with self._lock:
            self._worker = None
            self._set(State.EMPTY, reason)
        self._terms.emit(ModelUnloaded(self.served.name))
        self._terms.changed(self.served.name)
        return held_bytes

    def _exited(self, worker: Worker, how: str) -> None:
        with self._lock:
            ready = self._worker is worker and self._state is State.READY
            if not ready or self._closed.is_set():
                return  # an end that was asked for, or that the load reports
            self._worker = None
            now = time.monotonic()
            wait_s = self._terms.restarts.wait_s(self._restarts, now)
            if wait_s is None:
                self._set(State.FAILED, f"{how}; it was restarted often enough")
            else:
                self._restarts.append(now)
                self._set(State.LOADING, f"{how}; it restarts in {wait_s:g} s")
            reason = self._reason
        self._terms.emit(ModelFailed(self.served.name, reason))
        self._terms.changed(self.served.name)
        if wait_s is not None and not self._closed.wait(wait_s):
            with self._changing:
                # Meanwhile somebody may have loaded or unloaded it.
                if self._is(State.LOADING):
                    self._reload()

    def _reload(self) -> None:
        try:
            self._load()
        except KeepError:
            return  # it stands in the status

    # -- small parts -----------------------------------------------------------

    def _lend(self, worker: Worker, values: Values, answer: Future[Values]) -> Future[Values]:
        # The caller has counted the lease, under the lock under which it saw the worker.
        answer.add_done_callback(self._give_back)
        return worker.predict(values, answer)

    def _give_back(self, answer: Future[Values]) -> None:
        with self._lock:
            self._leases -= 1
            self._lock.notify_all()

    def _may_wait(self) -> bool:
        patient = self._state in (State.EMPTY, State.FETCHING, State.LOADING)
        return self.served.priority is Priority.LAZY and patient and not self._closed.is_set()

    def _is(self, state: State) -> bool:
        with self._lock:
            return self._state is state

    def _move(self, state: State, reason: str) -> None:
        with self._lock:
            self._set(state, reason)
        self._terms.changed(self.served.name)

    def _set(self, state: State, reason: str) -> None:
        self._state, self._reason = state, reason
