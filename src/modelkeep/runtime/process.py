# SPDX-License-Identifier: Apache-2.0
"""The parent's side of one worker: start it, ask it, end it, always reap it.

Three threads per worker, none of them the caller's: one writes, so that
asking never blocks; one reads; one waits for the end of the process.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from typing import Any

from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.runtime.channel import Channel
from modelkeep.runtime.codec import BrokenChannel
from modelkeep.runtime.crossing import error_of_tree, schema_of_tree, tree_of_spec
from modelkeep.spec.errors import BadInput, InvalidValue, LoadFailed, PredictFailed
from modelkeep.spec.tensor import Schema

TERM_GRACE_S = 2.0
_LAST_ANSWERS_S = 5.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker tells once its model is there.

    Attributes:
        wall_s: what the load took inside the worker.
        memory_bytes: by how much the worker grew (PSS).
    """

    schema: Schema
    wall_s: float
    memory_bytes: int


class Worker:
    """One child process with one model.

    Args:
        spec: what it loads; it begins at once.
        environment: all of the child's variables; None hands on the parent's.
        on_exit: called once, from a thread of the worker, after the process was
            reaped and every question has failed; told how it ended.

    Raises:
        InvalidValue: an option that cannot travel to a process.
    """

    def __init__(
        self,
        spec: LoadSpec,
        environment: Mapping[str, str] | None = None,
        *,
        on_exit: Callable[[Worker, str], None] = lambda worker, how: None,
    ) -> None:
        self._subject = f"model {spec.name}"
        self._loaded: Future[Loaded] = Future()
        self._lock = threading.Lock()
        self._asked: dict[int, Future[Any]] = {}
        self._next = 0
        self._ended = threading.Event()
        self._on_exit = on_exit
        self._outbox: queue.SimpleQueue[tuple[int, Mapping[str, Any]] | None] = queue.SimpleQueue()
        ours, theirs = socket.socketpair()
        with theirs:
            self._channel = Channel(ours)
            try:
                self._process = _start(theirs.fileno(), environment)
            except OSError as error:
                self._channel.close()
                raise LoadFailed(self._subject, "a process for it", str(error)) from error
        self._outbox.put((-1, {"do": "load", "spec": tree_of_spec(spec)}))
        self._reader = threading.Thread(target=self._read, name=f"read {spec.name}", daemon=True)
        self._writer = threading.Thread(target=self._write, name=f"write {spec.name}", daemon=True)
        self._reader.start()
        self._writer.start()
        threading.Thread(target=self._wait, name=f"wait {spec.name}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet, as far as is known."""
        return not self._ended.is_set()

    def wait_loaded(self, timeout_s: float) -> Loaded:
        """Wait until the model is there.

        Raises:
            LoadFailed: it took too long (the process is then ended), or the
                process ended.
            KeepError: what the loader raised.
        """
        try:
            return self._loaded.result(timeout_s)
        except FutureTimeout:
            self.kill()
            expected = f"it loaded within {timeout_s:g} s"
            raise LoadFailed(self._subject, expected, "still loading; ended") from None

    def predict(self, values: Values, answer: Future[Values] | None = None) -> Future[Values]:
        """Ask the model. Never blocks; answers come in the order of the questions.

        Args:
            values: inputs; do not change them before the answer is there.
            answer: the future to settle, where the caller has one already.

        Returns:
            A future; it may be cancelled until its question has been sent. It
            raises what the model raised, BadInput where the values cannot
            travel, PredictFailed where the process ended.
        """
        future: Future[Values] = Future() if answer is None else answer
        return self._ask({"do": "predict", "values": values}, future)

    def ping(self) -> Future[None]:
        """Ask for a sign of life; answered even while the model loads or computes."""
        return self._ask({"do": "ping"}, Future())

    def stop(self, grace_s: float) -> None:
        """End the process: let it finish what it was asked, then insist, then kill it.

        Blocks until it was reaped, for about ``grace_s`` + 2 s at most.
        """
        self._outbox.put((-1, {"do": "stop"}))
        if not self._ended.wait(grace_s):
            self._signal(signal.SIGTERM)
            if not self._ended.wait(TERM_GRACE_S):
                self.kill()

    def kill(self) -> None:
        """End the process now, and reap it."""
        self._signal(signal.SIGKILL)
        self._ended.wait()

    def _ask(self, message: Mapping[str, Any], future: Future[Any]) -> Future[Any]:
        with self._lock:
            number = self._next
            self._next += 1
            if not self._ended.is_set():
                self._asked[number] = future
                self._outbox.put((number, {**message, "id": number}))
                return future
        _settle(future, error=PredictFailed(self._subject, "an answer", self._how()))
        return future

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _write(self) -> None:
        while (item := self._outbox.get()) is not None:
            number, message = item
            future = self._asked.get(number)
            if future is not None and not future.set_running_or_notify_cancel():
                self._forget(number)
                continue
            try:
                self._channel.send(message)
            except InvalidValue as error:
                self._unsendable(number, error)
            except BrokenChannel:
                return  # the waiting thread settles what is open

    def _unsendable(self, number: int, error: InvalidValue) -> None:
        future = self._forget(number)
        if future is not None:
            _settle(future, error=BadInput(error.subject, error.expected, error.got))
        elif not self._loaded.done():
            failed = LoadFailed(f"{self._subject}: options", error.expected, error.got)
            _settle(self._loaded, error=failed)
            self._channel.hang_up()

    def _read(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self._take(message)
        except (BrokenChannel, KeyError, TypeError, InvalidValue):
            # Cut off in the middle, or not our worker's words: either way it is over.
            self._signal(signal.SIGKILL)

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message["is"]
        if kind == "loaded":
            schema = schema_of_tree(message["schema"])
            loaded = Loaded(schema, message["wall_s"], message["memory_bytes"])
            _settle(self._loaded, result=loaded)
        elif kind == "failed":
            _settle(self._loaded, error=error_of_tree(message["error"]))
        else:
            future = self._forget(message["id"])
            if future is None:
                return
            if kind == "error":
                _settle(future, error=error_of_tree(message["error"]))
            else:
                _settle(future, result=message.get("values"))

    def _forget(self, number: int) -> Future[Any] | None:
        with self._lock:
            return self._asked.pop(number, None)

    def _wait(self) -> None:
        self._process.wait()
        # Answers that were written before the end are still to be read; a child of the
        # worker's own may hold the channel open, so not for ever.
        self._reader.join(_LAST_ANSWERS_S)
        self._channel.hang_up()
        self._reader.join()
        self._outbox.put(None)
        self._writer.join()
        self._channel.close()
        with self._lock:
            self._ended.set()
            open_ones = list(self._asked.values())
            self._asked.clear()
        how = self._how()
        _settle(self._loaded, error=LoadFailed(self._subject, "it to load", how))
        for future in open_ones:
            _settle(future, error=PredictFailed(self._subject, "an answer", how))
        self._on_exit(self, how)

    def _how(self) -> str:
        return how_it_ended(self._process.returncode)


def how_it_ended(code: int | None) -> str:
    """A return code for people: ``its process was ended by SIGKILL``."""
    if code is None or code >= 0:
        return f"its process ended with exit code {code}"
    try:
        return f"its process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its process was ended by signal {-code}"


def _start(descriptor: int, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    # -P: the folder in which the service was started is no place to import from.
    command = [sys.executable, "-P", "-m", "modelkeep.runtime.worker", str(descriptor)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, pass_fds=(descriptor,), env=environment
    )


def _settle(
    future: Future[Any], *, result: object = None, error: BaseException | None = None
) -> None:
    # Whoever waits may have cancelled it meanwhile.
    with contextlib.suppress(InvalidStateError):
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
