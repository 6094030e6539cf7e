# SPDX-License-Identifier: Apache-2.0
"""From a private temporary file to a final name, in one step that others can see.

Correct with no lock: whoever comes second finds the same bytes. A network
filesystem can report failure for a step that happened, so the destination is
looked at before an error is believed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

# macOS has no fdatasync.
sync_data = getattr(os, "fdatasync", os.fsync)


def fresh_name() -> str:
    """A name that nobody else takes: 128 random bits (what uuid4 is, without its imports)."""
    return os.urandom(16).hex()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(temporary: Path, final: Path) -> bool:
    """Give a finished, fsynced file its final name; the temporary name goes away.

    Returns:
        False where the final name was taken already; that file is left as it is.

    Raises:
        OSError: neither link nor rename work here.
    """
    _make_folder(final.parent)
    placed = _place(temporary, final)
    with suppress(FileNotFoundError):
        temporary.unlink()
    sync_folder(final.parent)
    return placed


def _place(temporary: Path, final: Path) -> bool:
    try:
        os.link(temporary, final)
    except FileExistsError:
        return _same(temporary, final)
    except OSError:
        # No hard links here, or another owner's file is protected: rename
        # replaces, which is harmless since equal names mean equal bytes.
        if not _same(temporary, final):
            _rename(temporary, final)
    return True


def replace(temporary: Path, final: Path) -> None:
    """Put a finished file in the place of whatever has that name."""
    _make_folder(final.parent)
    _rename(temporary, final)
    sync_folder(final.parent)


def _rename(temporary: Path, final: Path) -> None:
    status = temporary.stat()
    try:
        temporary.rename(final)
    except OSError:
        if temporary.exists() or not final.exists() or final.stat().st_ino != status.st_ino:
            raise


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


def write_small(final: Path, data: bytes, scratch: Path, *, mode: int = 0o444) -> None:
    """Write a small file whole: private, fsynced, then in the place of any older one.

    Args:
        scratch: a folder on the same filesystem for the temporary file.
    """
    temporary = scratch / f"{fresh_name()}.small"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        replace(temporary, final)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
