# SPDX-License-Identifier: Apache-2.0
"""A client that gives up quickly, and what tests do with it."""

from __future__ import annotations

from typing import Any

from modelkeep.spec.emit import Emit, ignore
from modelkeep.spec.settings import Network
from modelkeep.wire.client import Client
from modelkeep.wire.response import Response

SECRET = "Bearer hunter2"


def client(emit: Emit = ignore, **settings: Any) -> Client:
    """A client whose retries take no time to speak of."""
    quick = {"retries": 2, "retry_delay_s": 0.01, "timeout_s": 5.0}
    return Client(Network(**{**quick, **settings}), emit)


def body(response: Response) -> bytes:
    """All of a body; the response is closed."""
    with response:
        return b"".join(response)
