# SPDX-License-Identifier: Apache-2.0
"""The child's main: loads one model, answers for it, ends with its parent.

The main thread loads and answers, in order; a second one reads, and answers
a ping at once. The parent alone decides when the worker ends: it says so, or
hangs up. (The kernel's parent-death signal is no help here: Linux sends it
when the thread that started the child ends, prctl(2).)
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from modelkeep.loaders import load
from modelkeep.loaders.guarded import Guarded
from modelkeep.runtime import memory
from modelkeep.runtime.channel import Channel
from modelkeep.runtime.codec import BrokenChannel
from modelkeep.runtime.crossing import spec_of_tree, tree_of_error, tree_of_schema
from modelkeep.spec.errors import InvalidValue, KeepError, PredictFailed

_log = logging.getLogger(__name__)
_ORPHAN_GRACE_S = 5.0


class _Ended(BaseException):
    """The parent insists; goes through every handler of a model's code."""


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._work: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._stopping = False
        self._orphan = False

    def run(self) -> None:
        """Load, answer until told to stop, close."""
        first = self._channel.receive()
        if first is None:
            return
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        signal.signal(signal.SIGTERM, self._terminated)
        model: Guarded | None = None
        try:
            model = self._load(first["spec"])
            while model is not None and (asked := self._work.get()) is not None:
                if not self._orphan:
                    self._answer(model, asked)
        except BrokenChannel:
            _log.info("the parent is gone")
        except _Ended:
            _log.warning("ended before the work was done")
        finally:
            if model is not None:
                model.close()

    def _load(self, tree: Mapping[str, Any]) -> Guarded | None:
        before_bytes, start = memory.held_by(os.getpid()), time.monotonic()
        try:
            model = load(spec_of_tree(tree))
        except KeepError as error:
            self._channel.send({"is": "failed", "error": tree_of_error(error)})
            return None
        report = {
            "is": "loaded",
            "schema": tree_of_schema(model.schema),
            "wall_s": time.monotonic() - start,
            "memory_bytes": max(0, memory.held_by(os.getpid()) - before_bytes),
        }
        self._channel.send(report)
        return model

    def _answer(self, model: Guarded, asked: Mapping[str, Any]) -> None:
        try:
            values = dict(model.predict(asked["values"]))
            self._channel.send({"is": "answer", "id": asked["id"], "values": values})
        except BrokenChannel:
            raise
        except InvalidValue as error:
            # The model answered with something that cannot travel.
            failed = PredictFailed(error.subject, error.expected, error.got)
            self._refuse(asked, failed)
        except KeepError as error:
            self._refuse(asked, error)

    def _refuse(self, asked: Mapping[str, Any], error: KeepError) -> None:
        message = {"is": "error", "id": asked["id"], "error": tree_of_error(error)}
        self._channel.send(message)

    def _read(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self._take(message)
        except BrokenChannel as error:
            _log.info("%s", error)
        self._orphan = self._stopping = True
        self._work.put(None)
        # The main thread may be deep in a framework's code and never look up.
        time.sleep(_ORPHAN_GRACE_S)
        os._exit(1)

    def _take(self, message: Mapping[str, Any]) -> None:
        if message["do"] == "predict":
            self._work.put(message)
        elif message["do"] == "ping":
            self._channel.send({"is": "pong", "id": message["id"]})
        elif message["do"] == "stop":
            self._stopping = True
            self._work.put(None)

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        # A supervisor may signal the whole group; the parent drains first.
        if self._stopping:
            raise _Ended


def main(arguments: Sequence[str]) -> int:
    """Serve the socket whose descriptor is the one argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptor = int(arguments[0])
    # Whatever a model starts must not keep the channel open.
    os.set_inheritable(descriptor, False)
    end = socket.socket(fileno=descriptor)
    _Worker(Channel(end)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
