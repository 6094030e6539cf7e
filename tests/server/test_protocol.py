# SPDX-License-Identifier: Apache-2.0
"""Open Inference Protocol messages."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.runtime.phases import State
from modelkeep.runtime.served import Answer
from modelkeep.server import protocol
from modelkeep.spec.errors import BadInput

from .echo import SLOTS

X = {"name": "x", "shape": [2], "datatype": "INT32", "data": [1, 2]}
KEYS = ["id", "inputs", "outputs", "parameters", "name", "shape", "datatype", "data", "ready"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["x", "INT8", ""]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


def test_a_request_becomes_arrays_by_name() -> None:
    text = {"name": "t", "shape": [1], "datatype": "BYTES", "data": ["é"]}
    document = {"id": "7", "inputs": [X, text], "outputs": [{"name": "y"}]}
    request = protocol.parse_infer(document)
    assert (request.id, request.outputs) == ("7", ("y",))
    assert request.values["x"].dtype == np.int32
    assert request.values["x"].tolist() == [1, 2]
    assert request.values["t"].tolist() == ["é".encode()]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "a JSON object"),
        ({}, "inputs as a list, got none"),
        ({"inputs": {}}, "inputs as a list"),
        ({"inputs": [1]}, "input: expected a JSON object"),
        ({"inputs": [X | {"name": ""}]}, "a name"),
        ({"inputs": [X | {"datatype": "FP8"}]}, "a datatype of BOOL"),
        ({"inputs": [X | {"datatype": ["BOOL"]}]}, "a datatype of BOOL"),
        ({"inputs": [X | {"shape": [-1]}]}, "0 or more"),
        ({"inputs": [X | {"shape": [True]}]}, "0 or more"),
        ({"inputs": [X | {"shape": 2}]}, "0 or more"),
        ({"inputs": [X | {"data": [1]}]}, "input x: expected 2 elements"),
        ({"inputs": [{k: v for k, v in X.items() if k != "data"}]}, "input x: expected data"),
        ({"inputs": [X, X]}, "'x' twice"),
        ({"inputs": [], "outputs": [{"name": "y"}, {"name": "y"}]}, "'y' twice"),
        ({"inputs": [], "outputs": [{}]}, "output: expected a name"),
        ({"inputs": [], "outputs": {}}, "outputs as a list"),
        ({"inputs": [], "id": 7}, "id as a text"),
        ({"inputs": [], "parameters": []}, "a JSON object"),
        ({"inputs": [], "parameters": {"a": []}}, "parameter a as a text, number or flag"),
        ({"inputs": [X | {"parameters": {"binary_data_size": 8}}]}, "in JSON"),
        ({"inputs": [], "outputs": [{"name": "y", "parameters": {"classification": 2}}]}, "whole"),
    ],
)
def test_a_faulty_request_is_told_what_is_wrong(document: object, expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        protocol.parse_infer(document)
    assert expected in str(caught.value)


@given(JSON)
def test_any_json_is_a_request_or_a_bad_input(document: object) -> None:
    for parse in (protocol.parse_infer, protocol.parse_index, protocol.parse_load):
        with contextlib.suppress(BadInput):
            parse(document)


def request(**more: Any) -> protocol.InferRequest:
    return protocol.parse_infer({"inputs": [], **more})


def test_a_response_names_the_model_and_gives_the_id_back() -> None:
    answer = Answer("m", "0123456789ab", {"y": np.array([1.5], "float32")})
    assert protocol.infer_response(request(id="7"), answer) == {
        "model_name": "m",
        "model_version": "0123456789ab",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [1.5]}],
    }


def test_a_response_has_no_id_or_version_where_there_is_none() -> None:
    response = protocol.infer_response(request(), Answer("m", "", {}))
    assert response == {"model_name": "m", "outputs": []}


def test_only_the_wished_outputs_are_given_and_in_that_order() -> None:
    answer = Answer("m", "", {"a": 1, "b": 2, "odd": {}})
    wished = request(outputs=[{"name": "b"}, {"name": "a", "parameters": {"binary_data": True}}])
    rows = protocol.infer_response(wished, answer)["outputs"]
    assert [row["name"] for row in rows] == ["b", "a"]


def test_a_wished_output_that_is_not_there_is_a_bad_input() -> None:
    with pytest.raises(BadInput, match="names among a, got 'z'"):
        protocol.infer_response(request(outputs=[{"name": "z"}]), Answer("m", "", {"a": 1}))


def test_metadata_say_what_a_model_takes() -> None:
    document = protocol.model_metadata(SLOTS[0])
    assert document["versions"] == ["0123456789ab"]
    assert document["platform"] == "echo"
    assert document["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    bare = protocol.model_metadata(SLOTS[-1])
    assert (bare["versions"], bare["inputs"]) == ([], [])


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_word_in_the_index(state: State) -> None:
    slot = replace(SLOTS[0], state=state, reason="why")
    (row,) = protocol.repository_index([slot], False)
    assert row["state"] in ("READY", "UNAVAILABLE", "LOADING", "UNLOADING")
    assert (row["state"] == "READY") == (state is State.READY)
    assert row["reason"] == "why"
    assert bool(protocol.repository_index([slot], True)) == (state is State.READY)


def test_an_index_of_ready_models_is_asked_for_with_a_flag() -> None:
    assert protocol.parse_index({}) is False
    assert protocol.parse_index({"ready": True}) is True
    with pytest.raises(BadInput, match="true or false"):
        protocol.parse_index({"ready": 1})


def test_a_load_with_parameters_is_refused_and_an_unload_may_name_dependents() -> None:
    protocol.parse_load({"parameters": {}})
    with pytest.raises(BadInput, match=r"no parameters.*config"):
        protocol.parse_load({"parameters": {"config": "{}"}})
    protocol.parse_unload({"parameters": {"unload_dependents": False}})
    with pytest.raises(BadInput):
        protocol.parse_unload({"parameters": {"unload_dependents": None}})
