# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess

import pytest

from modelkeep.runtime import memory


def test_what_this_process_takes_is_seen() -> None:
    before = memory.held_by(os.getpid())
    ballast = bytearray(b"x") * (64 * 2**20)
    after = memory.held_by(os.getpid())
    assert before > 0
    assert after - before > 0.9 * len(ballast)


def test_a_process_that_is_gone_holds_nothing() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert memory.held_by(child.pid) == 0


def test_where_linux_does_not_tell_psutil_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "Path", lambda path: memory_nowhere)
    assert memory.held_by(os.getpid()) > 2**20


class _Nowhere:
    def read_text(self, encoding: str) -> str:
        raise OSError("no such file")


memory_nowhere = _Nowhere()
