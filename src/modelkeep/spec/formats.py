# SPDX-License-Identifier: Apache-2.0
"""What may run code: pickles by how they begin, whatever their name says; code by name. Pure.

Unpickling runs code of the file's author, so such files need permission
(DESIGN §4). This looks for what can run; it is a gate, not a virus scanner:
the loader, which has the whole file, looks once more.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

HEAD_BYTES = 64 * 1024
ZIP = b"PK\x03\x04"
_CODE = re.compile(r"\.(py[cod]?|so[.\d]*|dylib|dll)$", re.IGNORECASE)
_PROTO = 0x80
# Opcodes of pickletools that import, that build arguments, that call.
_IMPORTS = frozenset({"STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_ARGUMENTS = frozenset(
    {"MARK", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "DICT"}
)
_CALLS = frozenset({"REDUCE", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD"})


def is_code(path: str) -> bool:
    """Whether a file is Python or a library of machine code (``.so.1.2`` too), by its name."""
    return _CODE.search(path) is not None


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins so is a pickle, or a zip around one (torch.save).

    Args:
        head: its first HEAD_BYTES, or all of it.
    """
    if head.startswith(ZIP):
        return b".pkl" in head or b".pickle" in head
    if len(head) > 1 and head[0] == _PROTO and head[1] <= pickle.HIGHEST_PROTOCOL:
        return _goes_on(head)
    return _calls(head)


def _goes_on(head: bytes) -> bool:
    """Whether opcodes follow the header; other formats begin so by chance, but end there."""
    data = _Torn(head)
    names = [name for name, _ in islice(_opcodes(data), 4)]
    return len(names) > 2 or "STOP" in names or (bool(names) and data.torn)


def _calls(head: bytes) -> bool:
    """Whether it imports something and calls it with arguments; what runs needs no end.

    With no header a pickle looks like text, and text like a pickle for a while:
    two lines of words that begin with ``c`` are an import.
    """
    imported = arguments = False
    for name, argument in _opcodes(_Torn(head)):
        if name in ("GLOBAL", "INST"):
            imported = imported or _is_dotted(str(argument))
        imported = imported or name in _IMPORTS
        arguments = arguments or name in _ARGUMENTS
        if imported and arguments and name in _CALLS:
            return True
    return False


def _is_dotted(argument: str) -> bool:
    module, _, member = argument.partition(" ")
    return all(part.isidentifier() for part in f"{module}.{member}".split("."))


class _Torn(io.BytesIO):
    """Bytes that remember whether more was asked of them than is there."""

    torn = False

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.torn = self.torn or (size is not None and len(piece) < size)
        return piece


def _opcodes(data: io.BytesIO) -> Iterator[tuple[str, object]]:
    """Names and arguments of the opcodes up to the end, or to the first that is none."""
    with suppress(ValueError, LookupError, ArithmeticError):
        for opcode, argument, _ in pickletools.genops(data):
            yield opcode.name, argument
