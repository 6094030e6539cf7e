# SPDX-License-Identifier: Apache-2.0
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DigestMismatch
from modelkeep.store import partials
from modelkeep.store.blobs import check_blob
from modelkeep.store.owner import host_name, this_process
from modelkeep.store.partials import Partial, written_bytes
from modelkeep.store.tree import Tree

from .children import DATA, DIGEST, HALF, heard, start


def folders(tree: Tree) -> list[Path]:
    return sorted(tree.tmp.iterdir())


def record(tree: Tree) -> dict[str, Any]:
    (folder,) = folders(tree)
    found = json.loads((folder / "record.json").read_text())
    assert isinstance(found, dict)
    return found


def leave(tree: Tree, data: bytes = DATA[:HALF], **changes: Any) -> Path:
    """What a process that has ended left behind."""
    folder = tree.tmp / f"{host_name()}-left"
    folder.mkdir(mode=0o700)
    (folder / "data").write_bytes(data)
    whole = {"digest": str(DIGEST), "ranges": [[0, len(data)]], "owner": None, **changes}
    (folder / "record.json").write_text(json.dumps(whole))
    return folder


def finish(tree: Tree) -> int:
    """Bring the rest of DATA; how much of it was there already."""
    with Partial.begin(tree, DIGEST) as partial:
        there = partial.done_bytes
        assert partial.resumed == (there > 0)
        partial.write(DATA[there:])
        assert partial.commit() == DIGEST
    assert tree.blob(DIGEST).read_bytes() == DATA
    return there


def test_a_file_grows_aside_and_becomes_a_blob(tree: Tree) -> None:
    with Partial.begin(tree, DIGEST) as partial:
        assert not partial.resumed
        partial.write(DATA[:HALF])
        partial.write(DATA[HALF:])
        assert not tree.blob(DIGEST).exists()
        assert stat.S_IMODE(partial.folder.stat().st_mode) == 0o700
        partial.commit()
    assert check_blob(tree, DIGEST)
    assert stat.S_IMODE(tree.blob(DIGEST).stat().st_mode) == 0o444
    assert folders(tree) == []


def test_bytes_of_an_unknown_digest_are_named_at_the_end(tree: Tree) -> None:
    with Partial.begin(tree, None) as partial:
        partial.write(DATA)
        assert partial.commit() == DIGEST
    assert check_blob(tree, DIGEST)


def test_bytes_of_an_unknown_digest_do_not_stay(tree: Tree) -> None:
    with Partial.begin(tree, None) as partial:
        partial.write(DATA)
    assert folders(tree) == []


def test_an_empty_beginning_does_not_stay(tree: Tree) -> None:
    Partial.begin(tree, DIGEST).close()
    assert folders(tree) == []


def test_a_wrong_whole_is_never_published_and_is_forgotten(tree: Tree) -> None:
    with Partial.begin(tree, DIGEST) as partial:
        partial.write(DATA[:-1] + b"!")
        with pytest.raises(DigestMismatch) as caught:
            partial.commit()
        assert str(DIGEST) in caught.value.expected
        assert f"({len(DATA)} bytes)" in caught.value.got
        assert partial.done_bytes == 0
        partial.write(DATA)
        partial.commit()
    assert check_blob(tree, DIGEST)


def test_a_finished_file_stays_until_it_is_discarded(tree: Tree) -> None:
    with Partial.begin(tree, DIGEST) as partial:
        partial.write(DATA)
        path = partial.finish()
        assert path.read_bytes() == DATA
        partial.discard()
        assert not path.exists()
    assert not tree.blob(DIGEST).exists()


def test_what_was_let_go_is_resumed_in_the_same_process(tree: Tree) -> None:
    with Partial.begin(tree, DIGEST) as partial:
        partial.write(DATA[:HALF])
    assert written_bytes(tree, DIGEST) == HALF
    assert finish(tree) == HALF
    assert folders(tree) == []


def test_an_open_partial_is_not_taken_by_another_thread(tree: Tree) -> None:
    with Partial.begin(tree, DIGEST) as partial:
        partial.write(DATA[:HALF])
        partial._checkpoint()
        assert finish(tree) == 0
        assert partial.folder.is_dir()


def test_every_16_mib_are_recorded(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partials, "CHECKPOINT_BYTES", 1000)
    with Partial.begin(tree, DIGEST) as partial:
        assert record(tree)["owner"] == this_process().as_dict()
        partial.write(DATA[:999])
        assert record(tree)["ranges"] == [[0, 0]]
        partial.write(DATA[999:1500])
        assert record(tree)["ranges"] == [[0, 1500]]
        partial.restart()
        assert record(tree)["ranges"] == [[0, 0]]


def test_a_killed_writers_partial_is_resumed_by_another_process(tree: Tree) -> None:
    child = start("write_half", tree)
    assert heard(child) == "half"
    child.kill()
    child.communicate()
    assert record(tree)["ranges"] == [[0, HALF]]
    other = start("finish", tree)
    assert heard(other) == str(HALF)
    assert heard(other) == "done"
    other.communicate()
    assert tree.blob(DIGEST).read_bytes() == DATA
    assert folders(tree) == []


def test_a_living_writers_partial_is_left_alone(tree: Tree) -> None:
    child = start("write_half", tree)
    try:
        assert heard(child) == "half"
        (theirs,) = folders(tree)
        assert finish(tree) == 0
        assert folders(tree) == [theirs]
        assert (theirs / "data").stat().st_size == HALF + 1000
    finally:
        child.kill()
        child.communicate()


def test_many_processes_may_publish_the_same_bytes_with_no_lock(tree: Tree) -> None:
    children = [start("race", tree) for _ in range(4)]
    assert [heard(child) for child in children] == ["ready"] * 4
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate()[0] for child in children] == ["done\n"] * 4
    assert tree.blob(DIGEST).read_bytes() == DATA
    assert folders(tree) == []


def test_what_was_written_after_the_record_is_not_believed(tree: Tree) -> None:
    leave(tree, DATA[:HALF] + b"torn page", ranges=[[0, HALF]])
    assert finish(tree) == HALF


def test_a_record_that_promises_more_than_there_is_gives_what_there_is(tree: Tree) -> None:
    leave(tree, DATA[:HALF], ranges=[[0, 10**30]])
    assert finish(tree) == HALF


def test_a_resumed_partial_with_wrong_bytes_is_found_out(tree: Tree) -> None:
    leave(tree, b"x" * HALF)
    with Partial.begin(tree, DIGEST) as partial:
        partial.write(DATA[HALF:])
        with pytest.raises(DigestMismatch):
            partial.commit()
        assert not partial.resumed
        partial.write(DATA)
        partial.commit()
    assert check_blob(tree, DIGEST)


@pytest.mark.parametrize(
    "ranges", [None, [], [[]], [[1, 5]], [["0", 5]], [[0, "5"]], [[0, -1]], [[0, 1.5]], {"0": 1}]
)
def test_a_record_of_no_known_range_starts_anew(tree: Tree, ranges: object) -> None:
    leave(tree, ranges=ranges)
    assert finish(tree) == 0


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"x"', "[" * 100_000, '{"digest": 1}', "\0", "\ud83d"]
)
def test_a_garbage_record_is_passed_over(tree: Tree, text: str) -> None:
    (leave(tree) / "record.json").write_text(text, "utf-8", "surrogatepass")
    assert written_bytes(tree, DIGEST) == 0
    assert finish(tree) == 0


@pytest.mark.parametrize(
    "owner",
    [
        "me",
        [],
        {},
        {"host": host_name()},
        {"host": host_name(), "boot": "", "pid": "1", "started": ""},
        {"host": host_name(), "boot": "", "pid": 10**30, "started": ""},
        {"host": "elsewhere", "boot": "", "pid": 1, "started": ""},
        this_process().as_dict(),
    ],
)
def test_a_partial_whose_owner_may_live_is_not_taken(tree: Tree, owner: object) -> None:
    folder = leave(tree, owner=owner)
    assert finish(tree) == 0
    assert folder.is_dir()


def test_a_partial_from_before_the_last_boot_is_taken(tree: Tree) -> None:
    me = this_process()
    if not me.boot:
        pytest.skip("this system does not tell its boot")
    leave(tree, owner=replace(me, boot="another").as_dict())
    assert finish(tree) == HALF


def test_a_partial_that_somebody_holds_is_not_taken_whatever_its_record(tree: Tree) -> None:
    import fcntl

    folder = leave(tree)
    with (folder / "data").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert finish(tree) == 0
    assert folder.is_dir()


def test_without_locks_a_partial_is_still_taken_once(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    leave(tree)
    with Partial.begin(tree, DIGEST) as first, Partial.begin(tree, DIGEST) as second:
        assert (first.done_bytes, second.done_bytes) == (HALF, 0)


def test_who_is_second_to_take_a_partial_starts_anew(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tree)
    real = os.rename

    def lose(one: Path, other: Path) -> None:
        if Path(one).name.endswith("-left"):
            raise FileNotFoundError(2, "No such file or directory")
        real(one, other)

    monkeypatch.setattr(os, "rename", lose)
    assert finish(tree) == 0


def test_data_that_is_a_blob_already_is_never_written_to(tree: Tree) -> None:
    folder = leave(tree, DATA)
    tree.blob(DIGEST).parent.mkdir()
    os.link(folder / "data", tree.blob(DIGEST))
    tree.blob(DIGEST).chmod(0o444)
    with Partial.begin(tree, DIGEST) as partial:
        partial.restart()
        partial.write(b"other")
    assert check_blob(tree, DIGEST)
    assert stat.S_IMODE(tree.blob(DIGEST).stat().st_mode) == 0o444


def test_a_partial_killed_just_before_it_was_published_is_resumed(tree: Tree) -> None:
    (leave(tree, DATA) / "data").chmod(0o444)
    assert finish(tree) == len(DATA)


def test_other_bytes_are_not_mixed_in(tree: Tree) -> None:
    leave(tree, digest=str(Digest.of(b"other")))
    assert finish(tree) == 0


def test_progress_is_counted_over_all_hosts(tree: Tree) -> None:
    leave(tree).rename(tree.tmp / "elsewhere-1")
    leave(tree, DATA[:10])
    assert written_bytes(tree, DIGEST) == HALF + 10
    assert written_bytes(tree, Digest.of(b"other")) == 0
