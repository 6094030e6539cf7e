# SPDX-License-Identifier: Apache-2.0
"""Names, datatypes and shapes of what goes into a model and comes out.

The words are those of the Open Inference Protocol V2 ("Tensor Data Types").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from modelkeep.spec.errors import InvalidValue

# numpy's names; BYTES elements are Python bytes in an object array.
NUMPY_NAMES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}
DATATYPES = {numpy: name for name, numpy in NUMPY_NAMES.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output; -1 in the shape is any length."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.datatype not in NUMPY_NAMES:
            raise InvalidValue(
                f"tensor {self.name}", "a datatype of " + ", ".join(NUMPY_NAMES), self.datatype
            )

    @classmethod
    def of(cls, row: Sequence[object]) -> TensorSpec:
        """From ``(name, datatype, shape)``, the form that Python loaders and mocks declare.

        Raises:
            InvalidValue: another form.
        """
        try:
            name, datatype, shape = row
            sizes = tuple(int(size) for size in cast("Sequence[int]", shape))
        except (TypeError, ValueError) as error:
            raise InvalidValue("tensor", "(name, datatype, shape)", repr(row)) from error
        return cls(str(name), str(datatype), sizes)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a model takes and gives. Empty tuples: not declared, anything goes."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    platform: str = ""
