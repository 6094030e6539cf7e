# SPDX-License-Identifier: Apache-2.0
"""Tensors between JSON and arrays, for every datatype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelkeep.server.documents import read_document, write_document
from modelkeep.server.tensors import to_array, to_tensor
from modelkeep.spec.errors import BadInput
from modelkeep.spec.tensor import NUMPY_NAMES, TensorSpec

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def arrays(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BYTES":
        return hnp.arrays(object, SHAPES, elements=st.text().map(str.encode), fill=st.nothing())
    return hnp.arrays(NUMPY_NAMES[datatype], SHAPES)


def same(one: Any, two: Any) -> bool:
    return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=one.dtype.kind == "f")


def refused(datatype: str, shape: tuple[int, ...], data: object) -> str:
    with pytest.raises(BadInput) as caught:
        to_array(TensorSpec("x", datatype, shape), data)
    assert caught.value.subject == "input x"
    return str(caught.value)


@pytest.mark.parametrize("datatype", NUMPY_NAMES)
@given(data=st.data())
def test_an_array_comes_back_from_json_as_it_was(datatype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(datatype))
    row = read_document(write_document(to_tensor("x", array)))
    assert (row["name"], row["datatype"], row["shape"]) == ("x", datatype, list(array.shape))
    back = to_array(TensorSpec("x", datatype, tuple(row["shape"])), row["data"])
    assert same(back, array)


@pytest.mark.parametrize("datatype", NUMPY_NAMES)
@given(data=st.data())
def test_nested_data_mean_the_same_as_flat_data(datatype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(datatype).filter(lambda array: array.ndim > 0))
    texts = np.vectorize(bytes.decode, otypes=[object])(array) if datatype == "BYTES" else array
    back = to_array(TensorSpec("x", datatype, array.shape), texts.tolist())
    assert same(back, array)


def test_float_words_are_read_and_written() -> None:
    array = to_array(TensorSpec("x", "FP16", (4,)), ["NaN", "Infinity", "-Infinity", 1])
    assert math.isnan(array[0])
    assert array[1:].tolist() == [math.inf, -math.inf, 1.0]
    assert to_tensor("x", array)["data"] == ["NaN", "Infinity", "-Infinity", 1.0]


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("UINT8", 300), ("UINT8", -1), ("INT8", 128), ("INT64", 2**63), ("UINT64", 2**64),
        ("INT32", 1.0), ("INT32", True), ("INT32", "1"), ("INT32", None), ("INT32", math.nan),
        ("BOOL", 1), ("BOOL", "true"), ("FP32", True), ("FP32", "1.0"), ("FP32", None),
        ("FP16", 70_000), ("FP32", 1e39), ("FP64", 10**400), ("BYTES", 1), ("BYTES", {"b64": ""}),
        ("BYTES", "\ud800"),
    ],
)  # fmt: skip
def test_an_element_that_the_datatype_cannot_hold_is_refused(datatype: str, value: object) -> None:
    refused(datatype, (1,), [value])
    refused(datatype, (1, 1), [[value]])


def test_a_refusal_says_what_was_expected_and_what_came() -> None:
    text = refused("UINT8", (2,), [1, 300])
    assert text == "input x: expected whole numbers from 0 to 255 for UINT8, got 300"


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2, 2), [1, 2, 3]), ((2, 2), [[1, 2], [3]]), ((2, 2), [[1, 2]]), ((2, 2), [[1, 2], 3]),
        ((4,), [[1, 2], [3, 4]]), ((2,), 1), ((2,), {"a": 1}), ((2,), "ab"), ((), []), ((), [[1]]),
        ((10**30,), [1]), ((0, 2**62, 2**62), []), ((1,) * 70, [1]),
    ],
)  # fmt: skip
def test_data_that_do_not_fill_the_shape_are_refused(shape: tuple[int, ...], data: object) -> None:
    refused("INT32", shape, data)


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "data"),
    [
        (["cat", b"dog"], "BYTES", [2], ["cat", "dog"]),
        (np.array(["cat"]), "BYTES", [1], ["cat"]),
        (np.array([b"cat"]), "BYTES", [1], ["cat"]),
        ("cat", "BYTES", [], ["cat"]),
        (3, "INT64", [], [3]),
        (True, "BOOL", [], [True]),
        (0.5, "FP64", [], [0.5]),
        (np.float32(0.5), "FP32", [], [0.5]),
        ([[1, 2.5]], "FP64", [1, 2], [1.0, 2.5]),
        ([np.float32(1), np.float32(2)], "FP32", [2], [1.0, 2.0]),
        ((1, 2), "INT64", [2], [1, 2]),
        (np.arange(4).reshape(2, 2).T.astype(">i4"), "INT32", [2, 2], [0, 2, 1, 3]),
    ],
)
def test_plain_values_become_tensors(
    value: object, datatype: str, shape: list[int], data: list[object]
) -> None:
    expected = {"name": "y", "datatype": datatype, "shape": shape, "data": data}
    assert to_tensor("y", value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1}, None, [1, "a"], [[1, 2], [3]], [True, 1], 2**70, [object()],
        np.array([1j]), np.array(["2020-01-01"], "datetime64[D]"),
        [np.zeros((2, 3)), np.zeros((2, 4))],
    ],
)  # fmt: skip
def test_a_value_without_a_tensor_form_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="output y"):
        to_tensor("y", value)


def test_bytes_that_are_not_text_point_to_the_predict_route() -> None:
    with pytest.raises(BadInput, match="predict route"):
        to_tensor("y", [b"\xff"])
