# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from keep.conftest import MakeKeep
from modelkeep.keep.api import Keep
from modelkeep.keep.serving import Serving
from modelkeep.runtime.phases import Phase, State
from modelkeep.spec.emit import Event
from modelkeep.spec.errors import MissingFile, Offline, ReadOnlyStore, StaleLock, UnknownModel
from modelkeep.spec.events import ModelLoaded, ServiceSummary

MOCK = """
[models.quick]
loader = "mock"
priority = "critical"
options = { outputs = [["y", "FP32", [2]]] }
"""
READER = """
class Reader:
    outputs = [("text", "BYTES", [1])]

    def __init__(self, suffix=""):
        self.suffix = suffix

    def load(self, folder):
        self.text = (folder / "text.txt").read_text()

    def predict(self, inputs):
        return {"text": [self.text + self.suffix]}
"""
FILES = """
[models.reader]
source = "file:../words"
loader = "python"
options = { class = "reader:Reader", suffix = "!" }
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "text.txt").write_text("hello")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "reader.py").write_text(READER)
    return tmp_path


def wait_for(condition: Callable[[], bool], limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        time.sleep(0.02)


def ready(keep: Keep) -> Keep:
    keep.sync()
    return keep


def test_a_project_is_served_each_model_in_its_own_process(
    make: MakeKeep, project: Path, events: list[Event]
) -> None:
    with Serving(ready(make(MOCK + FILES))) as serving:
        wait_for(lambda: serving.overview().phase is Phase.FULLY_READY)
        answer = serving.predict("reader", {}).result(30)
        assert answer.outputs["text"][0] in (b"hello!", "hello!")
        assert answer.version == make().model("reader").identity.hex[:12]
        assert serving.predict("quick", {}).result(30).version == ""
        pids = {slot.pid for slot in serving.overview().slots}
        assert len(pids) == 2
        wait_for(lambda: any(isinstance(event, ServiceSummary) for event in events))
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)
    loaded = {event.model: event for event in events if isinstance(event, ModelLoaded)}
    assert loaded["reader"].size_bytes == 5
    assert loaded["reader"].path == str(make().path("reader"))


def test_a_model_can_be_unloaded_and_loaded_again(make: MakeKeep, project: Path) -> None:
    with Serving(ready(make(FILES))) as serving:
        wait_for(lambda: serving.overview().ready)
        serving.unload("reader").result(30)
        assert serving.overview().slots[0].state is State.EMPTY
        serving.load("reader").result(60)
        assert serving.overview().slots[0].state is State.READY
        with pytest.raises(UnknownModel):
            serving.load("nobody").result(30)


def test_a_project_with_no_loader_is_told_why_nothing_is_served(
    make: MakeKeep, project: Path, events: list[Event]
) -> None:
    keep = make('[models.words]\nsource = "file:../words"\n')
    keep.sync()
    with Serving(keep) as serving:
        assert not serving.overview().ready
    assert any("no enabled model has a loader" in str(event) for event in events)


def test_only_named_models_and_their_fallbacks_are_served(make: MakeKeep, project: Path) -> None:
    text = MOCK + FILES + '[models.spare]\nloader = "mock"\n'
    keep = ready(make(text.replace('loader = "python"', 'loader = "python"\nfallback = "spare"')))
    with Serving(keep, ["reader"]) as serving:
        assert {slot.name for slot in serving.overview().slots} == {"reader", "spare"}
    with pytest.raises(UnknownModel):
        Serving(keep, ["nobody"])


def test_an_absent_model_fails_with_the_file_and_is_fetched_when_that_is_asked_for(
    make: MakeKeep, project: Path
) -> None:
    keep = ready(make(FILES))
    blob = keep.tree.blob(keep.model("reader").manifest.files[0].digest)
    blob.unlink()
    with Serving(make()) as serving:
        wait_for(lambda: serving.overview().phase is Phase.DEGRADED)
        assert "text.txt" in serving.overview().missing[0]
        assert not serving.overview().ready
    with Serving(make(), fetch="missing") as serving:
        wait_for(lambda: serving.overview().ready)
    assert blob.exists()


def test_fetching_is_refused_offline_and_a_stale_lock_before_anything_starts(
    make: MakeKeep, project: Path
) -> None:
    ready(make(FILES))
    with pytest.raises(Offline):
        Serving(make(MODELKEEP_OFFLINE="1"), fetch="missing")
    with pytest.raises(StaleLock):
        Serving(make(FILES.replace("file:../words", "file:../words2")))
    (project / "not-a-folder").write_text("")
    with pytest.raises((ReadOnlyStore, Exception), match="store"):
        make(MODELKEEP_HOME=str(project / "not-a-folder")).require_fetching()


def test_a_model_is_loaded_into_this_process_once_however_many_threads_ask(
    make: MakeKeep, project: Path
) -> None:
    keep = ready(make(FILES))
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(keep.load("reader"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in found}) == 1
    assert keep.load("reader").predict({})["text"][0] in (b"hello!", "hello!")


def test_load_never_downloads_unless_it_is_told_to(make: MakeKeep, project: Path) -> None:
    keep = ready(make(FILES))
    keep.tree.blob(keep.model("reader").manifest.files[0].digest).unlink()
    with pytest.raises(MissingFile):
        make().load("reader")
    make().load("reader", fetch="missing")
