# SPDX-License-Identifier: Apache-2.0
"""A service that answers with what it was asked, and misbehaves by a model's name.

Run as a program it serves on a free port: it prints ``port N``, ``asked NAME``
for every prediction and, once the server has returned, ``closed``; a line on
its input opens the gate on which the model ``slow`` waits.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from modelkeep.loaders.base import Values
from modelkeep.runtime.phases import Overview, Priority, SlotStatus, State, judge
from modelkeep.runtime.served import Answer
from modelkeep.server.app import build_app
from modelkeep.server.run import serve
from modelkeep.spec.errors import BadInput, LoadFailed, NotReady, PredictFailed, UnknownModel
from modelkeep.spec.tensor import Schema, TensorSpec

SCHEMA = Schema(
    inputs=(TensorSpec("x", "FP32", (-1, 2)),),
    outputs=(TensorSpec("x", "FP32", (-1, 2)),),
    platform="echo",
)
SLOTS = (
    SlotStatus(
        "echo", State.READY, Priority.CRITICAL, version="0123456789ab", loader="mock", schema=SCHEMA
    ),
    SlotStatus("slow", State.READY, Priority.CRITICAL),
    SlotStatus("broken", State.READY, Priority.CRITICAL),
    SlotStatus("buggy", State.READY, Priority.CRITICAL),
    SlotStatus("picky", State.READY, Priority.CRITICAL),
    SlotStatus("dropped", State.READY, Priority.CRITICAL),
    SlotStatus("odd", State.READY, Priority.CRITICAL),
    SlotStatus("failed", State.FAILED, Priority.LAZY, version="ba9876543210", fallback="echo"),
    SlotStatus("absent", State.EMPTY, Priority.LAZY, reason="not asked for yet"),
)


class Echo:
    """The outside of the server: models that echo."""

    def __init__(self, *, on_asked: Callable[[str], None] = lambda name: None) -> None:
        self.slots: tuple[SlotStatus, ...] = SLOTS
        self.gate = threading.Event()
        self.asked = threading.Semaphore(0)
        self.on_asked = on_asked
        self.loads: list[tuple[str, str]] = []
        self.values: Values = {}
        self.threads = ThreadPoolExecutor(4)

    def overview(self) -> Overview:
        return judge(self.slots)

    def predict(self, name: str, values: Values) -> Future[Answer]:
        self.values = values
        self.on_asked(name)
        self.asked.release()
        if name == "absent":
            raise NotReady("model absent", "it loaded", "empty")
        if name == "dropped":
            lost: Future[Answer] = Future()
            lost.cancel()
            return lost
        return self.threads.submit(self._answer, name, values)

    def _answer(self, name: str, values: Values) -> Answer:
        if name == "slow":
            self.gate.wait(60)
        if name == "broken":
            raise PredictFailed("model broken", "an answer", "ZeroDivisionError: by zero")
        if name == "picky":
            raise BadInput("input x", "a cat", "a dog")
        if name == "buggy":
            raise RuntimeError("a private detail")
        if name == "failed":
            return Answer("echo", "0123456789ab", values)
        if name == "odd":
            return Answer(name, "", {"raw": b"\xff", "table": {"a": 1}, "no": {1}})
        return Answer(name, self._find(name).version, values)

    def load(self, name: str) -> Future[None]:
        self.loads.append(("load", name))
        if name == "broken":
            raise LoadFailed("model broken", "it to load", "no memory")
        return self.threads.submit(lambda: None)

    def unload(self, name: str) -> Future[None]:
        self.loads.append(("unload", name))
        return self.threads.submit(lambda: None)

    def _find(self, name: str) -> SlotStatus:
        for slot in self.slots:
            if slot.name == name:
                return slot
        raise UnknownModel(f"model {name}", "a known one", name)

    def close(self) -> None:
        self.gate.set()
        self.threads.shutdown()


def main() -> None:
    echo = Echo(on_asked=lambda name: print("asked", name, flush=True))

    def open_gate() -> None:
        sys.stdin.readline()
        echo.gate.set()

    threading.Thread(target=open_gate, daemon=True).start()
    serve(
        build_app(echo, max_body_bytes=1000),
        host="127.0.0.1",
        port=0,
        grace_s=60,
        on_listening=lambda port: print("port", port, flush=True),
    )
    echo.close()
    print("closed", flush=True)


if __name__ == "__main__":
    main()
