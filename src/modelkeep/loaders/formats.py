# SPDX-License-Identifier: Apache-2.0
"""What a model's folder holds: its size, and the files that would run code.

Pickle is recognised by content, never by name: a zip with a pickle inside
(what ``torch.save`` writes), or pickle opcodes from the first byte on. It is
recognised without being unpickled.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from modelkeep.loaders.base import LoadSpec
from modelkeep.spec.errors import ForbiddenFormat

_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"}
_OPCODES_READ = 10_000


def files_in(folder: Path) -> Iterator[Path]:
    """Every file under a folder, in the order of its path; links are followed to files."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in files_in(folder))


def pickles_in(folder: Path) -> tuple[str, ...]:
    """Paths inside the folder of the files that are pickles or zips with one."""
    return tuple(
        path.relative_to(folder).as_posix() for path in files_in(folder) if is_pickle(path)
    )


def code_in(folder: Path) -> tuple[str, ...]:
    """Paths inside the folder of Python sources."""
    return tuple(
        path.relative_to(folder).as_posix() for path in files_in(folder) if path.suffix == ".py"
    )


def check_allowed(spec: LoadSpec) -> None:
    """Refuse once more what models.toml does not allow (DESIGN §4).

    Raises:
        ForbiddenFormat: pickle or Python code without permission, naming the files.
    """
    subject = f"model {spec.name}"
    if not spec.allow_pickle and (found := pickles_in(spec.folder)):
        raise ForbiddenFormat(subject, "no pickle, or allow_pickle = true", ", ".join(found))
    if not spec.allow_code and (found := code_in(spec.folder)):
        raise ForbiddenFormat(subject, "no code of its own, or allow_code = true", ", ".join(found))


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, or a zip that holds one.

    A zip that cannot be read counts as one: what cannot be judged is not safe.
    """
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head == b"PK\x03\x04":
            return _zip_holds_pickle(file)
        if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            return _opens_as_pickle(file)
        return _calls_like_pickle(file)


def _zip_holds_pickle(file: IO[bytes]) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith((".pkl", ".pickle")) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True


def _opcodes(file: IO[bytes]) -> Iterator[tuple[str, object]]:
    """Opcodes up to the first that is none."""
    try:
        for opcode, argument, _ in islice(pickletools.genops(file), _OPCODES_READ):
            yield opcode.name, argument
    except (ValueError, IndexError, OverflowError, MemoryError):
        return


def _opens_as_pickle(file: IO[bytes]) -> bool:
    # Other formats may begin with these two bytes by chance (a safetensors header of
    # 640 bytes does), but not go on with opcodes.
    names = [name for name, _ in islice(_opcodes(file), 4)]
    return len(names) == 4 or names[-1:] == ["STOP"]


def _calls_like_pickle(file: IO[bytes]) -> bool:
    """Protocols 0 and 1 have no header: look for a call of something imported.

    Text can read as opcodes for a while (``cat``, ``dog`` on two lines is an
    import), so the parts of a call must be there: a dotted name, its
    arguments, the call.
    """
    imported = marked = arguments = False
    for name, argument in _opcodes(file):
        if name in ("GLOBAL", "INST"):
            parts = str(argument).split(" ")
            dotted = len(parts) == 2 and all(
                piece.isidentifier() for part in parts for piece in part.split(".")
            )
            if name == "INST" and marked and dotted:
                return True
            imported = imported or dotted
        elif name == "MARK":
            marked = True
        elif name in _TUPLES:
            arguments = True
        elif (name == "REDUCE" and imported and arguments) or (name == "OBJ" and imported):
            return True
    return False
