# SPDX-License-Identifier: Apache-2.0
"""What a server's answer means: bytes from where to where, wait, or no.

Pure: values in, values or typed errors out. Nothing here knows a socket.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelkeep.spec.errors import AccessDenied, NotFound, SourceError, Unreachable

MAX_WAIT_S = 300.0
# RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4; 501 and 505 will be said again.
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)", re.IGNORECASE)
_QUOTA = re.compile(r"r=(\d+)\s*;\s*t=(\d+)")


class Transient(Unreachable):
    """It may go better soon: the same question may be asked again.

    Args:
        wait_s: how long the server asked to wait, or None where it did not say.
    """

    def __init__(
        self, subject: str, expected: str, got: str, *, wait_s: float | None = None
    ) -> None:
        self.wait_s = wait_s
        super().__init__(subject, expected, got)


class WrongRange(Unreachable):
    """The bytes do not start where they were asked for; from byte 0 on it may work."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One answer on the way: what was asked, with which status and headers (lower case)."""

    url: str
    status: int
    headers: Mapping[str, str]


class Denied(AccessDenied):
    """401 or 403; ``answer`` keeps what the server said beside it."""

    def __init__(self, subject: str, expected: str, got: str, *, answer: Hop) -> None:
        self.answer = answer
        super().__init__(subject, expected, got)


class Missing(NotFound):
    """404 or 410; ``answer`` keeps what the server said beside it."""

    def __init__(self, subject: str, expected: str, got: str, *, answer: Hop) -> None:
        self.answer = answer
        super().__init__(subject, expected, got)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a body begins in its file, and how many bytes the whole file has."""

    start_byte: int
    size_bytes: int | None


def judge(subject: str, answer: Hop, asked_byte: int, *, redirected: bool) -> Extent:
    """What an answer gives: where its body lies, or an error.

    Args:
        subject: for people, with no secrets in it.
        answer: the head, no redirect.
        asked_byte: what the Range header asked for, or 0 for none.
        redirected: another origin sent us here.

    Raises:
        SourceError: see ``extent``, ``beyond_end`` and ``refusal``.
    """
    if answer.status in (200, 206):
        return extent(subject, answer, asked_byte)
    if answer.status == 416 and asked_byte:
        return beyond_end(subject, answer, asked_byte)
    if answer.status < 400:
        raise Unreachable(subject, "an answer with a body", f"status {answer.status}")
    raise refusal(subject, answer, redirected=redirected)


def refusal(
    subject: str, answer: Hop, *, redirected: bool, now: datetime | None = None
) -> SourceError:
    """The error that a status of 400 or more stands for (416 aside).

    Args:
        subject: for people, with no secrets in it.
        answer: the head.
        redirected: another origin sent us here. Its 403 is then most often a
            signed URL past its time, which asking again makes new.
        now: for Retry-After dates; the present when None.
    """
    status = answer.status
    got = f"status {status}"
    if status == 403 and redirected:
        return Transient(subject, "the bytes", f"{got} where a redirect led; its time may be over")
    if status in (401, 403):
        return Denied(subject, "access", got, answer=answer)
    if status in (404, 410):
        return Missing(subject, "it to be there", got, answer=answer)
    if status in _RETRYABLE:
        wait_s = asked_wait_s(answer.headers, now or datetime.now(UTC))
        return Transient(subject, "an answer", got, wait_s=wait_s)
    return Unreachable(subject, "an answer", got)


def asked_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a server asks to wait, at most MAX_WAIT_S, or None.

    Retry-After in seconds or as a date (RFC 9110 §10.2.3), else the Hub's
    ``ratelimit: "api";r=0;t=55``.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_WAIT_S)
    if text:
        try:
            when = parsedate_to_datetime(text)
        except ValueError:
            return None
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return min(max((when - now).total_seconds(), 0.0), MAX_WAIT_S)
    quota = _QUOTA.search(headers.get("ratelimit", ""))
    if quota and int(quota[1]) == 0:
        return min(float(quota[2]), MAX_WAIT_S)
    return None


def extent(subject: str, answer: Hop, asked_byte: int) -> Extent:
    """Where the body of a 200 or 206 lies in its file.

    Args:
        subject: for people.
        answer: the head.
        asked_byte: what the Range header asked for, or 0 for none.

    Raises:
        WrongRange: a 206 that begins elsewhere, or does not say where.
        Unreachable: a body that is compressed though nobody asked for it.
    """
    encoding = answer.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Unreachable(subject, "the bytes as they are", f"Content-Encoding {encoding!r}")
    length = content_length(answer.headers)
    if answer.status != 206:
        return Extent(0, length)
    text = answer.headers.get("content-range", "")
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if not match or match[1] is None or int(match[1]) != asked_byte:
        raise WrongRange(subject, f"bytes from {asked_byte} on", f"Content-Range {text!r}")
    size = None if match[3] == "*" else int(match[3])
    if int(match[2]) < asked_byte or (size is not None and int(match[2]) >= size):
        raise WrongRange(subject, f"bytes from {asked_byte} on", f"Content-Range {text!r}")
    if size is None and length is not None:
        size = asked_byte + length
    return Extent(asked_byte, size)


def beyond_end(subject: str, answer: Hop, asked_byte: int) -> Extent:
    """The meaning of 416: nothing is left when the file ends at the byte that was asked for.

    Raises:
        WrongRange: the file ends before that byte, or the server does not say.
    """
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if match and match[3] == str(asked_byte):
        return Extent(asked_byte, asked_byte)
    got = f"a file of {match[3]} bytes" if match and match[3] != "*" else "status 416"
    raise WrongRange(subject, f"bytes from {asked_byte} on", got)


def content_length(headers: Mapping[str, str]) -> int | None:
    """Content-Length as a number, None where there is none that is one."""
    text = headers.get("content-length", "").strip()
    return int(text) if text.isdecimal() and text.isascii() else None
