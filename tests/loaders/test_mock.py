# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelkeep import loaders
from modelkeep.loaders.base import LoadSpec
from modelkeep.loaders.guarded import Guarded
from modelkeep.spec.errors import BadInput, LoadFailed
from modelkeep.spec.tensor import NUMPY_NAMES


def mock(**options: Any) -> Guarded:
    return loaders.load(LoadSpec("m", Path("/nowhere"), "mock", options=options))


def test_without_outputs_it_gives_back_what_it_was_given() -> None:
    assert mock().predict({"a": [1, {"b": None}]}) == {"a": [1, {"b": None}]}


@pytest.mark.parametrize("datatype", NUMPY_NAMES)
def test_it_answers_in_every_datatype_with_the_declared_shape(datatype: str) -> None:
    model = mock(inputs=[["x", datatype, [-1, 2]]], outputs=[["y", datatype, [-1, 3]]])
    text = datatype == "BYTES"
    given = (
        [["a", "b"]] * 4 if text else [[True, False]] * 4 if datatype == "BOOL" else [[1, 2]] * 4
    )
    answer = model.predict({"x": given})["y"]
    assert answer.shape == (4, 3)
    assert answer.dtype == np.dtype(NUMPY_NAMES[datatype])
    assert len({str(one) for one in answer.reshape(-1)}) > 1


def test_the_same_question_gets_the_same_answer_and_another_another() -> None:
    options: dict[str, Any] = {"outputs": [["y", "FP32", [4]]]}
    first = mock(**options).predict({"x": np.array([1.0, 2.0]), "b": b"raw"})["y"]
    again = mock(**options).predict({"b": b"raw", "x": np.array([1.0, 2.0])})["y"]
    other = mock(**options).predict({"x": np.array([1.0, 2.5]), "b": b"raw"})["y"]
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    texts = np.array([b"a"], dtype=object)
    assert mock(**options).predict({"x": texts})["y"].tolist() != first.tolist()


def test_its_answers_do_not_change_between_releases() -> None:
    answer = mock(outputs=[["y", "UINT8", [4]]]).predict({"x": "a question"})["y"]
    assert answer.tolist() == EXPECTED


EXPECTED = [54, 122, 4, 88]


@pytest.mark.parametrize(
    ("value", "length"), [([1, 2, 3], 3), ("text", 1), (np.zeros((5, 2)), 5), (np.float32(1), 1)]
)
def test_a_free_length_is_that_of_the_first_input(value: Any, length: int) -> None:
    assert mock(outputs=[["y", "INT8", [-1]]]).predict({"x": value})["y"].shape == (length,)


def test_a_fixed_answer_comes_as_it_was_declared() -> None:
    model = mock(outputs=[["y", "FP32", [-1]], ["z", "BYTES", [1]]], values={"y": [1, 2]})
    answer = model.predict({})
    assert answer["y"].tolist() == [1.0, 2.0]
    assert answer["z"].shape == (1,)


def test_inputs_that_are_not_as_declared_are_refused() -> None:
    with pytest.raises(BadInput, match="input x"):
        mock(inputs=[["x", "FP32", [2]]]).predict({"x": [1]})


def test_delays_are_kept() -> None:
    assert mock(delay_s=0.01, load_s=0.01).predict({}) == {}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fail": "no luck"}, "model m: expected it to load, got no luck"),
        ({"colour": "red"}, "options of the loader mock: .*, got colour"),
        ({"outputs": "y"}, "outputs: expected a list of"),
        ({"inputs": [["x"]]}, "inputs: tensor: expected"),
        ({"delay_s": -1}, "option delay_s: expected a number of seconds"),
        ({"load_s": "1"}, "option load_s"),
        ({"values": [1]}, "option values: expected a table"),
        ({"values": {"y": [1]}}, "declared outputs: none, got y"),
        (
            {"values": {"y": [1]}, "outputs": [["y", "FP32", [2]]]},
            r"option values: y: expected shape \[2\], got shape \[1\]",
        ),
    ],
)
def test_a_wrong_option_is_a_failed_load(options: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadFailed, match=text):
        mock(**options)


def test_it_weighs_nothing() -> None:
    assert loaders.find("mock").weigh(LoadSpec("m", Path("/nowhere"), "mock")) == 0
