# SPDX-License-Identifier: Apache-2.0
"""SHA-256 digests, the only names that bytes have here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from modelkeep.spec.errors import InvalidValue

_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The SHA-256 of some bytes (FIPS 180-4), as 64 lower-case hex digits.

    The only type that may become a path in the store.

    Raises:
        InvalidValue: the text is not 64 lower-case hex digits.
    """

    hex: str

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise InvalidValue("digest", "64 lower-case hex digits", repr(self.hex))

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<64 hex>``."""
        algorithm, colon, digits = text.partition(":")
        if not colon or algorithm != "sha256" or not _HEX.fullmatch(digits):
            raise InvalidValue("digest", "sha256:<64 lower-case hex digits>", repr(text))
        return cls(digits)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The digest of bytes in memory."""
        return cls(hashlib.sha256(data).hexdigest())
