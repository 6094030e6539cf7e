# SPDX-License-Identifier: Apache-2.0
"""A service's log: one line an event, as text or as JSON, on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from modelkeep.cli import show
from modelkeep.spec import events
from modelkeep.spec.emit import Event

LOGGER = logging.getLogger("modelkeep")
_WARNINGS = (events.Warned, events.Retrying, events.ModelFailed)
_DETAILS = (events.BytesArrived, events.FileVerified)


def start_logging(level: str, form: str) -> None:
    """Send this package's records to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``text`` or ``json`` (one object a line: time, level, event, fields).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False


def listen(event: Event) -> None:
    """Log an event."""
    level = logging.INFO
    if isinstance(event, _WARNINGS):
        level = logging.WARNING
    elif isinstance(event, _DETAILS):
        level = logging.DEBUG
    LOGGER.log(level, sentence(event), extra={"event": event})


def sentence(event: Event) -> str:
    """The words that operators search for."""
    match event:
        case events.ModelLoading(model, path, size):
            return f"loading model={model} path={path} size={show.size(size)}"
        case events.ModelLoaded(model, path, size, wall_s, memory):
            return (
                f"loaded model={model} path={path} size={show.size(size)} "
                f"seconds={wall_s:.2f} memory={show.size(memory)}"
            )
        case events.ModelFailed(model, reason):
            return f"failed model={model} reason={reason}"
        case events.ModelUnloaded(model):
            return f"unloaded model={model}"
        case events.PhaseChanged(phase, reason):
            return f"phase={phase}" + (f" reason={reason}" if reason else "")
        case events.ServiceSummary(loaded, waiting, failed):
            return (
                f"models loaded: {_names(loaded)}; on first use: {_names(waiting)}; "
                f"failed: {_names(failed)}"
            )
        case events.Warned(subject, message):
            return f"{subject}: {message}"
    parts = (f"{name}={value}" for name, value in show.plain(event).items())
    return " ".join([type(event).__name__, *parts])


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLines(logging.Formatter):
    """``2026-11-21T10:00:00.000Z INFO loaded model=…``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it where there is one."""
        text = f"{_time(record)} {record.levelname} {record.getMessage()}"
        return text + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class JsonLines(logging.Formatter):
    """One JSON object a line, with the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One object, without line breaks."""
        row = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            row |= {"event": type(event).__name__, **show.plain(event)}
        if record.exc_info:
            row["exception"] = self.formatException(record.exc_info)
        return json.dumps(row, ensure_ascii=False)
