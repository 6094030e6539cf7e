# SPDX-License-Identifier: Apache-2.0
"""A real server on a free port, and a small client for it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelkeep.server.app import build_app
from modelkeep.server.run import serve
from modelkeep.server.service import Service

from .echo import Echo

MAX_BODY_BYTES = 300_000


@dataclass
class Reply:
    """What came back; ``json`` parses, whatever the status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """One connection per request."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, headers)

    def post(self, path: str, document: object = None, **headers: str) -> Reply:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.send("POST", path, b"" if document is None else body, headers)

    def send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read())
        finally:
            connection.close()


class Running:
    """``serve`` in a thread; ``end`` stops it and waits."""

    def __init__(self, service: Service, *, grace_s: float = 30, host: str = "127.0.0.1") -> None:
        self.stop = threading.Event()
        listening = threading.Event()
        self.port = 0

        def on_listening(port: int) -> None:
            self.port = port
            listening.set()

        app = build_app(service, max_body_bytes=MAX_BODY_BYTES)
        self.thread = threading.Thread(
            target=serve,
            args=(app,),
            kwargs={
                "host": host,
                "port": 0,
                "grace_s": grace_s,
                "on_listening": on_listening,
                "stop": self.stop,
            },
        )
        self.thread.start()
        assert listening.wait(60)

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def echo() -> Iterator[Echo]:
    service = Echo()
    yield service
    service.close()


@pytest.fixture
def client(echo: Echo) -> Iterator[Client]:
    running = Running(echo)
    yield Client(running.port)
    echo.gate.set()
    running.end()
