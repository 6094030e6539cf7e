# SPDX-License-Identifier: Apache-2.0
"""What the filesystem under a folder can do, found out by trying."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelkeep.store.publish import fresh_name


@dataclass(frozen=True, slots=True)
class Abilities:
    """Tried, not guessed. ``free_bytes`` is what this user may still write."""

    writable: bool
    symlink: bool
    hardlink: bool
    free_bytes: int


def free_bytes(folder: Path) -> int:
    """Bytes free for this user under the nearest folder that exists (statvfs)."""
    while not folder.exists():
        folder = folder.parent
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def probe(folder: Path) -> Abilities:
    """Try each thing in a scratch folder, which is gone afterwards.

    Args:
        folder: an existing folder; where it cannot be written, nothing is tried.
    """
    scratch = folder / f"probe-{fresh_name()}"
    target = scratch / "target"
    try:
        scratch.mkdir()
        target.write_bytes(b"x")
        return Abilities(
            writable=True,
            symlink=_works(lambda: (scratch / "soft").symlink_to("target"), scratch / "soft"),
            hardlink=_works(lambda: os.link(target, scratch / "hard"), scratch / "hard"),
            free_bytes=free_bytes(folder),
        )
    except OSError:
        return Abilities(writable=False, symlink=False, hardlink=False, free_bytes=0)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _works(act: Callable[[], None], made: Path) -> bool:
    try:
        act()
        return made.read_bytes() == b"x"
    except OSError:
        return False
