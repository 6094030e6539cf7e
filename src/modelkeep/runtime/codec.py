# SPDX-License-Identifier: Apache-2.0
"""Trees of JSON values, bytes and arrays to a JSON head and raw buffers, and back. Pure.

A leaf that JSON does not have leaves null in its place, and a note in the
head that says where it was and what it is. Nothing is ever pickled, and
numpy is imported only where an array is.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelkeep.spec.errors import InvalidValue, KeepError
from modelkeep.spec.tensor import NUMPY_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_HEAD_BYTES = 64 * 2**20
MAX_DEPTH = 64
_NUMBERS = frozenset(name for name in NUMPY_NAMES.values() if name != "object")
Path = tuple[str | int, ...]


class BrokenChannel(KeepError):
    """What came over a channel is cut off or is not what this side writes."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it travels: a head and the buffers that it speaks of."""

    head: bytes
    buffers: tuple[memoryview, ...]


def encode(tree: Any) -> Frame:
    """Take a tree apart. Arrays are not copied where they lie in one piece.

    Raises:
        InvalidValue: a value that is neither JSON, bytes nor an array of a known
            datatype, or a head above 64 MiB.
    """
    writer = _Writer()
    bare = writer.walk(tree, ())
    head = json.dumps({"tree": bare, "leaves": writer.leaves}, separators=(",", ":")).encode()
    if len(head) > MAX_HEAD_BYTES:
        expected = f"at most {MAX_HEAD_BYTES} bytes of JSON; arrays for what is larger"
        raise InvalidValue("message", expected, f"{len(head)} bytes")
    return Frame(head, tuple(writer.buffers))


class _Writer:
    def __init__(self) -> None:
        self.leaves: list[dict[str, Any]] = []
        self.buffers: list[memoryview] = []

    def walk(self, value: Any, at: Path) -> Any:
        if value is None or isinstance(value, (str, bool, int, float)):
            return _plain(value)
        if len(at) > MAX_DEPTH:
            raise InvalidValue("message", f"at most {MAX_DEPTH} levels", "more")
        if isinstance(value, Mapping):
            return {_key(key, at): self.walk(one, (*at, key)) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.walk(one, (*at, index)) for index, one in enumerate(value)]
        if isinstance(value, (bytes, bytearray, memoryview)):
            self._add(at, {"kind": "bytes"}, memoryview(value).cast("B"))
            return None
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray):
            self._array(value, at)
            return None
        if numpy is not None and isinstance(value, numpy.generic):
            return self.walk(value.item(), at)
        expected = "JSON values, bytes and arrays"
        raise InvalidValue(f"message at {_place(at)}", expected, type(value).__name__)

    def _array(self, array: NDArray[Any], at: Path) -> None:
        import numpy as np

        shape = list(array.shape)
        if array.dtype.kind in "OSU":
            elements = [_element(one, at) for one in array.reshape(-1).tolist()]
            lengths = np.array([len(one) for one in elements], "<u8")
            self._add(at, {"kind": "texts", "shape": shape}, _bytes_of(lengths))
            self.buffers.append(memoryview(b"".join(elements)))
            return
        little = array.dtype.newbyteorder("<")
        if little.name not in _NUMBERS:
            expected = "an array of numbers, truth values or bytes"
            raise InvalidValue(f"message at {_place(at)}", expected, str(array.dtype))
        note = {"kind": "array", "dtype": little.name, "shape": shape}
        self._add(at, note, _bytes_of(np.ascontiguousarray(array, little)))

    def _add(self, at: Path, note: dict[str, Any], data: memoryview) -> None:
        self.leaves.append({"at": list(at), "buffer": len(self.buffers), **note})
        self.buffers.append(data)


def _plain(value: Any) -> Any:
    # A subclass (a numpy float64, an enum) would travel as more than it is.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    return value


def _key(key: object, at: Path) -> str:
    if not isinstance(key, str):
        raise InvalidValue(f"message at {_place(at)}", "texts as keys", repr(key))
    return key


def _place(at: Sequence[object]) -> str:
    return ".".join(map(str, at)) or "its top"


def _element(one: object, at: Path) -> bytes:
    if isinstance(one, str):
        return one.encode("utf-8", "surrogatepass")
    if isinstance(one, (bytes, bytearray, memoryview)):
        return bytes(one)
    raise InvalidValue(f"message at {_place(at)}", "an array of bytes", type(one).__name__)


def _bytes_of(array: NDArray[Any]) -> memoryview:
    flat: Any = array.reshape(-1).view("u1")
    return memoryview(flat)


def decode(head: bytes | bytearray, buffers: Sequence[bytearray]) -> Any:
    """Put a tree together; its arrays lie in the buffers and may be written to.

    Raises:
        BrokenChannel: the head is not what ``encode`` writes for these buffers.
    """
    try:
        whole = json.loads(head)
        holder = [whole["tree"]]
        for leaf in whole["leaves"]:
            parent: Any = holder
            way = [0, *leaf["at"]]
            last = way[-1]
            for step in way[:-1]:
                parent = parent[step]
            if parent[last] is not None:
                raise ValueError("a leaf where there is a value")
            parent[last] = _leaf(leaf, buffers)
        return holder[0]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError, OverflowError) as error:
        got = f"{type(error).__name__}: {error}"
        raise BrokenChannel("channel", "a head that fits its buffers", got) from error


def _leaf(leaf: Mapping[str, Any], buffers: Sequence[bytearray]) -> Any:
    number, kind = leaf["buffer"], leaf["kind"]
    if type(number) is not int or number < 0:
        raise ValueError(f"buffer {number!r}")
    data = buffers[number]
    if kind == "bytes":
        return bytes(data)
    import numpy as np

    shape = tuple(leaf["shape"])
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"shape {shape!r}")
    if kind == "array" and leaf["dtype"] in _NUMBERS:
        return np.frombuffer(data, np.dtype(leaf["dtype"]).newbyteorder("<")).reshape(shape)
    if kind == "texts":
        return _texts(np.frombuffer(data, "<u8").tolist(), buffers[number + 1], shape)
    raise ValueError(f"a leaf of kind {kind!r}")


def _texts(lengths: list[int], joined: bytearray, shape: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    if sum(lengths) != len(joined) or math.prod(shape) != len(lengths):
        raise ValueError("lengths that do not fit their bytes")
    array = np.empty(len(lengths), dtype=object)
    start = 0
    for index, length in enumerate(lengths):
        array[index] = bytes(joined[start : start + length])
        start += length
    return array.reshape(shape)
