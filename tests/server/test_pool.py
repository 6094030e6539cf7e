# SPDX-License-Identifier: Apache-2.0
"""The server over the real runtime: models in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.runtime.phases import Overview, Priority
from modelkeep.runtime.pool import Pool
from modelkeep.runtime.served import Answer, Served
from modelkeep.server.service import Service

from .conftest import Client, Running

OPTIONS: dict[str, dict[str, Any]] = {
    "same": {"inputs": [["x", "FP32", [-1, 2]], ["text", "BYTES", [1]]]},
    "late": {"outputs": [["y", "INT64", [1]]], "values": {"y": [7]}},
    "sick": {"fail": "no such weights"},
}
SERVED = (
    Served("same", Priority.CRITICAL, version="0123456789ab", loader="mock"),
    Served("late", Priority.LAZY, loader="mock"),
    Served("sick", Priority.LAZY, loader="mock"),
)
X = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1.0, 0.5]}
TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["é"]}


class Pooled:
    """A pool whose blocking calls are made by threads."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.pool = Pool(SERVED, self.bring, environment=environment, startup_timeout_s=120)
        self.threads = ThreadPoolExecutor(2)

    def bring(self, name: str) -> LoadSpec:
        return LoadSpec(name, Path("/nowhere"), "mock", options=OPTIONS[name])

    def overview(self) -> Overview:
        return self.pool.overview()

    def predict(self, name: str, values: Values) -> Future[Answer]:
        return self.pool.predict(name, values)

    def load(self, name: str) -> Future[None]:
        return self.threads.submit(self.pool.load, name)

    def unload(self, name: str) -> Future[None]:
        return self.threads.submit(self._unload, name)

    def _unload(self, name: str) -> None:
        self.pool.unload(name)

    def close(self) -> None:
        self.threads.shutdown()
        self.pool.close(10)


@pytest.fixture(scope="module")
def pooled() -> Iterator[Client]:
    service = Pooled()
    checked: Service = service
    service.pool.start()
    assert service.pool.wait_settled(120)
    running = Running(checked)
    yield Client(running.port)
    running.end()
    service.close()


def test_a_loaded_model_shows_its_schema_and_answers(pooled: Client) -> None:
    assert pooled.get("/health/ready").status == 200
    metadata = pooled.get("/v2/models/same").json
    assert metadata["inputs"][0] == {"name": "x", "datatype": "FP32", "shape": [-1, 2]}
    reply = pooled.post("/v2/models/same/versions/0123456789ab/infer", {"inputs": [X, TEXT]})
    assert reply.status == 200
    assert sorted(reply.json["outputs"], key=lambda row: str(row["name"])) == [TEXT, X]


def test_plain_values_are_made_to_fit_by_the_model(pooled: Client) -> None:
    inputs = {"x": [[1, 0.5]], "text": {"b64": "w6k="}}
    reply = pooled.post("/v1/models/same/predict", {"inputs": inputs})
    assert reply.status == 200
    assert reply.json["outputs"] == {"x": [[1.0, 0.5]], "text": ["é"]}


def test_inputs_that_the_model_does_not_take_are_400(pooled: Client) -> None:
    for inputs in ({}, {"z": 1}, {"x": [[1, 2, 3]], "text": "a"}):
        reply = pooled.post("/v1/models/same/predict", {"inputs": inputs})
        assert reply.status == 400, reply.body
        assert list(reply.json) == ["error"]


def test_a_lazy_model_answers_the_first_question_once_it_is_loaded(pooled: Client) -> None:
    reply = pooled.post("/v2/models/late/infer", {"inputs": []})
    assert reply.json["outputs"] == [{"name": "y", "datatype": "INT64", "shape": [1], "data": [7]}]
    assert pooled.get("/v2/models/late/ready").status == 200


def test_an_unloaded_model_is_not_ready_until_it_is_loaded_again(pooled: Client) -> None:
    assert pooled.post("/v2/repository/models/late/load").status == 200
    assert pooled.get("/v2/models/late/ready").status == 200
    assert pooled.post("/v2/repository/models/late/unload").status == 200
    assert pooled.get("/v2/models/late/ready").status == 503
    assert pooled.post("/v2/repository/models/late/load").status == 200
    assert pooled.get("/v2/models/late/ready").status == 200


def test_a_model_that_fails_to_load_says_why(pooled: Client) -> None:
    reply = pooled.post("/v2/repository/models/sick/load")
    assert reply.status == 503
    assert "no such weights" in reply.json["error"]
    rows = {row["name"]: row for row in pooled.post("/v2/repository/index").json}
    assert rows["sick"]["state"] == "UNAVAILABLE"
    assert "no such weights" in rows["sick"]["reason"]
