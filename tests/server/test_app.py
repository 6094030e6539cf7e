# SPDX-License-Identifier: Apache-2.0
"""Routes and statuses, over a real socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from typing import Any

import numpy as np
import pytest

from modelkeep import __version__
from modelkeep.server.app import STATUS, build_app, status_of
from modelkeep.server.exchange import DRAINING
from modelkeep.spec.errors import KeepError, NoRoom

from .conftest import MAX_BODY_BYTES, Client
from .echo import Echo

X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
VERSION = "0123456789ab"


def is_error(reply: Any, status: int) -> str:
    assert reply.status == status, reply.body
    assert list(reply.json) == ["error"]
    text = reply.json["error"]
    assert text
    assert "Traceback" not in text
    return str(text)


def test_a_live_server_says_so(client: Client) -> None:
    for path in ("/health/live", "/v2/health/live"):
        reply = client.get(path)
        assert (reply.status, reply.json) == (200, {"live": True})


def test_a_ready_service_says_so_with_its_phase(client: Client) -> None:
    reply = client.get("/health/ready")
    assert (reply.status, reply.json["ready"], reply.json["missing"]) == (200, True, [])
    assert reply.json["phase"] == "degraded"
    assert client.get("/v2/health/ready").json == {"ready": True}


def test_a_service_with_no_models_is_not_ready(client: Client, echo: Echo) -> None:
    echo.slots = ()
    reply = client.get("/health/ready")
    assert (reply.status, reply.json["ready"]) == (503, False)
    assert reply.json["missing"] == ["no model is served"]
    assert client.get("/v2/health/ready").status == 503


def test_a_server_that_is_stopping_is_not_ready(echo: Echo) -> None:
    app = build_app(echo, max_body_bytes=1)
    for path, told in (("/health/ready", "stopping"), ("/v2/health/ready", "false")):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        scope = {
            "type": "http", "method": "GET", "path": path, "query_string": b"",
            "headers": [(b"host", b"localhost")], DRAINING: True,
        }  # fmt: skip
        asyncio.run(app(scope, receive, send))
        assert sent[0]["status"] == 503
        assert told in sent[1]["body"].decode()


def test_models_are_shown_with_all_their_fields(client: Client) -> None:
    reply = client.get("/v1/models")
    assert (reply.json["ready"], len(reply.json["models"])) == (True, 9)
    row = reply.json["models"][0]
    assert (row["name"], row["state"], row["priority"]) == ("echo", "ready", "critical")
    assert row["schema"]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    assert {"pid", "restarts", "memory_bytes", "allow_pickle"} < set(row)
    assert client.get("/v1/models/echo").json == row


def test_predict_carries_plain_values_and_bytes(client: Client, echo: Echo) -> None:
    inputs = {"a": [1, None], "raw": {"b64": "/w=="}}
    reply = client.post("/v1/models/echo/predict", {"inputs": inputs})
    assert reply.status == 200
    assert reply.json == {"model": "echo", "version": VERSION, "outputs": inputs}
    assert echo.values["raw"] == b"\xff"


def test_infer_carries_tensors_with_and_without_a_version(client: Client, echo: Echo) -> None:
    for path in ("/v2/models/echo/infer", f"/v2/models/echo/versions/{VERSION}/infer"):
        reply = client.post(path, {"id": "7", "inputs": [X]})
        assert reply.status == 200
        assert (reply.json["id"], reply.json["model_version"]) == ("7", VERSION)
        assert reply.json["outputs"] == [X | {"data": [1.0, 2.0]}]
    assert echo.values["x"].dtype == np.float32


def test_a_fallback_answers_under_its_own_name_but_not_for_a_version(client: Client) -> None:
    reply = client.post("/v2/models/failed/infer", {"inputs": [X]})
    assert (reply.status, reply.json["model_name"]) == (200, "echo")
    reply = client.post("/v2/models/failed/versions/ba9876543210/infer", {"inputs": [X]})
    assert "its own answer, got one of echo 0123456789ab" in is_error(reply, 503)


def test_large_bodies_are_answered_too(client: Client) -> None:
    big = {"name": "x", "shape": [20_000], "datatype": "INT32", "data": list(range(20_000))}
    reply = client.post("/v2/models/echo/infer", {"inputs": [big]})
    assert reply.json["outputs"] == [big]
    reply = client.post("/v1/models/echo/predict", {"inputs": {"x": big["data"]}})
    assert reply.json["outputs"] == {"x": big["data"]}


def test_metadata_are_those_of_the_server_and_of_a_model(client: Client) -> None:
    server = client.get("/v2").json
    assert server["name"] == "modelkeep"
    assert (server["version"], server["extensions"]) == (__version__, ["model_repository"])
    for path in ("/v2/models/echo", f"/v2/models/echo/versions/{VERSION}"):
        assert client.get(path).json["platform"] == "echo"
        assert client.get(path + "/ready").json == {"name": "echo", "ready": True}


def test_a_model_that_is_not_loaded_is_not_ready(client: Client) -> None:
    reply = client.get("/v2/models/absent/ready")
    assert (reply.status, reply.json) == (503, {"name": "absent", "ready": False})


def test_the_index_needs_no_body(client: Client) -> None:
    assert len(client.post("/v2/repository/index").json) == 9
    ready = client.post("/v2/repository/index", {"ready": True}).json
    assert [row["name"] for row in ready if row["state"] != "READY"] == []
    assert len(ready) == 7


def test_models_are_loaded_and_unloaded_by_request(client: Client, echo: Echo) -> None:
    assert client.post("/v2/repository/models/echo/load", {}).json == {}
    assert client.post("/v2/repository/models/echo/unload").json == {}
    assert echo.loads == [("load", "echo"), ("unload", "echo")]
    assert "no memory" in is_error(client.post("/v2/repository/models/broken/load"), 503)
    config = {"parameters": {"config": "{}"}}
    is_error(client.post("/v2/repository/models/echo/load", config), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/nobody", "/v2/models/nobody", "/v2/models/nobody/ready", "/v2/models/..",
        "/v2/models/%2e%2e", "/v2/models/echo/versions/1", "/v2/models/echo/versions/1/ready",
        "/v2/models/absent/versions/1", "/v1/models/a%00b", "/v1/models/echo%0a",
        "/v1/models/a%2Fb", "/v1/models/../models", "/v2/", "/", "/health/live%0a",
        "//", "/v2/models//ready",
    ],
)  # fmt: skip
def test_what_is_not_there_is_404_as_json(client: Client, path: str) -> None:
    is_error(client.get(path), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/nobody/predict", "/v2/models/nobody/infer", "/v2/repository/models/nobody/load",
        "/v2/repository/models/nobody/unload", "/v2/models/echo/versions/1/infer",
    ],
)  # fmt: skip
def test_an_unknown_model_is_404_whatever_the_body(client: Client, path: str) -> None:
    is_error(client.post(path, b"not json"), 404)


def test_another_method_is_405_as_json(client: Client) -> None:
    reply = client.get("/v2/models/echo/infer")
    is_error(reply, 405)
    assert reply.headers["allow"] == "POST"
    is_error(client.post("/v2"), 405)


def test_head_is_get_without_a_body(client: Client) -> None:
    for path in ("/health/live", "/health/ready", "/v2/models/echo"):
        reply = client.send("HEAD", path, None, {})
        assert (reply.status, reply.body) == (200, b"")
    assert client.send("HEAD", "/nothing", None, {}).status == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"inputs": {}, "inputs": {}}', b"[" * 100_000, b'{"inputs": 1}', b"\xff"],
)
def test_a_body_that_says_nothing_sensible_is_400(client: Client, body: bytes) -> None:
    for path in ("/v1/models/echo/predict", "/v2/models/echo/infer"):
        is_error(client.post(path, body), 400)


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("broken", 500, "model broken: expected an answer, got ZeroDivisionError: by zero"),
        ("picky", 400, "input x: expected a cat, got a dog"),
        ("absent", 503, "model absent: expected it loaded, got empty"),
        ("dropped", 503, "gave it up"),
        ("odd", 500, "output no of odd"),
    ],
)
def test_a_models_errors_have_their_status(
    client: Client, name: str, status: int, told: str
) -> None:
    reply = client.post(f"/v1/models/{name}/predict", {"inputs": {}})
    assert told in is_error(reply, status)


def test_an_unforeseen_error_keeps_its_details_to_itself(client: Client) -> None:
    text = is_error(client.post("/v1/models/buggy/predict", {"inputs": {}}), 500)
    assert "private" not in text
    assert client.get("/health/live").status == 200


def test_outputs_that_v2_cannot_carry_point_to_predict(client: Client) -> None:
    for name in ("raw", "table"):
        body = {"inputs": [], "outputs": [{"name": name}]}
        assert "predict route" in is_error(client.post("/v2/models/odd/infer", body), 400)


def test_every_error_class_has_a_status() -> None:
    assert status_of(NoRoom("disk", "room", "none")) == 500
    assert status_of(KeepError("a", "b", "c")) == 500
    assert all(400 <= status < 600 for status in STATUS.values())


def test_a_body_told_to_be_too_large_is_413_before_it_is_sent(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=60) as raw:
        head = f"POST /v2/models/echo/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n"
        raw.sendall(head.replace("Host: x", "Host: localhost").encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_too_large_is_413(client: Client) -> None:
    for path in ("/v1/models/echo/predict", "/v2/models/echo/infer", "/v2/repository/index"):
        pieces = iter([b" " * 65_536] * (MAX_BODY_BYTES // 65_536 + 1))
        assert "at most 300000 bytes" in is_error(client.send("POST", path, pieces, {}), 413)


def test_binary_tensors_and_compressed_bodies_are_told_apart_from_bad_json(client: Client) -> None:
    path = "/v2/models/echo/infer"
    is_error(client.post(path, b"{}", Inference_Header_Content_Length="2"), 501)
    is_error(client.post(path, b"{}", Content_Encoding="gzip"), 415)


def test_a_client_that_hangs_up_breaks_nothing(client: Client, echo: Echo) -> None:
    head = b"POST /v1/models/slow/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n"
    for sent in (head, head + b'{"inputs":{}}'):
        raw = socket.create_connection(("127.0.0.1", client.port), timeout=60)
        raw.sendall(sent)
        if sent is not head:
            assert echo.asked.acquire(timeout=60)
        raw.close()
    echo.gate.set()
    reply = client.post("/v1/models/slow/predict", {"inputs": {"x": 1}})
    assert reply.json["outputs"] == {"x": 1}


def test_one_slow_model_does_not_hold_up_the_others(client: Client, echo: Echo) -> None:
    replies: list[Any] = []
    body: Any = {"inputs": {}}
    waiting = threading.Thread(
        target=lambda: replies.append(client.post("/v1/models/slow/predict", body))
    )
    waiting.start()
    assert echo.asked.acquire(timeout=60)
    assert client.post("/v1/models/echo/predict", body).status == 200
    assert replies == []
    echo.gate.set()
    waiting.join(60)
    assert replies[0].status == 200


def test_a_connection_serves_many_requests(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    for path, status in (("/health/live", 200), ("/nothing", 404), ("/v2", 200)):
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read())
    connection.close()
