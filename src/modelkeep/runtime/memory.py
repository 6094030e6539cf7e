# SPDX-License-Identifier: Apache-2.0
"""How much memory a process holds, shared pages counted by its share (PSS)."""

from __future__ import annotations

import re
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def held_by(pid: int) -> int:
    """Bytes that a process holds: PSS, where there is none USS or RSS, else 0.

    Linux tells PSS in one small file (proc(5), ``smaps_rollup``, since 4.14);
    psutil is asked on other systems, if it is installed.
    """
    try:
        match = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"))
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else _by_psutil(pid)


def _by_psutil(pid: int) -> int:
    try:
        import psutil
    except ImportError:
        return 0
    try:
        process = psutil.Process(pid)
        try:
            full = process.memory_full_info()
            return int(getattr(full, "pss", full.uss))
        except psutil.AccessDenied:
            return int(process.memory_info().rss)
    except psutil.Error:
        return 0
