# SPDX-License-Identifier: Apache-2.0
"""What the options before the command say, and the Keep that they open."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from modelkeep.keep.api import Keep
from modelkeep.spec.emit import Emit, Event


@dataclass
class Session:
    """One run of the command line."""

    folder: Path | None = None
    profile: str | None = None
    flags: dict[str, object] = field(default_factory=dict)
    quiet: bool = False
    debug: bool = False
    json: bool = False

    def open(self, *, emit: Emit | None = None) -> Keep:
        """The project, with these options as flags.

        Raises:
            InvalidDocument, InvalidValue: as ``Keep.open``.
        """
        return Keep.open(
            self.folder, profile=self.profile, flags=self.flags, emit=emit or fan_out([])
        )

    @contextmanager
    def with_progress(self) -> Iterator[Keep]:
        """The project, with bars on a terminal, plain lines elsewhere, nothing if quiet."""
        if self.quiet:
            yield self.open()
            return
        with ExitStack() as stack:
            yield self.open(emit=fan_out([_at_first_event(stack)]))


def _at_first_event(stack: ExitStack) -> Callable[[Event], None]:
    """A progress listener that is made when something happens: most often nothing does."""
    made: list[Callable[[Event], None]] = []
    turn = threading.Lock()

    def listen(event: Event) -> None:
        with turn:
            if not made:
                from modelkeep.cli.progress import listener

                terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
                made.append(stack.enter_context(listener(terminal=terminal)))
        made[0](event)

    return listen


session = Session()


def fan_out(listeners: list[Callable[[Event], None]]) -> Emit:
    """Tell every listener; what one raises is logged and goes no further."""

    def emit(event: Event) -> None:
        for listen in listeners:
            try:
                listen(event)
            except Exception:  # a listener's door: its fault must not stop the work
                import logging

                logging.getLogger("modelkeep").exception("a listener failed on %r", event)

    return emit
