# SPDX-License-Identifier: Apache-2.0
"""Small things that the tests of all sources need."""

from __future__ import annotations

from pathlib import Path

from modelkeep.sources.base import Stream
from modelkeep.spec.listing import Origin


def no_archive(origin: Origin) -> Path:
    """The ``bring`` of sources that have no archives."""
    raise AssertionError(f"{origin.source} has no archives")


def read(stream: Stream) -> bytes:
    """All that is left of a stream, which is closed."""
    try:
        return b"".join(stream)
    finally:
        stream.close()
