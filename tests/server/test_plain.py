# SPDX-License-Identifier: Apache-2.0
"""The predict route's values."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.runtime.served import Answer
from modelkeep.server.documents import read_document, write_document
from modelkeep.server.plain import parse_predict, predict_response
from modelkeep.spec.errors import BadInput, PredictFailed

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)  # fmt: skip
NAMES = st.text().filter(lambda name: name != "b64")


def written(**outputs: Any) -> Any:
    document = predict_response(Answer("m", "v", outputs))
    return read_document(write_document(document))["outputs"]


def read(value: object) -> Any:
    return parse_predict({"inputs": {"x": value}})["x"]


@given(
    st.recursive(
        LEAVES | st.binary().filter(lambda value: not is_text(value)),
        lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
    )
)
def test_values_come_back_from_json_as_they_were(value: object) -> None:
    assert read(written(x=value)["x"]) == value


def is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.binary())
def test_base64_stands_for_bytes_anywhere(raw: bytes) -> None:
    text = base64.b64encode(raw).decode()
    assert read({"b64": text}) == raw
    assert read([1, {"deep": {"b64": text}}]) == [1, {"deep": raw}]


def test_a_table_with_more_than_b64_is_a_table() -> None:
    assert read({"b64": "YQ==", "mime": "x"}) == {"b64": "YQ==", "mime": "x"}


@pytest.mark.parametrize("text", ["YQ", "YQ=", "Y Q==", "YQ==\n", "Y-_=", "é", 5, None])
def test_base64_that_is_not_strict_is_refused(text: object) -> None:
    with pytest.raises(BadInput, match="input x: expected base64"):
        read({"b64": text})


@pytest.mark.parametrize(
    "document", [None, [], {}, {"inputs": []}, {"inputs": {}, "more": 1}, {"instances": []}]
)
def test_another_form_of_request_is_refused(document: object) -> None:
    with pytest.raises(BadInput):
        parse_predict(document)


def test_values_nested_too_deep_are_refused_both_ways() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(BadInput, match="at most 64 deep"):
        read(deep)
    with pytest.raises(PredictFailed, match="at most 64 deep"):
        written(x=deep)


def test_an_answer_names_its_model_and_version() -> None:
    document = predict_response(Answer("m", "v", {}))
    assert document == {"model": "m", "version": "v", "outputs": {}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1, 2]], "int8"), [[1, 2]]),
        (np.array([True]), [True]),
        (np.float16(0.5), 0.5),
        (np.longdouble(0.5), 0.5),
        (np.array([1.0, np.nan, np.inf], "float32"), [1.0, None, None]),
        (np.float32("nan"), None),
        (np.array(["a"]), ["a"]),
        (np.array([b"a", b"\xff"], object), ["a", {"b64": "/w=="}]),
        (np.array([b"a"]), ["a"]),
        (math.inf, None),
        (b"text", "text"),
        (bytearray(b"\xfe"), {"b64": "/g=="}),
        ((1, np.int64(2)), [1, 2]),
        ({"a": np.zeros(1)}, {"a": [0.0]}),
    ],
)
def test_arrays_and_bytes_are_written_as_json_has_them(value: object, expected: object) -> None:
    assert written(x=value)["x"] == expected


@pytest.mark.parametrize("value", [{1: 2}, {1}, object(), np.array([1j]), [1j]])
def test_an_answer_without_a_json_form_is_the_models_fault(value: object) -> None:
    with pytest.raises(PredictFailed, match="output x of m"):
        written(x=value)
