# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from modelkeep.runtime.waiting import Waiting
from modelkeep.spec.errors import NotReady


def test_each_question_waits_no_longer_than_it_was_promised() -> None:
    waiting = Waiting("model m")
    late = waiting.add({"x": 1}, 0.05)
    later = waiting.add({"x": 2}, 0.3)
    patient = waiting.add({"x": 3}, 600)
    for answer in (late, later):
        with pytest.raises(NotReady, match="model m: expected it loaded in time"):
            answer.result(30)
    assert [one.values for one in waiting.take()] == [{"x": 3}]
    assert not patient.done()


def test_whoever_is_taken_waits_no_longer() -> None:
    waiting = Waiting("model m")
    answer = waiting.add({}, 0.05)
    (question,) = waiting.take()
    assert question.answer is answer
    assert waiting.take() == []
    with pytest.raises(NotReady):
        waiting.add({}, 0.1).result(30)
    assert not answer.done()


def test_all_are_refused_but_those_that_gave_up() -> None:
    waiting = Waiting("model m")
    gone, here = waiting.add({}, 600), waiting.add({}, 600)
    gone.cancel()
    waiting.refuse(NotReady("model m", "it ready", "failed"))
    assert gone.cancelled()
    with pytest.raises(NotReady, match="failed"):
        here.result(30)
