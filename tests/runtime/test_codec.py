# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelkeep.runtime import codec
from modelkeep.runtime.codec import BrokenChannel, decode, encode
from modelkeep.spec.errors import InvalidValue


def round_trip(tree: Any) -> Any:
    frame = encode(tree)
    return decode(frame.head, [bytearray(buffer) for buffer in frame.buffers])


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
arrays = hnp.arrays(
    st.sampled_from(["bool", "uint8", "int16", "uint64", "int64", "float16", "float32", ">f8"]),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)
trees = st.recursive(
    plain | st.binary() | arrays,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        native = one.astype(one.dtype.newbyteorder("<"))
        equal_nan = one.dtype.kind == "f"
        return (
            native.dtype == other.dtype
            and native.shape == other.shape
            and np.array_equal(native, other, equal_nan=equal_nan)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(trees)
def test_every_tree_comes_back_as_it_went(tree: Any) -> None:
    assert same(tree, round_trip(tree))


@given(st.lists(st.binary(), max_size=6))
def test_arrays_of_bytes_come_back(elements: list[bytes]) -> None:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    assert round_trip({"x": array.reshape(1, -1)})["x"].tolist() == [elements]


def test_keys_that_look_like_ours_are_just_keys() -> None:
    tree = {"tree": None, "leaves": [{"at": [], "kind": "bytes", "buffer": 0}], "0": b"x"}
    assert round_trip(tree) == tree


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.int64(3), 3),
        (np.str_("text"), "text"),
        (memoryview(b"raw"), b"raw"),
        (bytearray(b"raw"), b"raw"),
    ],
)
def test_relatives_of_json_values_become_them(value: Any, expected: Any) -> None:
    found = round_trip(value)
    assert found == expected
    assert type(found) is type(expected)


def test_arrays_of_texts_become_bytes() -> None:
    assert round_trip(np.array(["é", "b"])).tolist() == [b"\xc3\xa9", b"b"]
    assert round_trip(np.array([b"a", "b"], dtype=object)).tolist() == [b"a", b"b"]


def test_an_array_that_lies_in_one_piece_is_not_copied() -> None:
    array = np.zeros(1000, np.float32)
    frame = encode({"x": array})
    array[0] = 1
    assert frame.buffers[0][:4] == np.float32(1).tobytes()


def test_arrays_that_came_can_be_written_to() -> None:
    array = round_trip(np.arange(6).reshape(2, 3).T)
    array[0, 0] = 9
    assert array.shape == (3, 2)


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"a": [1, object()]}, r"message at a\.1: expected JSON values, bytes and arrays, got obj"),
        ({"a": {1: 2}}, "message at a: expected texts as keys, got 1"),
        ({"a": {1, 2}}, "got set"),
        ({"a": np.array([1j])}, "an array of numbers, truth values or bytes, got complex128"),
        ({"a": np.array(["2020-01-01"], "datetime64[D]")}, "got datetime64"),
        ({"a": np.array([1, None], dtype=object)}, "an array of bytes, got int"),
        (object(), "message at its top"),
    ],
)
def test_what_cannot_travel_is_refused_with_its_place(tree: Any, text: str) -> None:
    with pytest.raises(InvalidValue, match=text):
        encode(tree)


def test_a_tree_too_deep_is_refused() -> None:
    tree: Any = []
    for _ in range(2000):
        tree = [tree]
    with pytest.raises(InvalidValue, match="at most 64 levels"):
        encode(tree)


def test_a_head_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_HEAD_BYTES", 1000)
    with pytest.raises(InvalidValue, match="at most 1000 bytes of JSON"):
        encode({"text": "x" * 1000})
    encode({"raw": b"x" * 1000})


def leaf(**note: Any) -> bytes:
    note = {"at": ["x"], "buffer": 0, "kind": "bytes", **note}
    return json.dumps({"tree": {"x": None, "y": 1}, "leaves": [note]}).encode()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"tree":1,"leaves":[{}]}',
        leaf(at=["z"]),
        leaf(at=["y"]),
        leaf(at=["x", "deeper"]),
        leaf(at=7),
        leaf(buffer=2),
        leaf(buffer=-1),
        leaf(buffer="0"),
        leaf(kind="pickle"),
        leaf(kind="array", dtype="object", shape=[1]),
        leaf(kind="array", dtype="float32", shape=[3]),
        leaf(kind="array", dtype="float32", shape=[-1]),
        leaf(kind="array", dtype="float64", shape=[2**62, 2**62]),
        leaf(kind="array", dtype=[], shape=[1]),
        leaf(kind="array", dtype="uint8"),
        leaf(kind="texts", shape=[1]),
        leaf(kind="texts", shape=[2]),
        leaf(kind="texts", shape=[1], buffer=1),
    ],
)
def test_a_head_that_does_not_fit_is_a_broken_channel(head: bytes) -> None:
    with pytest.raises(BrokenChannel):
        decode(head, [bytearray(8), bytearray(3)])


@given(st.binary(max_size=200))
def test_noise_is_a_broken_channel_and_nothing_else(noise: bytes) -> None:
    with pytest.raises(BrokenChannel):
        decode(b"{" + noise, [bytearray(noise)])


def test_numpy_is_not_imported_where_no_array_is() -> None:
    code = (
        "import sys\n"
        "from modelkeep.runtime.codec import decode, encode\n"
        "frame = encode({'a': [1, b'raw', 'text']})\n"
        "tree = decode(frame.head, [bytearray(one) for one in frame.buffers])\n"
        "print(tree, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'a': [1, b'raw', 'text']} False"
