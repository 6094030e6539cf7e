# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modelkeep.loaders.base import LoadSpec
from modelkeep.runtime.channel import Channel
from modelkeep.runtime.crossing import tree_of_spec
from modelkeep.runtime.process import Worker
from modelkeep.spec.errors import PredictFailed
from runtime.stage import Stage, wait_until


@pytest.fixture
def bare() -> Iterator[tuple[Channel, subprocess.Popen[bytes]]]:
    """A worker with nothing but a channel to it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "modelkeep.runtime.worker", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
        )
    yield Channel(ours), process
    ours.close()
    process.kill()
    process.wait()


def test_it_ends_where_nothing_is_to_be_loaded(
    bare: tuple[Channel, subprocess.Popen[bytes]],
) -> None:
    channel, process = bare
    channel.hang_up()
    assert process.wait(60) == 0


@pytest.mark.parametrize("how", ["hang up", "noise"])
def test_it_ends_and_closes_its_model_when_the_channel_ends(
    bare: tuple[Channel, subprocess.Popen[bytes]], how: str, stage: Stage, tmp_path: Path
) -> None:
    channel, process = bare
    spec = stage.model("m", mark=str(tmp_path / "mark"))
    channel.send({"do": "load", "spec": tree_of_spec(spec)})
    loaded = channel.receive()
    assert loaded is not None
    assert loaded["is"] == "loaded"
    if how == "hang up":
        channel.hang_up()
    else:
        channel._socket.sendall(b"no frame at all")
    assert process.wait(60) == 0
    assert (tmp_path / "mark").read_text() == "loaded\nclosed\n"


def test_words_that_it_does_not_know_are_passed_over(
    bare: tuple[Channel, subprocess.Popen[bytes]], stage: Stage
) -> None:
    channel, process = bare
    channel.send({"do": "load", "spec": tree_of_spec(stage.model("m"))})
    channel.receive()
    channel.send({"do": "dance"})
    channel.send({"do": "predict", "id": 5, "values": {"a": 1}})
    assert channel.receive() == {"is": "answer", "id": 5, "values": {"a": 1}}
    channel.send({"do": "stop"})
    assert process.wait(60) == 0


def test_it_does_not_outlive_its_parent_even_while_it_computes(stage: Stage) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from modelkeep.loaders.base import LoadSpec\n"
        "from modelkeep.runtime.process import Worker\n"
        "folder = Path(sys.argv[1])\n"
        "options = {'class': 'staged_models:Model'}\n"
        "spec = LoadSpec('m', folder, 'python', options=options, code_folder=folder)\n"
        "worker = Worker(spec)\n"
        "worker.wait_loaded(60)\n"
        "worker.predict({'do': 'sleep', 'argument': 600})\n"
        "worker.ping().result(60)\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(stage.folder)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    wait_until(ended)


def test_a_child_that_the_model_left_behind_hides_no_end(stage: Stage, tmp_path: Path) -> None:
    # A fork has a copy of the channel, so the channel alone would never end.
    (stage.folder / "forking_models.py").write_text(
        "import os, time\n"
        "class Forks:\n"
        "    def load(self, folder): self.folder = folder\n"
        "    def predict(self, inputs):\n"
        "        child = os.fork()\n"
        "        if child == 0:\n"
        "            time.sleep(600)\n"
        "        (self.folder / 'child').write_text(str(child))\n"
        "        os._exit(3)\n"
    )
    options = {"class": "forking_models:Forks"}
    worker = Worker(LoadSpec("f", tmp_path, "python", options=options, code_folder=tmp_path))
    worker.wait_loaded(60)
    answer = worker.predict({})
    try:
        with pytest.raises(PredictFailed, match="exit code 3"):
            answer.result(60)
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
