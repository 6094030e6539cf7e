# SPDX-License-Identifier: Apache-2.0
import io
import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import PurePosixPath

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.formats import HEAD_BYTES, is_code, is_pickle


class Thing:
    def __init__(self) -> None:
        self.text = "x" * 10


class Caller:
    """Calls something when it is unpickled, as an attacker's file would."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("called",)


class Newer:
    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {}


RUNNING = [
    Thing(),
    Caller(),
    Newer(),
    Fraction(1, 3),
    OrderedDict(a=1),
    PurePosixPath("/x"),
    {"weights": np.arange(100_000, dtype="float64"), "names": ["a"]},
    [Thing() for _ in range(3000)],
    {"padding": list(range(5000)), "thing": Caller()},
]


def heads(protocols: range) -> Iterator[tuple[int, bytes]]:
    for protocol in protocols:
        for thing in RUNNING:
            yield protocol, pickle.dumps(thing, protocol)[:HEAD_BYTES]


@pytest.mark.parametrize(("protocol", "head"), list(heads(range(6))))
def test_what_runs_code_when_unpickled_is_a_pickle(protocol: int, head: bytes) -> None:
    assert is_pickle(head)


def repr_of(value: object) -> str:
    return type(value).__name__


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "value", [None, 1, "text", [1, 2], {"a": 1}, "x" * 10**6, b"x" * 10**6, 1 << 10**6], ids=repr_of
)
def test_any_pickle_with_a_header_is_one(protocol: int, value: object) -> None:
    assert is_pickle(pickle.dumps(value, protocol)[:HEAD_BYTES])


@pytest.mark.parametrize(
    "data",
    [
        # Older protocols may stand in a header, and a header need not be there at all.
        b"\x80\x00cos\nsystem\n(S'true'\ntR.",
        b"\x80\x01cos\nsystem\n(S'true'\ntR.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"cos\nsystem\n(S'true'\ntR",
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b"\x95\x1a\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
        b")\x82\x01\x85R.",
        b"I1\n0cos\nsystem\n(S'true'\ntR" + b"N0" * HEAD_BYTES,
    ],
)
def test_a_pickle_made_by_hand_is_seen(data: bytes) -> None:
    assert is_pickle(data[:HEAD_BYTES])


def torch_zip(first: str = "archive/data.pkl", *, method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(first, pickle.dumps({"weight": [1.0] * 10}, 2))
        archive.writestr("archive/data/0", bytes(100_000))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def test_a_zip_around_a_pickle_is_a_pickle() -> None:
    assert is_pickle(torch_zip()[:HEAD_BYTES])
    assert is_pickle(torch_zip(method=zipfile.ZIP_DEFLATED)[:HEAD_BYTES])
    assert is_pickle(torch_zip("model.pickle")[:HEAD_BYTES])


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.arange(1000))
    return file.getvalue()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(1000))
    return file.getvalue()


def safetensors(header_bytes: int) -> bytes:
    header = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(header).ljust(header_bytes).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4)


def onnx_model() -> bytes:
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    values = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", values[:1], values[1:])
    return bytes(onnx.helper.make_model(graph).SerializeToString())


TEXTS = [
    "",
    "c",
    "cat\ndog\n",
    "config.json\nmodel.bin\nREADME.md\n",
    "config\nmodel\nREADME\n",
    "(see the notes)\nb.\n",
    "import os\nprint(1)\n",
    "it is\na list\nof words.\n",
    "}\n]\n.",
    "N.",
    "I1\n.",
    "0 1 2\n3.",
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n",
    "the\nof\nand\nto\nin\n",
    "Readme. This model was trained on images.\n",
    "\u4e2d\u6587\u8bf4\u660e\n",
    '{"model_type": "bert"}',
    '["a", "b"]',
    "---\nlicense: mit\n---\n# Title\n",
    "#version: 0.2\n\u0120 t\nh e\n",
]

OTHERS = [
    npz(),
    npy(),
    onnx_model(),
    b"GGUF\x03\0\0\0" + bytes(100),
    b"\x80",
    b"\x80\x02\0\0\0\0\0\0",
    b"\x80\x06\x95",
    b"\x89PNG\r\n\x1a\n",
    b"PK\x05\x06" + bytes(18),
    bytes(1000),
    b"\xff" * 1000,
    *(safetensors(n) for n in (80, 128, 256, 640, 0x0380, 0x0480, 0x0580, 0x2E28, 0x4E63)),
]


@pytest.mark.parametrize("data", [*(text.encode() for text in TEXTS), *OTHERS])
def test_plain_data_is_no_pickle(data: bytes) -> None:
    assert not is_pickle(data)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    assert is_pickle(data) in (True, False)


@given(
    st.binary(max_size=60), st.sampled_from([b"\x80\x02", b"\x80\x04\x95", b"c", b"(", b"PK\3\4"])
)
def test_no_beginning_makes_it_raise(data: bytes, beginning: bytes) -> None:
    assert is_pickle(beginning + data) in (True, False)


@given(st.integers(0, 5), st.integers(0, 400))
def test_a_pickle_cut_anywhere_makes_it_raise_nothing(protocol: int, length: int) -> None:
    whole = pickle.dumps({"thing": Caller(), "n": [1, 2.5, "x", b"y", None, True]}, protocol)
    assert is_pickle(whole[:length]) in (True, False)
    assert is_pickle(whole)


words = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=8)


@given(st.lists(words, min_size=1, max_size=30), st.sampled_from([" ", "\n", ", "]))
def test_no_list_of_words_is_a_pickle(text: list[str], between: str) -> None:
    assert not is_pickle(between.join(text).encode())


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.none()),
    st.integers(0, 3).map(lambda n: n or None),
)
def test_no_json_is_a_pickle(value: dict[str, object], indent: int | None) -> None:
    assert not is_pickle(json.dumps(value, indent=indent).encode())


@pytest.mark.parametrize(
    "path",
    ["m.py", "a/b/__init__.py", "x.pyc", "x.pyd", "ops.so", "lib/ops.so.1.2", "A.DLL", "o.dylib"],
)
def test_code_is_known_by_its_name(path: str) -> None:
    assert is_code(path)


@pytest.mark.parametrize("path", ["py", "a.python", "b.py.json", "so", "a.song", "x.so.json", ""])
def test_a_name_that_only_sounds_like_code_is_none(path: str) -> None:
    assert not is_code(path)
