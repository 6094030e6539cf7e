# SPDX-License-Identifier: Apache-2.0
"""How it is told what happened; any thread may emit.

Acting functions take ``emit: Emit``. Listeners live on the roof (progress
bars, logs); what they raise is logged and goes no further. The kinds of events
stand apart, so that who only hands ``emit`` on need not import them.
"""

from __future__ import annotations

from collections.abc import Callable


class Event:
    """The root of every event."""


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener of those who do not listen."""
