# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.conftest import Shell

PROJECT = """
[models.words]
source = "file:../weights"
loader = "python"
priority = "critical"
options = { class = "counting:Counter" }
[models.mock]
loader = "mock"
priority = "lazy"
options = { outputs = [["y", "FP32", [2]]], values = { y = [1.5, 2.5] } }
[models.weights]
source = "file:../weights"
"""
CODE = """
import time

class Counter:
    def load(self, folder):
        self.size = (folder / "a.bin").stat().st_size

    def predict(self, inputs):
        if "wait_s" in inputs:
            time.sleep(inputs["wait_s"])
        if "bad" in inputs:
            raise ValueError("bad is not taken")
        return {"size": self.size, "length": len(inputs.get("data", b""))}
"""


class Served:
    """A running `modelkeep serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.log = ""

    def get(self, route: str) -> Any:
        with urllib.request.urlopen(self.url + route, timeout=60) as answer:
            return json.load(answer)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        _, self.log = self.process.communicate(timeout=60)
        return self.process.returncode


@contextmanager
def serving(shell: Shell, *arguments: str, **variables: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "modelkeep", "serve", "--port", "0", *arguments],
        cwd=shell.folder,
        env={**shell.variables, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        match = re.fullmatch(r"listening on (http://\S+)\n", process.stdout.readline())
        assert match, process.communicate()[1]
        yield Served(process, match[1])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def wait_ready(served: Served) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if served.get("/health/ready")["ready"]:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("never ready")


def prepare(shell: Shell) -> None:
    shell.wishes(PROJECT)
    (shell.folder / "counting.py").write_text(CODE)
    shell("sync")


def test_serve_answers_shows_its_status_and_stops_with_0(shell: Shell) -> None:
    prepare(shell)
    with serving(shell) as served:
        wait_ready(served)
        assert {row["name"] for row in served.get("/v1/models")["models"]} == {"words", "mock"}
        asked = shell("predict", "words", "--url", served.url, "-f", "data=models.toml", "--json")
        size = (shell.folder / "models.toml").stat().st_size
        assert asked.json["outputs"] == {"size": 2000, "length": size}
        assert "y: [1.5, 2.5]" in shell("predict", "mock", "--url", served.url).out
        status = shell("status", "--url", served.url)
        assert "fully_ready, ready" in status.out
        assert re.search(r"words\s+ready\s+critical\s+python", status.out)
        assert shell("status", "--url", served.url, "--json").json["ready"] is True
        refused = shell("predict", "words", "--url", served.url, "-i", "bad=1", code=1)
        assert "bad is not taken" in refused.err
        assert "status 404" in shell("predict", "nobody", "--url", served.url, code=1).err
        assert served.stop() == 0
    line = r"INFO loaded model=words path=\S+ size=2.0 kB seconds=\S+ memory="
    assert re.search(line, served.log)
    assert "models loaded: words; on first use: mock; failed: none" in served.log


def test_a_running_answer_is_finished_after_sigterm(shell: Shell) -> None:
    prepare(shell)
    with serving(shell, "words", LOG_LEVEL="error", MODELKEEP_SERVER_LOG_FORMAT="json") as served:
        wait_ready(served)
        asking = subprocess.Popen(
            [
                *(sys.executable, "-m", "modelkeep", "predict", "words"),
                *("--url", served.url, "-i", "wait_s=1.5", "--json"),
            ],
            env=shell.variables,
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(1.0)
        assert served.stop() == 0
        out, _ = asking.communicate(timeout=60)
        assert json.loads(out)["outputs"]["size"] == 2000


def test_a_model_can_be_asked_without_a_server(shell: Shell) -> None:
    prepare(shell)
    assert "size: 2000" in shell("predict", "words", "-i", "data=hello").out
    failed = shell("predict", "words", "-i", "bad=1", "--json", code=1).json
    assert failed["kind"] == "BadInput"
    assert "loader" in shell("predict", "weights", code=1).err


def test_what_cannot_be_served_is_told_at_once(shell: Shell) -> None:
    shell.wishes(PROJECT)
    assert "try: modelkeep lock" in shell("serve", code=1).err
    prepare(shell)
    assert "127.0.0.1" in shell("serve", "--host", "0.0.0.0", code=1).err
    assert "nobody" in shell("serve", "nobody", code=1).err
    refused = shell("serve", "--fetch", "missing", code=1, MODELKEEP_OFFLINE="1")
    assert "offline" in refused.err
    with serving(shell) as served:
        port = served.url.rpartition(":")[2]
        assert "a free port" in shell("serve", "--port", port, code=1).err


def test_status_of_nobody_is_told(shell: Shell) -> None:
    shell.wishes("")
    assert "modelkeep serve" in shell("status", "--url", "http://127.0.0.1:9", code=1).err
