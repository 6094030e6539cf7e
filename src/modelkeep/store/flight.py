# SPDX-License-Identifier: Apache-2.0
"""Single flight: of many processes that want the same bytes, one fetches.

Locks here are hints that save bandwidth. One that lies, hangs or is not
supported costs a second download, never a wrong byte.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modelkeep.spec.digest import Digest
from modelkeep.store.partials import written_bytes
from modelkeep.store.tree import Tree

STILL_S = 60.0
_LOOK_S = (0.02, 0.25)


@contextmanager
def flight(
    tree: Tree, digest: Digest, *, landed: Callable[[], bool], still_s: float = STILL_S
) -> Iterator[bool]:
    """Wait for whoever fetches these bytes, then tell whether there is work left.

    Args:
        landed: whether the wanted bytes are here now.
        still_s: seconds without any progress of the other's partial, after
            which it is no longer waited for.

    Yields:
        True: fetch them. False: they came meanwhile.
    """
    path = tree.locks / digest.hex
    handle, ours = _wait(path, landed, lambda: written_bytes(tree, digest), still_s)
    try:
        yield ours and not landed()
    finally:
        if ours:
            with suppress(OSError):
                path.unlink()
        os.close(handle)


def _wait(
    path: Path, landed: Callable[[], bool], progress: Callable[[], int], still_s: float
) -> tuple[int, bool]:
    """An open lock file, and whether it is held (or no longer waited for)."""
    seen, since, pause_s = -1, time.monotonic(), _LOOK_S[0]
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        except OSError:
            return handle, True
        else:
            if _is_named(handle, path):
                return handle, True
            # The one before us unlinked it: who opens the name now has another file.
            os.close(handle)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            continue
        if landed():
            return handle, False
        now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > still_s:
            return handle, True
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LOOK_S[1])


def _is_named(handle: int, path: Path) -> bool:
    try:
        return os.stat(path).st_ino == os.fstat(handle).st_ino
    except OSError:
        return False
