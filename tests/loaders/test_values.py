# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.loaders.values import array_of, inputs_of, outputs_of, texts_of, typed
from modelkeep.spec.errors import BadInput, InvalidValue, PredictFailed
from modelkeep.spec.tensor import NUMPY_NAMES, TensorSpec


def spec(datatype: str, *shape: int) -> TensorSpec:
    return TensorSpec("x", datatype, shape)


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "expected"),
    [
        ([1, 2], "INT64", (-1,), [1, 2]),
        ([1, 2], "UINT8", (2,), [1, 2]),
        ([0, 2**64 - 1], "UINT64", (2,), [0, 2**64 - 1]),
        ([1, 2], "FP32", (2,), [1.0, 2.0]),
        ([0.5, 1], "FP32", (2,), [0.5, 1.0]),
        ([0.5, 1], "FP16", (2,), [0.5, 1.0]),
        ([[True], [False]], "BOOL", (-1, 1), [[True], [False]]),
        (7, "INT32", (1,), [7]),
        (7, "INT32", (-1,), [7]),
        (7, "INT32", (), 7),
        ([], "INT64", (-1,), []),
        ([[], []], "FP32", (2, -1), [[], []]),
        (np.arange(3, dtype=np.int32), "INT64", (3,), [0, 1, 2]),
        (np.arange(3, dtype=np.int64), "UINT8", (3,), [0, 1, 2]),
        (np.arange(3, dtype=">f4"), "FP32", (3,), [0, 1, 2]),
        ([float("inf"), float("-inf")], "FP16", (2,), [float("inf"), float("-inf")]),
        ("é", "BYTES", (1,), [b"\xc3\xa9"]),
        (b"\x00\x01\x00", "BYTES", (-1,), [b"\x00\x01\x00"]),
        ([["a"], [b"b"]], "BYTES", (-1, 1), [[b"a"], [b"b"]]),
        ([], "BYTES", (-1,), []),
        (np.array(["a", "bc"]), "BYTES", (2,), [b"a", b"bc"]),
        (np.array([b"a", b"bc"], dtype=object), "BYTES", (2,), [b"a", b"bc"]),
        (bytearray(b"raw"), "BYTES", (), b"raw"),
    ],
)
def test_a_value_becomes_an_array_of_the_declared_datatype(
    value: Any, datatype: str, shape: tuple[int, ...], expected: Any
) -> None:
    array = array_of(value, spec(datatype, *shape))
    assert array.dtype == np.dtype(NUMPY_NAMES[datatype])
    assert array.tolist() == expected


@pytest.mark.parametrize(
    ("value", "datatype", "got"),
    [
        ([0.5], "INT64", "FP64"),
        ([1], "BOOL", "INT64"),
        ([True], "FP32", "BOOL"),
        (["1"], "FP32", "texts"),
        ([None], "FP32", "objects"),
        ([1j], "FP64", "complex128"),
        ([300], "UINT8", "300 to 300"),
        ([-1, 5], "UINT64", "-1 to 5"),
        ([-1, 2**64 - 1], "UINT64", "FP64"),
        ([1e39], "FP32", "1e+39"),
        ([70_000], "FP16", "70000"),
        ([[1], [1, 2]], "INT64", "rows of different lengths"),
        ([["a"], ["b", "c"]], "BYTES", "rows of different lengths"),
        (["a", ["b"]], "BYTES", "rows of different lengths"),
        ([["a"], "b"], "BYTES", "rows of different lengths"),
        ([1], "BYTES", "int"),
        (None, "BYTES", "NoneType"),
        (["\ud800"], "BYTES", "surrogates"),
        ([2**70], "INT64", "objects"),
    ],
)
def test_a_value_that_would_lose_something_is_refused(value: Any, datatype: str, got: str) -> None:
    with pytest.raises(InvalidValue, match=datatype) as caught:
        typed(value, spec(datatype, -1))
    assert got in caught.value.got


def test_lists_nested_beyond_any_tensor_are_refused() -> None:
    value: Any = "deep"
    for _ in range(500):
        value = [value]
    with pytest.raises(InvalidValue, match="at most 32 axes"):
        typed(value, spec("BYTES", -1))


@pytest.mark.parametrize(
    ("value", "shape"),
    [([1, 2], (3,)), ([[1]], (-1,)), ([1], (1, 1)), (1, (1, 1)), ([1], ())],
)
def test_a_shape_that_does_not_fit_is_refused_with_both(value: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValue) as caught:
        array_of(value, spec("INT64", *shape))
    assert caught.value.expected == f"shape {list(shape)}"
    assert caught.value.got == f"shape {list(np.shape(value))}"


@given(st.lists(st.lists(st.binary(), min_size=2, max_size=2), max_size=5))
def test_bytes_pass_unchanged(rows: list[list[bytes]]) -> None:
    array = typed(rows, spec("BYTES", -1, 2))
    assert array.tolist() == rows


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_pass_unchanged(numbers: list[int]) -> None:
    assert array_of(numbers, spec("INT64", -1)).tolist() == numbers


def test_inputs_are_checked_by_name_and_come_in_the_declared_order() -> None:
    specs = (TensorSpec("a", "INT64", (1,)), TensorSpec("b", "FP32", (-1,)))
    assert list(inputs_of({"b": [1], "a": 1}, specs)) == ["a", "b"]
    with pytest.raises(BadInput) as caught:
        inputs_of({"a": 1, "c": 2}, specs)
    assert (caught.value.subject, caught.value.expected, caught.value.got) == (
        "inputs",
        "a, b",
        "a, c",
    )
    with pytest.raises(BadInput, match="got none"):
        inputs_of({}, specs)


def test_an_input_that_does_not_fit_names_itself() -> None:
    with pytest.raises(BadInput) as caught:
        inputs_of({"x": [[1.0, 2.0]]}, (spec("FP32", -1, 3),))
    assert str(caught.value) == "input x: expected shape [-1, 3], got shape [1, 2]"


def test_an_unranked_input_has_any_shape_but_still_its_datatype() -> None:
    given_shape = inputs_of({"x": [[1.0]]}, (spec("FP32"),), unranked=("x",))["x"].shape
    assert given_shape == (1, 1)
    with pytest.raises(BadInput, match="texts"):
        inputs_of({"x": ["a"]}, (spec("FP32"),), unranked=("x",))


def test_outputs_must_be_what_was_declared_and_more_may_come() -> None:
    outputs = outputs_of({"x": [1, 2], "note": "fine"}, (spec("FP32", -1),))
    assert outputs["x"].dtype == np.float32
    assert outputs["note"] == "fine"
    with pytest.raises(PredictFailed, match="outputs: expected x, got y"):
        outputs_of({"y": 1}, (spec("FP32", -1),))
    with pytest.raises(PredictFailed, match="output x: expected shape"):
        outputs_of({"x": [[1]]}, (spec("FP32", -1),))


def test_bytes_that_are_no_utf8_are_a_bad_input_that_says_where() -> None:
    array = np.array([[b"ok", b"a\xffb"]], dtype=object)
    with pytest.raises(
        BadInput, match="input t: expected UTF-8, got element 1 with byte 0xff at 1"
    ):
        texts_of(array, "t")
    assert texts_of(array[:, :1], "t").tolist() == [["ok"]]
