# SPDX-License-Identifier: Apache-2.0
"""A server starts, is told to stop, finishes what runs and returns."""

from __future__ import annotations

import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from modelkeep.server.app import build_app
from modelkeep.server.run import serve
from modelkeep.spec.errors import InvalidValue

from .conftest import Client, Running
from .echo import Echo


def refused_on(host: str, port: int) -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        serve(
            build_app(Echo(), max_body_bytes=1),
            host=host,
            port=port,
            grace_s=1,
            on_listening=lambda port: pytest.fail("it listens"),
        )
    return caught.value


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.org", "127.0.0.2"])
def test_only_the_loopback_is_listened_on(host: str) -> None:
    error = refused_on(host, 0)
    assert error.subject == "server.host"
    assert "127.0.0.1, ::1, localhost" in error.expected


def test_a_port_that_is_taken_is_said_to_be(echo: Echo) -> None:
    running = Running(echo)
    error = refused_on("localhost", running.port)
    assert (error.subject, error.expected) == ("server.port", "a free port")
    assert str(running.port) in error.got
    running.end()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_the_ipv6_loopback_is_served_or_said_not_to_be_there(echo: Echo) -> None:
    if not has_ipv6():
        assert refused_on("::1", 0).subject == "server.host"
        return
    running = Running(echo, host="::1")
    connection = http.client.HTTPConnection("::1", running.port, timeout=60)
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()
    running.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serving_and_has_its_former_meaning_after(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def stop_at_once(port: int) -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)

    app = build_app(Echo(), max_body_bytes=1)
    serve(app, host="127.0.0.1", port=0, grace_s=0.5, on_listening=stop_at_once)
    assert signal.getsignal(number) is before


def test_requests_that_outlast_the_grace_are_told_that_the_server_stops(echo: Echo) -> None:
    running = Running(echo, grace_s=0)
    replies: list[Any] = []
    body: Any = {"inputs": {}}
    client = Client(running.port)
    waiting = threading.Thread(
        target=lambda: replies.append(client.post("/v1/models/slow/predict", body))
    )
    waiting.start()
    assert echo.asked.acquire(timeout=60)
    running.end()
    waiting.join(60)
    assert replies[0].status == 503
    assert replies[0].json == {"error": "the server is stopping"}


def test_requests_are_logged_for_debugging_only(
    echo: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "modelkeep.server")
    running = Running(echo)
    Client(running.port).get("/v1/models/a%0ab")
    running.end()
    rows = [record for record in caplog.records if record.name == "modelkeep.server"]
    assert [(row.levelname, row.getMessage()) for row in rows] == [
        ("DEBUG", r"GET '/v1/models/a\nb' 404")
    ]


def test_after_sigterm_what_runs_is_finished_and_the_process_ends_well() -> None:
    command = [sys.executable, "-m", Echo.__module__]
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=here
    ) as process:
        assert process.stdin
        assert process.stdout
        port = int(process.stdout.readline().removeprefix("port "))
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        idle.request("GET", "/health/live")
        idle.getresponse().read()
        silent = socket.create_connection(("127.0.0.1", port), timeout=60)
        running = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        running.request("POST", "/v1/models/slow/predict", b'{"inputs": {"x": 1}}')
        assert process.stdout.readline() == "asked slow\n"

        process.send_signal(signal.SIGTERM)
        # The idle connections are closed while the busy one lives on.
        assert silent.recv(1) == b""
        assert idle.sock.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=60)

        process.stdin.write("go\n")
        process.stdin.flush()
        response = running.getresponse()
        assert response.status == 200
        assert json.loads(response.read())["outputs"] == {"x": 1}
        assert process.stdout.readline() == "closed\n"
        assert process.wait(60) == 0
        for connection in (idle, silent, running):
            connection.close()
