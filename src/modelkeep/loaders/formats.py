# SPDX-License-Identifier: Apache-2.0
"""What a model's folder holds: its size, and the files that would run code.

Pickle is recognised by content, never by name: a zip with a pickle inside
(what ``torch.save`` writes), or pickle opcodes from the first byte on. It is
recognised without being unpickled.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modelkeep.loaders.base import LoadSpec
from modelkeep.spec import formats
from modelkeep.spec.errors import ForbiddenFormat
from modelkeep.spec.formats import ZIP

# More than the lock looks at: here the file is at hand.
_HEAD_BYTES = 16 * formats.HEAD_BYTES


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
    """Paths inside the folder of Python files and libraries of machine code."""
    return tuple(
        path.relative_to(folder).as_posix()
        for path in files_in(folder)
        if formats.is_code(path.name)
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
        head = file.read(_HEAD_BYTES)
        return _zip_holds_pickle(file) if head.startswith(ZIP) else formats.is_pickle(head)


def _zip_holds_pickle(file: IO[bytes]) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith((".pkl", ".pickle")) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return True
