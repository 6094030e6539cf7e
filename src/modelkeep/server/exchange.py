# SPDX-License-Identifier: Apache-2.0
"""What the routes share: a body comes in, values go to the service, JSON goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from modelkeep.runtime.phases import SlotStatus
from modelkeep.server.documents import read_document, write_document
from modelkeep.server.service import Service
from modelkeep.spec.errors import NotReady, UnknownModel

T = TypeVar("T")

DRAINING = "modelkeep.draining"
"""Key of the ASGI scope: true once the server has been told to stop."""

# From here on JSON takes long enough, a millisecond or more, to leave the event loop.
HEAVY_BYTES = 32 * 1024


def reply(document: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(write_document(document), status, media_type="application/json")


def fault(status: int, text: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """An error as every route gives it: ``{"error": "text"}``."""
    body = write_document({"error": text})
    return Response(body, status, headers=headers, media_type="application/json")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The request's body.

    Raises:
        HTTPException: 413 for a body over the limit, as soon as that is known;
            415 for a compressed one, 501 for the protocol's binary form.
        ClientDisconnect: it never came whole.
    """
    headers = request.headers
    if "inference-header-content-length" in headers:
        raise HTTPException(501, "tensors in binary form: expected JSON data (binary_data=False)")
    if headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(415, "request body: expected it without Content-Encoding")
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) > max_bytes:
        raise _too_large(max_bytes, told)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes, "more")
    return bytes(body)


def _too_large(max_bytes: int, got: str) -> HTTPException:
    return HTTPException(413, f"request body: expected at most {max_bytes} bytes, got {got}")


async def parsed(body: bytes, parse: Callable[[Any], T]) -> T:
    """What ``parse`` makes of a JSON body, off the event loop where the body is large."""
    return await apart(len(body), lambda: parse(read_document(body)))


async def rendered(outputs: Mapping[str, Any], render: Callable[[], object]) -> Response:
    """The response that ``render`` makes of these outputs, off the loop where they are large."""
    return await apart(sum(map(_size_bytes, outputs.values())), lambda: reply(render()))


async def apart(size_bytes: int, work: Callable[[], T]) -> T:
    """The work's result; large work is done in a thread."""
    if size_bytes < HEAVY_BYTES:
        return work()
    return await asyncio.to_thread(work)


def _size_bytes(value: object) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if value is None or isinstance(value, (bool, int, float)):
        return 8
    size = getattr(value, "nbytes", HEAVY_BYTES)
    # An array of objects counts only its pointers.
    return HEAVY_BYTES if str(getattr(value, "dtype", "")) == "object" else int(size)


async def outcome(subject: str, future: Future[T]) -> T:
    """What the service's future brings.

    Raises:
        NotReady: the service gave the work up.
    """
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise NotReady(subject, "an answer", "the service gave it up") from error


def find_slot(service: Service, name: str, version: str | None = None) -> SlotStatus:
    """The slot of that name and, where one is asked for, version.

    Raises:
        UnknownModel: there is none.
    """
    slots = service.overview().slots
    for slot in slots:
        if slot.name == name:
            if version is not None and version != slot.version:
                raise UnknownModel(
                    f"version {version} of model {name}", slot.version or "no version", version
                )
            return slot
    names = ", ".join(slot.name for slot in slots) or "none"
    raise UnknownModel(f"model {name}", f"a served model ({names})", "an unknown name")
