# SPDX-License-Identifier: Apache-2.0
"""Paths inside a model: relative, forward, and harmless on every system."""

from __future__ import annotations

import re
import unicodedata

from modelkeep.spec.errors import UnsafePath

MAX_PATH_BYTES = 1024
MAX_PART_BYTES = 255
_PLAIN = re.compile(r"\w[\w.-]*(?:/\w[\w.-]*)*", re.ASCII)


def check_path(path: str) -> str:
    """Return the path itself if it may stand in a manifest.

    A safe path is relative, uses ``/``, has no empty, ``.`` or ``..`` part, no
    backslash, colon-drive, control character or lone surrogate, and fits the
    usual limits (255 bytes a part, NAME_MAX of POSIX).

    Raises:
        UnsafePath: with the reason.
    """
    reason = _fault(path)
    if reason:
        raise UnsafePath(f"path {path!r}", "a relative path that stays inside its folder", reason)
    return path


def _fault(path: str) -> str:
    # Nearly all paths are of this kind, and locks have thousands.
    if len(path) <= MAX_PART_BYTES and _PLAIN.fullmatch(path):
        return ""
    if not path:
        return "an empty path"
    if path.startswith("/"):
        return "an absolute path"
    if "\\" in path:
        return "a backslash"
    if not path.isprintable() and any(unicodedata.category(c) == "Cc" for c in path):
        return "a control character"
    if len(path) > 1 and path[1] == ":" and path[0].isalpha():
        return "a drive letter"
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "characters that are no text"
    if size > MAX_PATH_BYTES:
        return f"{size} bytes, more than {MAX_PATH_BYTES}"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "an empty, '.' or '..' part"
    if any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        return f"a part longer than {MAX_PART_BYTES} bytes"
    return ""


def check_closed(paths: list[str]) -> None:
    """Refuse a set of paths of which two cannot stand in one folder.

    Raises:
        UnsafePath: one path twice, or one that is also the folder of another.
    """
    seen = set(paths)
    if len(seen) != len(paths):
        twice = next(p for p in paths if paths.count(p) > 1)
        raise UnsafePath(f"path {twice!r}", "each path once", "the same path twice")
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for folder in sorted(folders & seen):
        path = next(path for path in paths if path.startswith(folder + "/"))
        raise UnsafePath(
            f"path {path!r}", "folders that are no files", f"the file {folder!r} in its way"
        )
