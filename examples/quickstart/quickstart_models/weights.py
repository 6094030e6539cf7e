# SPDX-License-Identifier: Apache-2.0
"""Tensors of a safetensors file, mapped and not read.

The pages belong to the file: those that are never touched cost nothing, and processes
that serve the same weights share one copy of them.
"""

from __future__ import annotations

import json
import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DTYPES = {"F32": "<f4", "I64": "<i8"}


def map_tensors(path: Path) -> dict[str, NDArray[np.generic]]:
    """Map a safetensors file.

    Returns:
        Read-only arrays by name. They keep the map open as long as one of them lives.

    Raises:
        ValueError: The file is not in the safetensors format, or holds another type
            than 32-bit floats and 64-bit integers.
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # The format: eight bytes of length, a JSON header of that length, then the tensors,
    # whose offsets count from the header's end.
    header_end = 8 + int.from_bytes(mapped[:8], "little")
    if not 8 < header_end <= len(mapped):
        raise ValueError(
            f"{path.name}: expected a safetensors header within {len(mapped)} bytes, "
            f"got one that ends at {header_end}"
        )
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, entry in json.loads(mapped[8:header_end]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _DTYPES:
            raise ValueError(
                f"{path.name}: tensor {name}: expected one of {', '.join(_DTYPES)}, "
                f"got {entry['dtype']}"
            )
        tensors[name] = np.ndarray(
            entry["shape"],
            _DTYPES[entry["dtype"]],
            buffer=mapped,
            offset=header_end + entry["data_offsets"][0],
        )
    return tensors
