# SPDX-License-Identifier: Apache-2.0
"""The server's life: listen on the loopback, answer, be told to stop, finish, return."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from modelkeep.server.exchange import DRAINING
from modelkeep.spec.errors import InvalidValue

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ADDRESSES = {"127.0.0.1": "127.0.0.1", "::1": "::1", "localhost": "127.0.0.1"}
_BACKLOG = 2048


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    grace_s: float,
    on_listening: Callable[[int], None],
    stop_signals: Sequence[signal.Signals] = STOP_SIGNALS,
    stop: threading.Event | None = None,
) -> None:
    """Serve until told to stop; then accept no more, finish what runs, return.

    Args:
        app: as ``build_app`` makes it.
        host: ``127.0.0.1``, ``::1`` or ``localhost`` (which is the first).
        port: 0 lets the system choose.
        grace_s: what running requests get at the end; after it they are
            answered 503. Whole seconds, rounded up.
        on_listening: called with the port once connections are accepted.
        stop_signals: those that mean stop; the second one means at once. They have
            their former meaning again on return. Without effect in a thread
            that is not the main one.
        stop: another way to be told, for callers with no signals.

    Raises:
        InvalidValue: a host that is not the loopback, or a port that is taken
            or not allowed.
    """
    listener = _listen(host, port)
    try:
        server = _Server(app, math.ceil(grace_s), on_listening, stop_signals, stop)
        server.run(sockets=[listener])
    finally:
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    if host not in _ADDRESSES:
        raise InvalidValue("server.host", "a loopback host: " + ", ".join(_ADDRESSES), repr(host))
    address = _ADDRESSES[host]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise InvalidValue("server.host", "an address of this computer", host) from error
    try:
        # Connections of a server that just ended must not keep the port from the next one.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        why = os.strerror(error.errno) if error.errno else str(error)
        if error.errno == errno.EADDRNOTAVAIL:
            raise InvalidValue("server.host", "an address of this computer", host) from error
        raise InvalidValue("server.port", "a free port", f"{port} ({why})") from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn's server; here it returns after a signal instead of raising it anew."""

    def __init__(
        self,
        app: ASGIApp,
        grace_s: int,
        on_listening: Callable[[int], None],
        stop_signals: Sequence[signal.Signals],
        stop: threading.Event | None,
    ) -> None:
        self.app = app
        self.on_listening = on_listening
        self.stop_signals = stop_signals
        self.stop = stop or threading.Event()
        super().__init__(
            uvicorn.Config(
                self.announce,
                interface="asgi3",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=grace_s,
            )
        )

    async def announce(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Each request learns whether the end has begun."""
        scope[DRAINING] = self.should_exit
        await self.app(scope, receive, send)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listening begins."""
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            self.on_listening(listener.getsockname()[1])

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop."""
        self.should_exit = self.should_exit or self.stop.is_set()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The stop signals are ours meanwhile."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        former: dict[signal.Signals, Any] = {
            number: signal.signal(number, self.handle_exit) for number in self.stop_signals
        }
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the second time, without waiting for anybody."""
        self.force_exit = self.should_exit
        self.should_exit = True
