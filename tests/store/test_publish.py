# SPDX-License-Identifier: Apache-2.0
"""Here the operating system is made to refuse: only its own calls are replaced."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelkeep.store.publish import publish, replace, write_small

NO_LINKS = [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES, errno.EXDEV]


def refuse(code: int, after: Callable[..., Any] | None = None) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> None:
        if after:
            after(*arguments, **options)
        raise OSError(code, os.strerror(code))

    return call


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    path = tmp_path / "temporary"
    path.write_bytes(b"new")
    return path


@pytest.fixture
def final(tmp_path: Path) -> Path:
    return tmp_path / "some" / "folder" / "final"


def test_a_file_takes_its_final_name_and_loses_the_other(temporary: Path, final: Path) -> None:
    assert publish(temporary, final)
    assert final.read_bytes() == b"new"
    assert not temporary.exists()
    assert final.stat().st_nlink == 1


def test_a_taken_name_is_left_as_it_is(temporary: Path, final: Path) -> None:
    final.parent.mkdir(parents=True)
    final.write_bytes(b"old")
    assert not publish(temporary, final)
    assert final.read_bytes() == b"old"
    assert not temporary.exists()


@pytest.mark.parametrize("code", NO_LINKS)
def test_where_hard_links_are_refused_the_file_is_renamed(
    temporary: Path, final: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "link", refuse(code))
    assert publish(temporary, final)
    assert final.read_bytes() == b"new"
    assert not temporary.exists()


@pytest.mark.parametrize("code", [errno.EEXIST, errno.EIO, errno.ESTALE])
def test_a_link_that_failed_and_yet_happened_counts(
    temporary: Path, final: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(os, "link", refuse(code, os.link))
    assert publish(temporary, final)
    assert final.read_bytes() == b"new"
    assert not temporary.exists()


def test_a_rename_that_failed_and_yet_happened_counts(
    temporary: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "rename", refuse(errno.EIO, os.rename))
    replace(temporary, final)
    assert final.read_bytes() == b"new"


def test_where_nothing_works_the_error_comes_through(
    temporary: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    monkeypatch.setattr(os, "rename", refuse(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        publish(temporary, final)
    assert temporary.read_bytes() == b"new"
    assert not final.exists()


def test_a_failed_rename_onto_another_file_is_no_success(
    temporary: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final.parent.mkdir(parents=True)
    final.write_bytes(b"old")
    monkeypatch.setattr(os, "rename", refuse(errno.EIO, lambda one, _: os.unlink(one)))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        replace(temporary, final)
    assert final.read_bytes() == b"old"


def test_a_small_file_is_written_whole_over_an_older_one(tmp_path: Path, final: Path) -> None:
    for data in (b"one", b"two"):
        write_small(final, data, tmp_path, mode=0o640)
        assert final.read_bytes() == data
    assert stat.S_IMODE(final.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["some"]


def test_a_small_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_small(final, b"new", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_everything_is_fsynced_before_it_has_its_name(
    tmp_path: Path, final: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)

        def call(*arguments: Any, real: Any = real, name: str = name) -> Any:
            kind = os.fstat(arguments[0]).st_mode if name == "fsync" else 0
            steps.append("folder" if stat.S_ISDIR(kind) else name)
            return real(*arguments)

        monkeypatch.setattr(os, name, call)
    final.parent.mkdir(parents=True)
    write_small(final, b"new", tmp_path)
    assert steps == ["fsync", "rename", "folder"]
