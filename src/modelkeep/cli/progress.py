# SPDX-License-Identifier: Apache-2.0
"""Progress of fetches and verifications: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelkeep.cli import show
from modelkeep.spec import events
from modelkeep.spec.emit import Event

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

FEW = 40
LARGE_BYTES = 10_000_000


@contextmanager
def listener(*, terminal: bool) -> Iterator[Callable[[Event], None]]:
    """A listener that lasts as long as the context."""
    if not terminal:
        yield Lines()
        return
    bars = Bars()
    try:
        yield bars
    finally:
        bars.close()


def tell(event: Event) -> None:
    """One plain line for what a log would want to keep."""
    match event:
        case events.FetchPlanned(files, size, what):
            known = f", {show.size(size)}" if size else ""
            show.note(f"fetching {what or show.count(files, 'file')}{known}")
        case events.Retrying(subject, reason, attempt, wait_s):
            show.note(f"  {subject}: {reason}; try {attempt + 1} in {wait_s:.1f} s")
        case events.Warned(subject, message):
            show.note(f"warning: {subject}: {message}")
        case events.FetchDone(files, size, wall_s):
            rate = show.size(size / wall_s) if wall_s else show.size(size)
            took = show.duration(wall_s)
            show.note(
                f"fetched {show.count(files, 'file')}, {show.size(size)} in {took} ({rate}/s)"
            )


class Lines:
    """Plain lines: each file where there are few, else only the large ones."""

    def __init__(self) -> None:
        self._least_bytes = 0

    def __call__(self, event: Event) -> None:
        """Hear one event, from any thread."""
        if isinstance(event, events.FetchPlanned):
            self._least_bytes = 0 if event.files <= FEW else LARGE_BYTES
        if not isinstance(event, events.BlobStored):
            tell(event)
        elif event.size_bytes >= self._least_bytes:
            show.note(f"  {event.subject}: {event.path} ({show.size(event.size_bytes)})")


class Bars:
    """Bars with bytes, rate and time left: one in all, one for each file under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._total: TaskID | None = None
        self._files: dict[tuple[str, str], TaskID] = {}
        self._done: dict[tuple[str, str], int] = {}

    def __call__(self, event: Event) -> None:
        """Hear one event, from any thread."""
        with self._lock:
            match event:
                case events.FetchPlanned(files, size, what):
                    self._begin(what or show.count(files, "file"), size)
                case events.BytesArrived(subject, path, done, size):
                    self._move(subject, path, done, size)
                case events.BlobStored(subject, path, _, size):
                    self._move(subject, path, size, size)
                    self._end(subject, path)
                case events.FetchDone():
                    self._stop()
                    tell(event)
                case events.Warned() | events.Retrying():
                    tell(event)

    def _begin(self, text: str, size_bytes: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._stop()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._total = self._progress.add_task(text, total=size_bytes or None)
        self._progress.start()

    def _move(self, subject: str, path: str, done_bytes: int, size_bytes: int | None) -> None:
        if self._progress is None:
            return
        key = (subject, path)
        if key not in self._files:
            name = f"{subject}: {path.rpartition('/')[2]}"
            self._files[key] = self._progress.add_task(name, total=size_bytes)
        self._progress.update(self._files[key], completed=done_bytes)
        self._done[key] = done_bytes
        if self._total is not None:
            self._progress.update(self._total, completed=sum(self._done.values()))

    def _end(self, subject: str, path: str) -> None:
        task = self._files.pop((subject, path), None)
        if self._progress is not None and task is not None:
            self._progress.remove_task(task)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress, self._total = None, None
        self._files.clear()
        self._done.clear()

    def close(self) -> None:
        """Take the bars off the screen."""
        with self._lock:
            self._stop()
