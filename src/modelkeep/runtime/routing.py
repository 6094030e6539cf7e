# SPDX-License-Identifier: Apache-2.0
"""One question on its way through a slot and, where that has failed, its fallbacks."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from functools import partial

from modelkeep.loaders.base import Values
from modelkeep.runtime.phases import State
from modelkeep.runtime.served import Answer
from modelkeep.runtime.slot import Slot
from modelkeep.spec.errors import NotReady


class Route:
    """Asks slot after slot until one takes the question.

    Args:
        chain: the slot that was named, its fallback, the fallback's own, ….
        values: the question.
    """

    def __init__(self, chain: Sequence[Slot], values: Values) -> None:
        self._first, *others = chain
        self._spares = iter(others)
        self._values = values
        self._told: NotReady | None = None
        self._answer: Future[Answer] = Future()

    def go(self) -> Future[Answer]:
        """Set out. The future raises what the model raised, or the first slot's NotReady."""
        self._ask(self._first)
        return self._answer

    def _ask(self, slot: Slot) -> None:
        try:
            inner = slot.predict(self._values)
        except NotReady as error:
            self._refused(slot, error)
            return
        inner.add_done_callback(partial(self._settled, slot))
        self._answer.add_done_callback(lambda given: inner.cancel() if given.cancelled() else None)

    def _settled(self, slot: Slot, inner: Future[Values]) -> None:
        if inner.cancelled():
            self._answer.cancel()
            return
        error = inner.exception()
        if isinstance(error, NotReady):
            # It waited for a load that then failed.
            self._refused(slot, error)
            return
        with contextlib.suppress(InvalidStateError):
            if error is not None:
                self._answer.set_exception(error)
            else:
                name, version = slot.served.name, slot.served.version
                self._answer.set_result(Answer(name, version, inner.result()))

    def _refused(self, slot: Slot, error: NotReady) -> None:
        self._told = self._told or error
        failed = slot.status().state is State.FAILED
        spare = next(self._spares, None) if failed else None
        if spare is not None:
            self._ask(spare)
            return
        with contextlib.suppress(InvalidStateError):
            self._answer.set_exception(self._told)
