# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modelkeep.store import owner
from modelkeep.store.owner import Owner, host_name, is_dead, this_process

PROC = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")


def ended() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_the_calling_process_lives() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert not is_dead(me)
    assert Owner(**me.as_dict()) == me


def test_a_process_that_ended_is_dead() -> None:
    assert is_dead(replace(this_process(), pid=ended()))


@PROC
def test_a_pid_that_came_again_is_another_process() -> None:
    assert is_dead(replace(this_process(), started="1"))


@PROC
def test_what_ran_before_the_last_boot_is_dead() -> None:
    assert is_dead(replace(this_process(), boot="another"))


def test_of_another_host_nothing_is_known() -> None:
    assert not is_dead(replace(this_process(), host="elsewhere", pid=ended()))


def test_without_a_start_time_a_living_pid_counts() -> None:
    assert not is_dead(Owner(host_name(), "", os.getpid(), ""))


def test_a_start_time_that_cannot_be_read_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    me = replace(this_process(), started="5")
    monkeypatch.setattr(owner, "_started", lambda pid: "")
    assert not is_dead(me)


def test_another_users_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    me = this_process()
    monkeypatch.setattr(os, "kill", refuse)
    assert not is_dead(me)


def test_a_number_that_is_no_pid_tells_nothing() -> None:
    assert not is_dead(Owner(host_name(), "", 10**30, ""))


def test_a_system_that_tells_nothing_gives_empty_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr(Path, "read_text", refuse)
    owner._boot.cache_clear()
    try:
        assert this_process() == Owner(host_name(), "", os.getpid(), "")
    finally:
        owner._boot.cache_clear()


def test_a_hosts_name_fits_a_folders_name() -> None:
    assert host_name()
    assert not set(host_name()) & set("/-* \n")
