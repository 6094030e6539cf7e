# SPDX-License-Identifier: Apache-2.0
import errno
import os
import stat
from pathlib import Path

import pytest

from modelkeep.spec.errors import KeepError, NoRoom, ReadOnlyStore, StoreError
from modelkeep.store.probe import Abilities, free_bytes, probe
from modelkeep.store.tree import Tree, refusal


def test_naming_a_store_touches_nothing(tmp_path: Path) -> None:
    assert not Tree(tmp_path / "store").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_prepared_store_has_its_folders(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "deep" / "store")
    tree.prepare()
    tree.prepare()
    assert tree.exists()
    folders = {path.name for path in (tree.home / "v1").iterdir()}
    assert folders == {"blobs", "manifests", "origins", "views", "tmp", "locks"}
    assert stat.S_IMODE(tree.tmp.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_a_typed_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="a working folder"):
        Tree(tmp_path / "store").prepare()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EACCES, ReadOnlyStore),
        (errno.EPERM, ReadOnlyStore),
        (errno.EROFS, ReadOnlyStore),
        (errno.ENOSPC, NoRoom),
        (errno.EDQUOT, NoRoom),
        (errno.EIO, StoreError),
        (errno.ESTALE, StoreError),
    ],
)
def test_what_the_system_refuses_has_its_type(code: int, kind: type[KeepError]) -> None:
    error = refusal(OSError(code, os.strerror(code), "/store/x"), Path("/store"))
    assert type(error) is kind
    assert str(error).startswith("store /store: expected ")
    assert error.got == f"{os.strerror(code)} (/store/x)"


def test_an_error_without_a_number_has_its_text() -> None:
    assert refusal(OSError("odd"), Path("/store")).got == "odd"


def test_a_probe_tells_what_works_here_and_leaves_nothing(tmp_path: Path) -> None:
    found = probe(tmp_path)
    assert found.writable
    assert found.symlink
    assert found.hardlink
    assert found.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_a_probe_without_hard_links_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    found = probe(tmp_path)
    assert (found.writable, found.symlink, found.hardlink) == (True, True, False)


def test_a_probe_of_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    nothing = Abilities(writable=False, symlink=False, hardlink=False, free_bytes=0)
    assert probe(tmp_path / "none") == nothing


def test_a_probe_of_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert not probe(tmp_path).writable
    assert list(tmp_path.iterdir()) == []


def test_room_is_told_for_a_folder_that_is_still_to_come(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == free_bytes(tmp_path) > 0
