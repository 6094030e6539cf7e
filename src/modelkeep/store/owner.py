# SPDX-License-Identifier: Apache-2.0
"""Who wrote a partial, and whether that process still lives.

A process is named by host, boot, pid and start time, since pids come again.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Owner:
    """One process. ``boot`` and ``started`` are "" where the system does not tell."""

    host: str
    boot: str
    pid: int
    started: str

    def as_dict(self) -> dict[str, Any]:
        """For a JSON record."""
        return asdict(self)


@cache
def host_name() -> str:
    """The name of this host, fit for a folder's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", socket.gethostname())[:64] or "host"


def this_process() -> Owner:
    """The calling process."""
    return Owner(host_name(), _boot(), os.getpid(), _started(os.getpid()))


def is_dead(owner: Owner) -> bool:
    """Whether the owner has certainly ended; False where that cannot be known."""
    if owner.host != host_name():
        return False
    if owner.boot and owner.boot != _boot():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    except OverflowError:
        return False
    # "" where /proc hides other users' processes: that tells nothing.
    now = _started(owner.pid)
    return bool(owner.started and now) and owner.started != now


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Start time in clock ticks since boot: field 22 of proc(5) ``stat``; "" if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if len(fields) > 19 else ""
