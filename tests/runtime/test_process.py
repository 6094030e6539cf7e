# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import datetime
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from loaders import onnx_models
from modelkeep.loaders.base import LoadSpec
from modelkeep.runtime.process import Worker, how_it_ended
from modelkeep.spec.errors import BadInput, ForbiddenFormat, LoadFailed, PredictFailed
from runtime.stage import Stage, wait_until

Starts = Callable[..., Worker]


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Starts:
    """Starts workers that are ended with the test."""

    def start(spec: LoadSpec, **more: object) -> Worker:
        worker = Worker(spec, **more)  # type: ignore[arg-type]
        request.addfinalizer(worker.kill)
        return worker

    return start


def test_a_worker_loads_answers_and_ends(stage: Stage, started: Starts, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    ends: list[str] = []
    spec = stage.model("m", mark=str(mark))
    worker = started(spec, on_exit=lambda who, how: ends.append(how))
    loaded = worker.wait_loaded(60)
    assert loaded.schema.platform == "python"
    assert loaded.wall_s > 0
    assert worker.predict({"a": [1, b"raw"]}).result(30) == {"a": [1, b"raw"]}
    assert worker.predict({"do": "pid"}).result(30) == {"pid": worker.pid}
    worker.stop(30)
    assert not worker.alive
    assert mark.read_text() == "loaded\nclosed\n"
    wait_until(lambda: ends == ["its process ended with exit code 0"])


def test_memory_is_measured_as_growth_by_loading(stage: Stage, started: Starts) -> None:
    small = started(stage.model("s")).wait_loaded(60).memory_bytes
    large = started(stage.model("l", grow_mb=64)).wait_loaded(60).memory_bytes
    assert large - small > 56 * 2**20


def test_onnx_answers_through_a_worker_as_it_does_here(started: Starts, tmp_path: Path) -> None:
    onnx_models.double(tmp_path / "m.onnx")
    worker = started(LoadSpec("m", tmp_path, "onnx"))
    worker.wait_loaded(60)
    x = np.arange(300_000, dtype=np.float32).reshape(-1, 3)
    answer = worker.predict({"x": x}).result(60)["y"]
    assert np.array_equal(answer, x * 2)
    with pytest.raises(BadInput, match=r"input x: expected shape \[-1, 3\], got shape \[2\]"):
        worker.predict({"x": [1.0, 2.0]}).result(30)


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        ({"do": "raise", "argument": "ValueError"}, BadInput, "inputs that it takes, got as told"),
        ({"do": "raise", "argument": "RuntimeError"}, PredictFailed, "RuntimeError: as told"),
        ({"do": "leave"}, PredictFailed, "SystemExit: 4"),
        ({"do": "give"}, PredictFailed, "message at values.bad: .*, got object"),
        ({"do": "list"}, PredictFailed, "a mapping of output names to values, got list"),
        ({"do": object()}, BadInput, "message at values.do: .*, got object"),
    ],
)
def test_errors_arrive_as_themselves_and_the_worker_goes_on(
    stage: Stage, started: Starts, values: dict[str, object], kind: type, text: str
) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    with pytest.raises(kind, match=text):
        worker.predict(values).result(30)
    assert worker.predict({"a": 1}).result(30) == {"a": 1}


def test_a_failed_load_arrives_with_its_kind(started: Starts, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="model m: expected it to load, got no luck"):
        started(LoadSpec("m", tmp_path, "mock", options={"fail": "no luck"})).wait_loaded(60)
    (tmp_path / "a.py").write_text("")
    with pytest.raises(ForbiddenFormat, match="allow_code"):
        started(LoadSpec("m", tmp_path, "sentence-transformers")).wait_loaded(60)


def test_a_load_that_takes_too_long_is_ended(stage: Stage, started: Starts) -> None:
    worker = started(stage.model("m", load_s=600))
    with pytest.raises(LoadFailed, match=r"loaded within 0\.2 s, got still loading"):
        worker.wait_loaded(0.2)
    assert not psutil.pid_exists(worker.pid)


def test_a_process_that_dies_while_loading_is_a_failed_load(stage: Stage, started: Starts) -> None:
    with pytest.raises(LoadFailed, match="its process ended with exit code 9"):
        started(stage.model("m", crash_at_load=True)).wait_loaded(60)


def test_options_that_cannot_travel_are_a_failed_load(started: Starts, tmp_path: Path) -> None:
    spec = LoadSpec("m", tmp_path, "mock", options={"when": datetime.date(2020, 1, 1)})
    with pytest.raises(LoadFailed, match=r"model m: options: .*, got date"):
        started(spec).wait_loaded(60)


def test_no_interpreter_to_start_is_a_failed_load(
    started: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
    with pytest.raises(LoadFailed, match="a process for it"):
        started(LoadSpec("m", tmp_path, "mock"))


@pytest.mark.parametrize(
    ("values", "how"),
    [
        ({"do": "exit", "argument": 7}, "its process ended with exit code 7"),
        ({"do": "kill", "argument": signal.SIGKILL}, "its process was ended by SIGKILL"),
        ({"do": "kill", "argument": signal.SIGSEGV}, "its process was ended by SIGSEGV"),
    ],
)
def test_when_the_process_dies_every_question_fails_and_says_how(
    stage: Stage, started: Starts, values: dict[str, object], how: str
) -> None:
    ends: list[str] = []
    worker = started(stage.model("m"), on_exit=lambda who, how: ends.append(how))
    worker.wait_loaded(60)
    answers = [worker.predict(values), *(worker.predict({"a": 1}) for _ in range(5))]
    for answer in answers:
        with pytest.raises(PredictFailed) as caught:
            answer.result(30)
        assert caught.value.got == how
    with pytest.raises(PredictFailed, match=how):
        worker.predict({"a": 1}).result(30)
    wait_until(lambda: ends == [how])


def test_a_ping_is_answered_while_the_model_loads_and_computes(
    stage: Stage, started: Starts, tmp_path: Path
) -> None:
    loading = started(stage.model("l", load_s=600))
    assert loading.ping().result(60) is None
    worker = started(stage.model("m"))
    busy = worker.predict({"do": "wait for", "argument": str(tmp_path / "go")})
    assert worker.ping().result(60) is None
    assert not busy.done()
    (tmp_path / "go").touch()
    busy.result(30)


def test_a_cancelled_question_is_not_sent(stage: Stage, started: Starts, tmp_path: Path) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    os.kill(worker.pid, signal.SIGSTOP)
    # The first fills the socket, so the second cannot have been sent.
    first = worker.predict({"a": bytes(8 * 2**20)})
    wait_until(first.running)
    second = worker.predict({"do": "exit", "argument": 1})
    assert second.cancel()
    os.kill(worker.pid, signal.SIGCONT)
    first.result(30)
    assert worker.predict({"a": 1}).result(30) == {"a": 1}


def test_a_worker_that_is_stopped_answers_first_what_it_was_asked(
    stage: Stage, started: Starts
) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    answers = [worker.predict({"do": "sleep", "argument": 0.05}) for _ in range(5)]
    worker.stop(60)
    assert [answer.result(0) for answer in answers] == [{"slept": 0.05}] * 5


def test_after_the_grace_a_worker_is_told_and_closes_its_model(
    stage: Stage, started: Starts, tmp_path: Path
) -> None:
    ends: list[str] = []
    spec = stage.model("m", mark=str(tmp_path / "mark"))
    worker = started(spec, on_exit=lambda who, how: ends.append(how))
    worker.wait_loaded(60)
    answer = worker.predict({"do": "sleep", "argument": 600})
    wait_until(answer.running)
    worker.ping().result(30)
    worker.stop(0.3)
    with pytest.raises(PredictFailed):
        answer.result(0)
    wait_until(lambda: ends == ["its process ended with exit code 0"])
    assert (tmp_path / "mark").read_text() == "loaded\nclosed\n"


def test_a_worker_that_does_not_listen_is_killed(stage: Stage, started: Starts) -> None:
    ends: list[str] = []
    worker = started(stage.model("m"), on_exit=lambda who, how: ends.append(how))
    worker.wait_loaded(60)
    os.kill(worker.pid, signal.SIGSTOP)
    worker.stop(0.1)
    wait_until(lambda: ends == ["its process was ended by SIGKILL"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_the_whole_group_leave_a_worker_at_work(
    stage: Stage, started: Starts, number: int
) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    os.kill(worker.pid, number)
    assert worker.predict({"a": 1}).result(30) == {"a": 1}


def test_noise_from_a_worker_ends_it(stage: Stage, started: Starts) -> None:
    noisy = stage.folder / "noisy_models.py"
    noisy.write_text(
        "import os\n"
        "class Noise:\n"
        "    def load(self, folder): pass\n"
        "    def predict(self, inputs):\n"
        "        for fd in range(3, 20):\n"
        "            try: os.write(fd, b'noise' * 10)\n"
        "            except OSError: pass\n"
        "        return {}\n"
    )
    options = {"class": "noisy_models:Noise"}
    spec = LoadSpec("n", stage.folder, "python", options=options, code_folder=stage.folder)
    worker = started(spec)
    worker.wait_loaded(60)
    with pytest.raises(PredictFailed, match="its process was ended by SIGKILL"):
        worker.predict({"a": 1}).result(30)


def test_a_worker_sees_its_environment_its_project_and_not_the_current_folder(
    stage: Stage, started: Starts
) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    worker = started(stage.model("m"), environment=environment)
    worker.wait_loaded(60)
    asked = {"do": "environment", "argument": "HF_HUB_OFFLINE"}
    seen = worker.predict(asked).result(30)
    assert seen["value"] == "1"
    assert seen["path"] == [str(stage.folder)]


def test_questions_from_many_threads_each_get_their_own_answer(
    stage: Stage, started: Starts
) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    wrong: list[int] = []

    def ask(number: int) -> None:
        for turn in range(20):
            sent = {"a": np.full(1000 + turn, number)}
            if not np.array_equal(worker.predict(sent).result(60)["a"], sent["a"]):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not wrong


def test_stopping_twice_or_after_the_end_does_nothing(stage: Stage, started: Starts) -> None:
    worker = started(stage.model("m"))
    worker.wait_loaded(60)
    worker.stop(30)
    worker.stop(30)
    worker.kill()
    assert not worker.alive


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "exit code None"),
        (3, "exit code 3"),
        (-15, "ended by SIGTERM"),
        (-200, "ended by signal 200"),
    ],
)
def test_an_end_is_told_for_people(code: int | None, text: str) -> None:
    assert text in how_it_ended(code)
