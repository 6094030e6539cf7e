# SPDX-License-Identifier: Apache-2.0
"""The closed list of files of one model version, and the identity it gives.

Two manifests with the same rows are the same bytes, so the digest of a
manifest names a model version exactly (DESIGN: identity).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.path import check_closed, check_path


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a model: its path inside it, its size in bytes, its digest."""

    path: str
    size_bytes: int
    digest: Digest


@dataclass(frozen=True)
class Manifest:
    """Rows sorted by the bytes of their paths; ``Manifest.of`` sorts and checks.

    Its text is UTF-8 JSON with no spaces: ``{"files":[{"path":…,"size_bytes":…,
    "digest":…},…],"version":1}``, keys in that order.
    """

    files: tuple[FileRow, ...]

    @classmethod
    def of(cls, rows: Iterable[FileRow]) -> Self:
        """Sort and check rows.

        Raises:
            UnsafePath: a path that climbs out, or two that exclude each other.
            InvalidValue: no rows, or a negative size.
        """
        files = tuple(rows)
        if not files:
            raise InvalidValue("manifest", "at least one file", "none")
        for row in files:
            check_path(row.path)
            if row.size_bytes < 0:
                raise InvalidValue(f"file {row.path}", "a size of 0 or more", str(row.size_bytes))
        check_closed([row.path for row in files])
        return cls(tuple(sorted(files, key=lambda row: row.path.encode())))

    @cached_property
    def canonical(self) -> bytes:
        """The exact bytes that are stored and whose digest is the identity."""
        rows = [
            {"path": row.path, "size_bytes": row.size_bytes, "digest": str(row.digest)}
            for row in self.files
        ]
        whole = {"files": rows, "version": 1}
        return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def identity(self) -> Digest:
        """The name of this model version."""
        return Digest.of(self.canonical)

    @property
    def size_bytes(self) -> int:
        """The sum of all files, each counted as often as it is listed."""
        return sum(row.size_bytes for row in self.files)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read canonical bytes; anything but the canonical form is refused.

        Raises:
            InvalidValue: not JSON, a wrong shape, or not the canonical bytes.
            UnsafePath: a path that climbs out.
        """
        try:
            whole = json.loads(data)
            rows = [
                FileRow(str(row["path"]), int(row["size_bytes"]), Digest.parse(row["digest"]))
                for row in whole["files"]
            ]
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise InvalidValue("manifest", "its canonical JSON", str(error)) from error
        except RecursionError as error:
            raise InvalidValue("manifest", "its canonical JSON", "endless nesting") from error
        manifest = cls.of(rows)
        if manifest.canonical != data:
            raise InvalidValue("manifest", "its canonical JSON", "other bytes for the same rows")
        return manifest
