# SPDX-License-Identifier: Apache-2.0
"""How things look: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from modelkeep.spec.digest import Digest

_UNITS = (("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12))


def say(text: str = "") -> None:
    """One line on standard output."""
    print(text, flush=True)


def note(text: str) -> None:
    """One line on standard error: progress and warnings, never an answer."""
    # In one piece: lines of several threads must not run into each other.
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def size(size_bytes: float) -> str:
    """Bytes for people, by powers of 1,000: ``3.2 MB``."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    unit = next(u for u in _UNITS if size_bytes < 1000 * u[1] or u is _UNITS[-1])
    return f"{size_bytes / unit[1]:,.1f} {unit[0]}"


def duration(wall_s: float) -> str:
    """A time for people: ``12 ms``, ``3.4 s``."""
    return f"{wall_s * 1000:.0f} ms" if wall_s < 1 else f"{wall_s:.1f} s"


def count(number: int, noun: str) -> str:
    """``1 file``, ``3 files``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def permissions(pickle: bool, code: bool) -> str:
    """Which risky things a model may do, for a table's cell."""
    return " ".join(word for word, given in (("pickle", pickle), ("code", code)) if given)


def plain(value: Any) -> Any:
    """Anything that a report holds, as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Digest)):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(part) for name, part in pairs}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (Digest, Path)):
        return str(value)
    return value


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    say(json.dumps(plain(value), ensure_ascii=False, indent=2))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns, each as wide as its widest cell; empty columns are left out."""
    cells = [list(row) for row in rows]
    kept = [i for i in range(len(head)) if any(row[i] for row in cells)]
    lines = [[head[i] for i in kept], *([row[i] for i in kept] for row in cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(kept))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
