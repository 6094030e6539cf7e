# SPDX-License-Identifier: Apache-2.0
"""The web application: all routes over one service, and which status each error has."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from modelkeep.server.door import Door
from modelkeep.server.exchange import fault
from modelkeep.server.open_routes import OpenRoutes
from modelkeep.server.plain_routes import PlainRoutes
from modelkeep.server.service import Service
from modelkeep.spec.errors import (
    BadInput,
    KeepError,
    LoadFailed,
    NotReady,
    PredictFailed,
    UnknownModel,
)

STATUS: dict[type[KeepError], int] = {
    BadInput: 400,
    UnknownModel: 404,
    PredictFailed: 500,
    LoadFailed: 503,
    NotReady: 503,
    KeepError: 500,
}


def build_app(service: Service, *, max_body_bytes: int) -> Starlette:
    """The ASGI application.

    Every error, those of routing included, is answered as ``{"error": "text"}``.

    Args:
        service: the running models; only called, never closed.
        max_body_bytes: a larger request body is refused with 413.
    """
    app = Starlette(
        routes=[
            *PlainRoutes(service, max_body_bytes).routes(),
            *OpenRoutes(service, max_body_bytes).routes(),
        ],
        middleware=[Middleware(Door)],
        exception_handlers={
            KeepError: _on_keep_error,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_hang_up,
            Exception: _on_surprise,
        },
    )
    # A redirect is no JSON, and would repeat the Host that the client made up.
    app.router.redirect_slashes = False
    return app


def status_of(error: KeepError) -> int:
    """The HTTP status for an error: that of its nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


async def _on_keep_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KeepError)
    # RFC 9110 §10.2.3: what loads now may answer soon.
    headers = {"Retry-After": "1"} if isinstance(error, NotReady) else None
    return fault(status_of(error), str(error), headers=headers)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return fault(error.status_code, error.detail, headers=error.headers)


async def _on_hang_up(request: Request, error: Exception) -> Response:
    return fault(400, "the client hung up")


async def _on_surprise(request: Request, error: Exception) -> Response:
    # The server logs the exception itself; what it says may be private.
    return fault(500, "an internal error; the log of modelkeep says more")
