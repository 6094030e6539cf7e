# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cli.conftest import Shell
from modelkeep.cli.logs import LOGGER, listen, sentence, start_logging
from modelkeep.cli.session import fan_out
from modelkeep.spec import events
from modelkeep.spec.emit import Event
from servers.origin import Origin


@pytest.fixture(autouse=True)
def _logger_as_before() -> object:
    handlers, level, propagate = LOGGER.handlers[:], LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:], LOGGER.propagate = handlers, propagate
    LOGGER.setLevel(level)


def test_a_loaded_model_is_one_line_with_path_size_seconds_and_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging("info", "text")
    listen(events.ModelLoaded("m", "/views/m", 3_000_000, 1.234, 55_000_000))
    listen(events.BytesArrived("m", "f", 1, 2))
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "loaded model=m path=/views/m size=3.0 MB seconds=1.23 memory=55.0 MB" in line


def test_json_lines_carry_the_events_own_fields(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("debug", "json")
    listen(events.ModelFailed("m", "two\nlines"))
    listen(events.BytesArrived("m", "f", 1, 2))
    rows = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert rows[0]["event"] == "ModelFailed"
    assert rows[0]["level"] == "warning"
    assert rows[0]["reason"] == "two\nlines"
    assert rows[1]["done_bytes"] == 1


def test_every_event_has_a_sentence() -> None:
    summary = events.ServiceSummary(("a", "b"), (), ("c",))
    assert sentence(summary) == "models loaded: a, b; on first use: none; failed: c"
    assert sentence(events.Warned("s", "m")) == "s: m"
    assert sentence(events.PhaseChanged("init", "why")) == "phase=init reason=why"
    assert sentence(events.ModelUnloaded("m")) == "unloaded model=m"
    assert sentence(events.ViewPresented("/v", 3)) == "ViewPresented folder=/v files=3"
    assert "loading model=m" in sentence(events.ModelLoading("m", "/p", 1))


def test_a_listener_that_raises_is_logged_and_the_others_hear(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR, "modelkeep"):
        fan_out([broken, heard.append])(events.Warned("s", "m"))
    assert len(heard) == 1
    assert "a listener failed" in caplog.text


def test_plain_lines_tell_retries_files_and_the_rate(shell: Shell) -> None:
    with Origin({"/m.bin": b"m" * 5000}) as origin:
        origin.fail("/m.bin", 503, times=2)
        shell.wishes(f'[models.u]\nsource = "{origin.url_for("/m.bin")}"\n')
        said = shell("sync", MODEL_DOWNLOAD_MAX_RETRIES="3").err
    assert "status 503" in said
    assert "try 2 in" in said
    assert "u: m.bin (5.0 kB)" in said
    assert "fetched 1 file, 5.0 kB" in said
    assert "\x1b" not in said


def test_a_terminal_sees_bars(shell: Shell) -> None:
    data = os.urandom(3_000_000)
    with Origin({"/m.bin": data}) as origin:
        origin.slow("/m.bin", 500_000, 0.15)
        shell.wishes(f'[models.u]\nsource = "{origin.url_for("/m.bin")}"\n')
        said = _on_a_terminal(shell, "sync")
    assert "MB/s" in said
    assert "m.bin" in said
    assert "\x1b[" in said
    assert "fetched 1 file, 3.0 MB" in said


def _on_a_terminal(shell: Shell, *arguments: str) -> str:
    """All that one command writes to a terminal of its own."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "modelkeep", *arguments],
        cwd=shell.folder,
        env={**shell.variables, "TERM": "xterm", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    # Linux tells the end of a terminal by EIO.
    with suppress(OSError):
        while piece := os.read(terminal, 65536):
            said += piece
    os.close(terminal)
    assert process.wait(60) == 0
    return said.decode()


def test_quiet_says_nothing_but_the_answer(shell: Shell, tmp_path: Path) -> None:
    shell.wishes('[models.m]\nsource = "file:../weights"\n')
    ran = shell("--quiet", "sync")
    assert ran.err == ""
    assert ran.out
