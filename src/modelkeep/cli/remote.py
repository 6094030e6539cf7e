# SPDX-License-Identifier: Apache-2.0
"""Asks a running server; its errors are said as it says them."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from modelkeep.spec.errors import KeepError, NotReady, Unreachable
from modelkeep.spec.uri import redact


class Refused(KeepError):
    """The server answered, and not with what was asked for."""


def ask(url: str, route: str, document: object = None) -> Any:
    """GET, or POST where there is a document; the answer's JSON.

    Raises:
        Unreachable: nobody answers there.
        NotReady: 503. Refused: any other error, in the server's words.
    """
    place = url.rstrip("/") + route
    body = None if document is None else json.dumps(document).encode()
    try:
        answer = urllib3.request(
            "GET" if body is None else "POST",
            place,
            body=body,
            headers={"Content-Type": "application/json"} if body else {},
            timeout=urllib3.Timeout(connect=5.0, read=None),
            retries=False,
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Unreachable(redact(url), "a running `modelkeep serve`", str(error)) from error
    try:
        found = json.loads(answer.data)
    except ValueError as error:
        raise Refused(redact(place), "JSON", f"status {answer.status}") from error
    if answer.status >= 400:
        said = found.get("error", found) if isinstance(found, dict) else found
        kind = NotReady if answer.status == 503 else Refused
        raise kind(redact(place), "an answer", f"status {answer.status}: {said}")
    return found
