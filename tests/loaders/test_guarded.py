# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelkeep.loaders.base import LoadSpec
from modelkeep.loaders.guarded import Guarded, load_with
from modelkeep.spec.errors import BadInput, ForbiddenFormat, LoadFailed, PredictFailed
from modelkeep.spec.tensor import Schema

SPEC = LoadSpec("pat", Path("/nowhere"), "theirs")


class Theirs:
    """A loader and model in one, which does what it is told."""

    schema = Schema()

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def weigh(self, spec: LoadSpec) -> int:
        return 0

    def load(self, spec: LoadSpec) -> Theirs:
        self.act()
        return self

    def predict(self, inputs: Any) -> Any:
        return self.act()

    def close(self) -> None:
        self.act()


def raising(error: BaseException) -> Theirs:
    def act() -> None:
        raise error

    return Theirs(act)


@pytest.mark.parametrize(
    ("error", "got"),
    [
        (RuntimeError("out of paper"), "RuntimeError: out of paper"),
        (ValueError("odd"), "ValueError: odd"),
        (KeyError(), "KeyError"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_load_that_raises_is_a_failed_load_with_type_and_text(
    error: BaseException, got: str
) -> None:
    with pytest.raises(LoadFailed) as caught:
        load_with(raising(error), SPEC)
    assert caught.value.subject == "model pat"
    assert caught.value.got == got
    assert caught.value.__cause__ is error


def test_our_own_errors_pass_the_door_as_they_are() -> None:
    error = ForbiddenFormat("a", "b", "c")
    with pytest.raises(ForbiddenFormat) as caught:
        load_with(raising(error), SPEC)
    assert caught.value is error
    with pytest.raises(ForbiddenFormat):
        Guarded("pat", raising(error)).predict({})


def test_a_model_without_a_schema_is_a_failed_load() -> None:
    class Bare:
        weigh = None

        def load(self, spec: LoadSpec) -> object:
            return object()

    with pytest.raises(LoadFailed, match="schema"):
        load_with(Bare(), SPEC)  # type: ignore[arg-type]


def test_a_value_error_while_answering_is_a_bad_input_with_its_text() -> None:
    with pytest.raises(BadInput) as caught:
        Guarded("pat", raising(ValueError("no sound in it"))).predict({})
    assert str(caught.value) == "model pat: expected inputs that it takes, got no sound in it"


@pytest.mark.parametrize("error", [RuntimeError("jam"), ZeroDivisionError(), SystemExit(1)])
def test_anything_else_while_answering_is_a_failed_answer(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(PredictFailed) as caught:
        Guarded("pat", raising(error)).predict({})
    assert type(error).__name__ in caught.value.got
    assert "raised while it answered" in caplog.text


@pytest.mark.parametrize("answer", [None, [1, 2], {1: "one"}, "text"])
def test_an_answer_that_is_no_mapping_of_names_is_a_failed_answer(answer: object) -> None:
    with pytest.raises(PredictFailed, match="a mapping of output names"):
        Guarded("pat", Theirs(lambda: answer)).predict({})


def test_what_a_close_raises_is_logged_and_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        Guarded("pat", raising(OSError("stuck"))).close()
    assert "stuck" in caplog.text
