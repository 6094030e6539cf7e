# SPDX-License-Identifier: Apache-2.0
"""Questions that wait for a model to load, each no longer than it was promised."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from modelkeep.loaders.base import Values
from modelkeep.spec.errors import KeepError, NotReady


@dataclass(frozen=True, slots=True)
class Question:
    """Inputs, the future that their answer settles, and when it gives up."""

    values: Values
    answer: Future[Values]
    deadline: float


class Waiting:
    """The queue of one slot; a timer runs only while somebody waits.

    Args:
        subject: what the error of an expired question is about.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._lock = threading.Lock()
        self._questions: list[Question] = []
        self._timer: threading.Timer | None = None

    def add(self, values: Values, timeout_s: float) -> Future[Values]:
        """Let a question wait; after ``timeout_s`` its future raises NotReady."""
        answer: Future[Values] = Future()
        with self._lock:
            self._questions.append(Question(values, answer, time.monotonic() + timeout_s))
            if self._timer is None:
                self._arm(timeout_s)
        return answer

    def take(self) -> list[Question]:
        """Everybody who waits; they wait no longer."""
        with self._lock:
            taken, self._questions = self._questions, []
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return taken

    def refuse(self, error: KeepError) -> None:
        """Fail everybody who waits."""
        for question in self.take():
            _refuse(question, error)

    def _arm(self, wait_s: float) -> None:
        timer = threading.Timer(wait_s, self._expire)
        timer.daemon = True
        timer.start()
        self._timer = timer

    def _expire(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [one for one in self._questions if one.deadline <= now]
            self._questions = [one for one in self._questions if one.deadline > now]
            self._timer = None
            if self._questions:
                self._arm(min(one.deadline for one in self._questions) - now)
        for question in late:
            _refuse(question, NotReady(self._subject, "it loaded in time", "still loading"))


def _refuse(question: Question, error: KeepError) -> None:
    with contextlib.suppress(InvalidStateError):
        question.answer.set_exception(error)
