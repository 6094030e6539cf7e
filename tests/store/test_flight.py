# SPDX-License-Identifier: Apache-2.0
import fcntl
import os
from pathlib import Path

import pytest

from modelkeep.store.blobs import check_blob
from modelkeep.store.flight import flight
from modelkeep.store.tree import Tree

from .children import DIGEST, heard, start


def locks(tree: Tree) -> list[Path]:
    return list(tree.locks.iterdir())


@pytest.mark.parametrize("number", [2, 10])
def test_of_many_processes_that_want_the_same_bytes_one_fetches(tree: Tree, number: int) -> None:
    children = [start("fly", tree) for _ in range(number)]
    said = sorted(child.communicate()[0].strip() for child in children)
    assert said == ["came"] * (number - 1) + ["mine"]
    assert check_blob(tree, DIGEST)
    assert locks(tree) == []
    assert list(tree.tmp.iterdir()) == []


def test_when_the_one_who_fetches_is_killed_another_goes_on(tree: Tree) -> None:
    first = start("hold", tree)
    assert heard(first) == "mine"
    others = [start("fly", tree) for _ in range(2)]
    first.kill()
    first.communicate()
    assert sorted(child.communicate()[0].strip() for child in others) == ["came", "mine"]
    assert check_blob(tree, DIGEST)
    assert locks(tree) == []


def test_who_makes_no_progress_is_waited_for_no_longer(tree: Tree) -> None:
    first = start("hold", tree)
    try:
        assert heard(first) == "mine"
        with flight(tree, DIGEST, landed=lambda: False, still_s=0.05) as ours:
            assert ours
    finally:
        first.kill()
        first.communicate()


def test_who_waits_goes_on_as_soon_as_the_bytes_are_there(tree: Tree) -> None:
    looks = iter([False, False, True, True])
    with (
        flight(tree, DIGEST, landed=lambda: False) as first,
        flight(tree, DIGEST, landed=lambda: next(looks)) as second,
    ):
        assert first
        assert not second
        assert len(locks(tree)) == 1


def test_bytes_that_are_there_need_no_work(tree: Tree) -> None:
    with flight(tree, DIGEST, landed=lambda: True) as ours:
        assert not ours
    assert locks(tree) == []


def test_a_lock_that_is_not_supported_costs_nothing_but_bandwidth(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with (
        flight(tree, DIGEST, landed=lambda: False) as one,
        flight(tree, DIGEST, landed=lambda: False) as two,
    ):
        assert one
        assert two


def test_a_lock_whose_file_was_unlinked_meanwhile_is_taken_anew(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    seen: list[int] = []

    def slow(handle: int, how: int) -> None:
        if not seen:
            # As if the one before had let go between our open and our lock.
            os.unlink(tree.locks / DIGEST.hex)
        seen.append(handle)
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with flight(tree, DIGEST, landed=lambda: False) as ours:
        assert ours
        assert len(seen) == 2
        assert len(locks(tree)) == 1


def fail(tree: Tree) -> None:
    with flight(tree, DIGEST, landed=lambda: False) as ours:
        assert ours
        raise ZeroDivisionError


def test_the_lock_is_let_go_when_the_work_fails(tree: Tree) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail(tree)
    assert locks(tree) == []
