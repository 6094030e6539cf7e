# SPDX-License-Identifier: Apache-2.0
"""Pages from elsewhere stay outside, on every route."""

from __future__ import annotations

import asyncio

import pytest

from modelkeep.server.app import build_app
from modelkeep.server.door import is_loopback, refusal

from .conftest import Client
from .echo import Echo

ROUTES = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name}"),
    ("POST", "/v1/models/{name}/predict"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/{name}/load"),
    ("POST", "/v2/repository/models/{name}/unload"),
    ("GET", "/v2/models/{name}"),
    ("GET", "/v2/models/{name}/ready"),
    ("POST", "/v2/models/{name}/infer"),
    ("GET", "/v2/models/{name}/versions/{version}"),
    ("GET", "/v2/models/{name}/versions/{version}/ready"),
    ("POST", "/v2/models/{name}/versions/{version}/infer"),
}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:8080", "127.9.9.9", "[::1]", "[::1]:80"],
)
def test_loopback_names_and_addresses_are_let_in(host: str) -> None:
    assert is_loopback(host)
    assert refusal([(b"host", host.encode())]) is None
    assert refusal([(b"host", b"localhost"), (b"origin", b"http://" + host.encode())]) is None


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
        "localhost@evil.example", "10.0.0.1", "0.0.0.0", "[::]", "127.1", "::1", "localhost:",
        "localhost:80:80", "localhost ", "2130706433", "[127.0.0.1", "localhost\n",
    ],
)  # fmt: skip
def test_any_other_host_is_refused(host: str) -> None:
    assert not is_loopback(host)
    assert "Host" in (refusal([(b"host", host.encode())]) or "")


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://evil.example", "http://localhost.evil", "file://localhost", "localhost"],
)
def test_any_other_origin_is_refused(origin: str) -> None:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    assert "Origin" in (refusal(headers) or "")


def test_two_hosts_or_none_are_refused() -> None:
    assert refusal([]) is not None
    assert refusal([(b"host", b"localhost"), (b"host", b"evil.example")]) is not None


def test_the_table_of_routes_is_whole(echo: Echo) -> None:
    found = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in build_app(echo, max_body_bytes=1).routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert found == ROUTES


def test_every_route_refuses_other_hosts_and_origins(client: Client) -> None:
    others = ({"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"})
    for method, path in [*sorted(ROUTES), ("GET", "/nothing/here")]:
        for headers in others:
            reply = client.send(method, path.format(name="echo", version="v"), None, headers)
            assert reply.status == 403, (method, path, headers)
            assert "expected" in reply.json["error"]


def test_pages_of_this_computer_may_ask(client: Client) -> None:
    headers = {"Origin": f"http://localhost:{client.port}"}
    assert client.send("GET", "/v1/models", None, headers).status == 200


def test_a_scope_that_is_not_http_finds_nobody_in(echo: Echo) -> None:
    sent: list[object] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: object) -> None:
        sent.append(message)

    app = build_app(echo, max_body_bytes=1)
    scope = {"type": "websocket", "path": "/v2", "headers": [(b"host", b"localhost")]}
    asyncio.run(app(scope, receive, send))
    assert sent == []
