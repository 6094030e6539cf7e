# SPDX-License-Identifier: Apache-2.0
"""What an application writes to ask the four models over HTTP.

The file type model speaks the Open Inference Protocol, as any ONNX model does; the other
three are asked by their plain `predict` address. Nothing here imports modelkeep.
"""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from file_type import FileType, Rules, features, from_scores, without_network

_RETRY_S = 0.25


class ServerError(Exception):
    """The server did not answer as asked.

    Attributes:
        path: The address that was asked.
        status: The HTTP status, or None where no answer came at all.
        reason: What the server said of it.
    """

    def __init__(self, path: str, status: int | None, reason: str) -> None:
        """Keep what is known."""
        super().__init__(f"{path}: expected an answer, got {status or 'none'}: {reason}")
        self.path, self.status, self.reason = path, status, reason


@dataclass(frozen=True)
class Line:
    """A line of text in a picture: what it says, how sure that is, and where it stands.

    The box is four corners (x, y) in pixels, clockwise from the top left.
    """

    text: str
    score: float
    box: NDArray[np.float32]


class Client:
    """The four models of one server."""

    def __init__(
        self, base_url: str, *, timeout_s: float = 120.0, patience_s: float = 60.0
    ) -> None:
        """Name the server.

        Args:
            base_url: Such as `http://127.0.0.1:8000`.
            timeout_s: How long one answer may take; a lazy model is loaded by its first question.
            patience_s: How long to ask again while a model is not ready yet.
        """
        self._url = urlsplit(base_url)
        if self._url.scheme not in ("http", "https") or not self._url.hostname:
            raise ValueError(f"base_url: expected http://HOST:PORT, got {base_url!r}")
        self._timeout_s = timeout_s
        self._patience_s = patience_s

    def file_types(self, files: Sequence[bytes], rules: Rules) -> list[FileType]:
        """What kind of file each one is.

        Args:
            files: Their contents.
            rules: Read from the folder of the model, `Rules.read(folder)`.
        """
        known = {index: without_network(data, rules) for index, data in enumerate(files)}
        asked = [index for index, found in known.items() if found is None]
        if asked:
            rows = np.stack([features(files[index], rules) for index in asked])
            scores = self.infer("magika", "bytes", rows, output="target_label")
            for index, row in zip(asked, scores, strict=True):
                known[index] = from_scores(row.tolist(), files[index], rules)
        return [found for found in known.values() if found is not None]

    def speech(self, wav: bytes) -> list[tuple[float, float]]:
        """Where somebody speaks: start and end of each stretch in seconds."""
        outputs = self.predict("silero-vad", {"wav": _as_base64(wav)})
        return [(float(start_s), float(end_s)) for start_s, end_s in outputs["segments"]]

    def read(self, png: bytes) -> list[Line]:
        """The lines of text in a picture, in reading order."""
        outputs = self.predict("rapidocr", {"png": _as_base64(png)})
        rows = zip(outputs["text"], outputs["scores"], outputs["boxes"], strict=True)
        return [Line(text, float(score), np.array(box, np.float32)) for text, score, box in rows]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length one per text, shape [texts, 384]."""
        outputs = self.predict("minilm", {"text": list(texts)})
        return np.array(outputs["embedding"], np.float32).reshape(len(texts), -1)

    def predict(self, model: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """Ask a model by its plain address: inputs and outputs by name, as nested lists."""
        answer = self._post(f"/v1/models/{model}/predict", {"inputs": inputs})
        outputs: dict[str, Any] = answer["outputs"]
        return outputs

    def infer(
        self, model: str, name: str, rows: NDArray[np.int32], *, output: str
    ) -> NDArray[np.float32]:
        """Ask a model of one input and one output by the Open Inference Protocol, V2."""
        tensor = {
            "name": name,
            "shape": list(rows.shape),
            "datatype": "INT32",
            "data": rows.ravel().tolist(),
        }
        path = f"/v2/models/{model}/infer"
        answer = self._post(path, {"inputs": [tensor], "outputs": [{"name": output}]})
        found = next(one for one in answer["outputs"] if one["name"] == output)
        return np.array(found["data"], np.float32).reshape(found["shape"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON, expect JSON.

        Raises:
            ServerError: No answer, a status other than 200, or an answer that is no JSON.
        """
        content = json.dumps(body)
        deadline_s = time.monotonic() + self._patience_s
        status, raw = self._send(path, content)
        # 503 is "not now": a server is ready once its critical models are, and goes on
        # to load the others while it answers.
        while status == 503 and time.monotonic() < deadline_s:
            time.sleep(_RETRY_S)
            status, raw = self._send(path, content)
        return _understood(path, status, raw)

    def _send(self, path: str, content: str) -> tuple[int, bytes]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=self._timeout_s)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request("POST", self._url.path.rstrip("/") + path, content, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(path, None, str(error) or type(error).__name__) from error
        finally:
            connection.close()


def _understood(path: str, status: int, raw: bytes) -> dict[str, Any]:
    """The JSON object of a good answer, or the error that a bad one tells of."""
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ServerError(path, status, f"no JSON object, but {raw[:200]!r}")
    if status != 200:
        raise ServerError(path, status, str(answer.get("error", answer)))
    return answer


def _as_base64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode("ascii")}
