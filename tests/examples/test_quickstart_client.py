# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from client import Client, ServerError
from demo import free_port, silence
from file_type import FileType, Rules
from quickstart_models.voice import read_wav

RULES = Rules(("python", "png"), 4, 4, 8, 256, 3, 0.5, {}, {})


class Origin(ThreadingHTTPServer):
    """A server that answers as it is told, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def answer(self, status: int, body: Any) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, raw))


class Answering(BaseHTTPRequestHandler):
    server: Origin

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(body)))
        status, raw = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(origin: Origin) -> Client:
    return Client(origin.url, timeout_s=10, patience_s=0.6)


def outputs(**values: Any) -> dict[str, Any]:
    return {"model": "m", "version": "1", "outputs": values}


def test_speech_is_asked_with_base64_and_answered_in_seconds(client, origin) -> None:
    origin.answer(200, outputs(segments=[[0.5, 1.25]], duration_s=[2.0]))
    assert client.speech(b"RIFF\xff") == [(0.5, 1.25)]
    ((path, body),) = origin.asked
    assert path == "/v1/models/silero-vad/predict"
    assert base64.b64decode(body["inputs"]["wav"]["b64"]) == b"RIFF\xff"


def test_no_speech_is_an_empty_list(client, origin) -> None:
    origin.answer(200, outputs(segments=[], duration_s=[2.0]))
    assert client.speech(b"") == []


def test_lines_come_with_their_scores_and_boxes(client, origin) -> None:
    corners = [[0, 0], [9, 0], [9, 5], [0, 5]]
    origin.answer(200, outputs(text=["hello"], scores=[0.5], boxes=[corners]))
    (line,) = client.read(b"png")
    assert (line.text, line.score, line.box.tolist()) == ("hello", 0.5, corners)


def test_texts_are_embedded_one_row_each(client, origin) -> None:
    origin.answer(200, outputs(embedding=[[1, 0], [0, 1]]))
    assert client.embed(["a", "ü"]).tolist() == [[1, 0], [0, 1]]
    assert origin.asked[0][1] == {"inputs": {"text": ["a", "ü"]}}


def test_only_files_that_need_it_are_shown_to_the_network(client, origin) -> None:
    scores = {"name": "target_label", "datatype": "FP32", "shape": [2, 2]}
    scores["data"] = [0.9, 0.1, 0.25, 0.75]
    origin.answer(200, {"model_name": "magika", "outputs": [scores]})
    found = client.file_types([b"abcdef", b"", b"\xffxyz", b"ab"], RULES)
    expected = [("python", 0.9), ("empty", 1.0), ("png", 0.75), ("txt", 1.0)]
    assert [one.label for one in found] == [label for label, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected])
    ((path, body),) = origin.asked
    assert path == "/v2/models/magika/infer"
    (tensor,) = body["inputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("bytes", "INT32", [2, 8])
    assert tensor["data"][:8] == [*b"abcd", *b"cdef"]
    assert body["outputs"] == [{"name": "target_label"}]


def test_files_that_need_no_network_are_not_asked_about(client, origin) -> None:
    assert client.file_types([b"", b"a"], RULES) == [FileType("empty", 1.0), FileType("txt", 1.0)]
    assert origin.asked == []


@pytest.mark.parametrize("shape", [[2, 2], [4]])
def test_tensors_come_nested_or_flat(client, origin, shape) -> None:
    data = np.arange(4.0).reshape(shape).tolist()
    origin.answer(200, {"outputs": [{"name": "y", "shape": [2, 2], "data": data}]})
    found = client.infer("m", "x", np.zeros((2, 1), np.int32), output="y")
    assert found.tolist() == [[0, 1], [2, 3]]


def test_the_servers_own_sentence_is_in_the_error(client, origin) -> None:
    origin.answer(400, {"error": "wav: expected a WAV file, got 4 bytes"})
    with pytest.raises(ServerError, match="got 400: wav: expected a WAV file, got 4") as caught:
        client.speech(b"none")
    assert (caught.value.status, caught.value.path) == (400, "/v1/models/silero-vad/predict")


@pytest.mark.parametrize(
    ("status", "raw"), [(502, b"<html>Bad Gateway"), (200, b""), (200, b"[1]"), (500, b"null")]
)
def test_an_answer_that_is_no_json_object_is_shown(client, origin, status, raw) -> None:
    origin.answer(status, raw)
    with pytest.raises(ServerError, match="no JSON object") as caught:
        client.embed(["a"])
    assert caught.value.status == status


def test_a_model_that_still_loads_is_asked_again(client, origin) -> None:
    origin.answer(503, {"error": "minilm is loading"})
    origin.answer(200, outputs(embedding=[[1.0]]))
    assert client.embed(["a"]).tolist() == [[1.0]]
    assert len(origin.asked) == 2


def test_patience_has_an_end(client, origin) -> None:
    for _ in range(20):
        origin.answer(503, {"error": "minilm is loading"})
    with pytest.raises(ServerError, match="got 503: minilm is loading"):
        client.embed(["a"])
    assert 2 <= len(origin.asked) <= 5


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerError, match="got none") as caught:
        Client(f"http://127.0.0.1:{free_port()}", timeout_s=5).speech(b"")
    assert caught.value.status is None


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", ""])
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected http://HOST:PORT"):
        Client(url)


def test_the_demos_silence_is_a_wav_without_a_sound() -> None:
    samples, rate = read_wav(silence(0.5))
    assert (len(samples), rate) == (8000, 16_000)
    assert not samples.any()
