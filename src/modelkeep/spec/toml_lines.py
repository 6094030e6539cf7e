# SPDX-License-Identifier: Apache-2.0
"""Finds the line of a TOML text where a key stands (tomllib does not tell)."""

from __future__ import annotations

import re

_HEADER = re.compile(r"\s*\[\[?([^\]]+)\]\]?\s*(?:#.*)?")


def line_of(text: str, key: str) -> int | None:
    """The 1-based line where a dotted key stands, or its nearest table; None if unseen.

    A search by eye, not a parser: it knows table headers and ``key =`` lines,
    which is how people write them.
    """
    best: tuple[int, int] | None = None
    table = ""
    # By \n alone, as TOML has it: splitlines() knows more ends of lines.
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.fullmatch(line)
        if header:
            table = _plain_key(header[1])
            found = table
        elif "=" in line:
            found = f"{table}.{_plain_key(line.split('=', 1)[0])}".lstrip(".")
        else:
            continue
        if (found == key or key.startswith(found + ".")) and (not best or len(found) > best[0]):
            best = (len(found), number)
    return best[1] if best else None


def _plain_key(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.strip().split("."))
