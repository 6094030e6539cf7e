# SPDX-License-Identifier: Apache-2.0
"""Who may come in: programs on this computer, and pages that it serves itself.

A page from elsewhere, open in the user's browser, can reach the loopback too:
by a cross-origin post, or under a name of its own that it lets resolve to
127.0.0.1 (DNS rebinding). The first names its Origin, the second its Host.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelkeep.server.exchange import fault

_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9.-]+)|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::[0-9]{1,5})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
logger = logging.getLogger("modelkeep.server")


def refusal(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Why a request with these headers may not come in, or None where it may.

    Args:
        headers: names in lower case, and values.
    """
    hosts, origins = [], []
    for name, value in headers:
        if name == b"host":
            hosts.append(value.decode("latin-1"))
        elif name == b"origin":
            origins.append(value.decode("latin-1"))
    if len(hosts) != 1 or not is_loopback(hosts[0]):
        return f"Host: expected a loopback name or address, got {', '.join(hosts) or 'none'}"
    for origin in origins:
        scheme, mark, host = origin.partition("://")
        if scheme not in ("http", "https") or not mark or not is_loopback(host):
            return f"Origin: expected none or a loopback one, got {origin}"
    return None


def is_loopback(host: str) -> bool:
    """Whether ``host`` or ``host:port`` names this computer, without asking any resolver."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match["name"] and match["name"].lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(match["name"] or match["v6"]).is_loopback
    except ValueError:
        return False


class Door:
    """The outermost layer: refuses, logs, and answers for what was cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request; other kinds of scope than http find nobody in."""
        if scope["type"] != "http":
            return
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        why = refusal(scope["headers"])
        try:
            if why is not None:
                await fault(403, why)(scope, receive, watch)
            elif _CONTROL.search(scope["path"]):
                await fault(404, "Not Found")(scope, receive, watch)
            else:
                await self.app(scope, receive, watch)
        except asyncio.CancelledError:
            if status:
                raise
            # The time to finish is over; the client shall still hear why.
            await fault(503, "the server is stopping")(scope, receive, watch)
        finally:
            logger.debug("%s %r %d", scope["method"], scope["path"], status)
