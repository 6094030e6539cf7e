# SPDX-License-Identifier: Apache-2.0
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layouts.made import COMMIT, FILES, ONNX, OTHER_COMMIT, both, hold, locked
from modelkeep.layouts.base import Placement
from modelkeep.layouts.plain import Plain
from modelkeep.present import View, plan_view, present, view_faults
from modelkeep.spec.digest import Digest
from modelkeep.spec.emit import Event
from modelkeep.spec.errors import NoRoom, StoreError, UnsafePath
from modelkeep.spec.events import ViewPresented
from modelkeep.spec.lock import LockedModel
from modelkeep.store.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "store")
    hold(tree, [*FILES.values(), *ONNX.values()])
    return tree


def shown(tree: Tree, *models: LockedModel) -> View:
    view = plan_view(tree, models or both())
    assert present(tree, view)
    assert_shows_all(view)
    return view


def assert_shows_all(view: View) -> None:
    known = {Digest.of(data): data for data in (*FILES.values(), *ONNX.values())}
    for path, placement in view.placements.items():
        content = placement.content
        expected = content if isinstance(content, bytes) else known[content]
        assert (view.folder / path).read_bytes() == expected


def child(code: str, tree: Tree, *before: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [*before, sys.executable, "-c", code, str(tree.home)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


# -- planning


def test_a_plan_touches_nothing(tmp_path: Path) -> None:
    plan_view(Tree(tmp_path / "store"), both())
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_named_by_what_it_shows_and_not_by_the_order(tree: Tree) -> None:
    one, two = both()
    assert plan_view(tree, [one, two]).folder == plan_view(tree, [two, one]).folder
    names = {
        plan_view(tree, models).folder.name
        for models in (
            [],
            [one],
            [two],
            [one, two],
            [locked("tap")],
            [locked("pat", ONNX)],
            [locked("pat", revision=OTHER_COMMIT)],
            [locked("pat", ref="v2")],
            [locked("pat", source="hf:org/other")],
            [locked("pat", layout="plain")],
            [locked("pat", layout="huggingface:org/shown")],
        )
    }
    assert len(names) == 11
    assert all(len(name) == 64 for name in names)


def test_a_view_knows_its_folders_and_variables(tree: Tree) -> None:
    pat, net = both()
    view = plan_view(tree, [pat, net])
    hub = view.folder / "huggingface" / "hub"
    assert view.path_of(pat) == hub / "models--org--name" / "snapshots" / COMMIT
    assert view.path_of(net) == view.folder / "plain" / "net"
    assert view.variables()["HF_HUB_CACHE"] == str(hub)
    assert plan_view(tree, [net]).variables() == {}


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_a_layout_that_would_leave_its_folder_is_refused(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(Plain, "place", lambda *_: [Placement(path, b"x")])
    with pytest.raises(UnsafePath):
        plan_view(tree, [locked(layout="plain")])


# -- building


def test_a_view_shows_every_file_of_every_model(tree: Tree) -> None:
    heard: list[Event] = []
    view = plan_view(tree, both())
    assert present(tree, view, emit=heard.append)
    assert_shows_all(view)
    assert view_faults(tree, view) == []
    assert heard == [ViewPresented(str(view.folder), len(view.placements))]
    assert [path.name for path in tree.views.iterdir()] == [view.folder.name]


def test_a_view_that_is_right_is_left_alone(tree: Tree) -> None:
    view = shown(tree)
    heard: list[Event] = []
    assert not present(tree, view, emit=heard.append)
    assert heard == []


def test_no_byte_is_kept_twice(tree: Tree) -> None:
    view = shown(tree)
    for path, placement in view.placements.items():
        if isinstance(placement.content, Digest):
            assert (view.folder / path).samefile(tree.blob(placement.content))


def test_an_empty_set_is_a_view_too(tree: Tree) -> None:
    view = plan_view(tree, [])
    assert present(tree, view)
    assert view.folder.is_dir()
    assert not present(tree, view)


def test_a_store_may_be_moved_as_a_whole(tree: Tree, tmp_path: Path) -> None:
    shown(tree)
    moved = Tree(tmp_path / "deep" / "elsewhere")
    moved.home.parent.mkdir()
    shutil.move(tree.home, moved.home)
    view = plan_view(moved, both())
    assert_shows_all(view)
    assert not present(moved, view)


def test_two_sets_never_overwrite_each_other(tree: Tree) -> None:
    old = shown(tree, locked("pat", {"config.json": b"{}"}))
    new = shown(tree, locked("pat", ONNX, revision=OTHER_COMMIT))
    assert old.folder != new.folder
    assert_shows_all(old)
    for view, commit in ((old, COMMIT), (new, OTHER_COMMIT)):
        ref = view.folder / "huggingface/hub/models--org--name/refs/main"
        assert ref.read_text() == commit


def test_blobs_that_are_absent_are_left_out_and_added_later(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "store")
    hold(tree, [FILES["config.json"]])
    absent = {Digest.of(FILES["onnx/model.bin"])}
    model = locked()
    view = plan_view(tree, [model])
    assert present(tree, view, absent)
    assert sorted(p.name for p in view.path_of(model).iterdir()) == ["config.json"]
    assert not present(tree, view, absent)
    hold(tree, FILES.values())
    assert present(tree, view)
    assert_shows_all(view)


def test_eight_processes_build_one_view_at_once(tree: Tree) -> None:
    code = (
        "import sys; from pathlib import Path; from modelkeep.store.tree import Tree\n"
        "from modelkeep.present import plan_view, present\n"
        "from layouts.made import both\n"
        "tree = Tree(Path(sys.argv[1])); view = plan_view(tree, both())\n"
        "print('ready', flush=True); sys.stdin.readline(); present(tree, view); print('done')"
    )
    children = [child(code, tree) for _ in range(8)]
    for one in children:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    for one in children:
        assert one.stdin
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.communicate()[0] for one in children] == ["done\n"] * 8
    view = plan_view(tree, both())
    assert_shows_all(view)
    assert list(tree.views.iterdir()) == [view.folder]


def test_who_is_slower_adds_what_the_faster_one_lacked(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = plan_view(tree, both())
    real = os.rename

    def overtaken(one: Path, other: Path) -> None:
        monkeypatch.setattr(os, "rename", real)
        assert present(tree, view, {Digest.of(data) for data in ONNX.values()})
        real(one, other)

    monkeypatch.setattr(os, "rename", overtaken)
    assert present(tree, view)
    assert_shows_all(view)
    assert list(tree.views.iterdir()) == [view.folder]


# -- mending


def break_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../nowhere")


def other_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def rewrite(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"x")


def same_size(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(b"x" * len(data))


HARMS: list[Callable[[Path], None]] = [Path.unlink, break_link, other_link, rewrite, same_size]


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_is_wrong_in_a_view_is_mended(tree: Tree, harm: Callable[[Path], None]) -> None:
    view = shown(tree)
    for path in view.placements:
        harm(view.folder / path)
        assert view_faults(tree, view) == [path]
        assert present(tree, view)
        assert_shows_all(view)
    assert not any(path.name.startswith(".") for path in view.folder.rglob("*"))


def test_a_missing_folder_of_a_view_is_mended(tree: Tree) -> None:
    view = shown(tree)
    shutil.rmtree(view.folder / "huggingface")
    assert present(tree, view)
    assert_shows_all(view)


def test_a_hard_link_to_a_blob_since_repaired_is_made_anew(tree: Tree) -> None:
    view = shown(tree)
    data = ONNX["model.onnx_data"]
    blob = tree.blob(Digest.of(data))
    blob.chmod(0o644)
    with blob.open("r+b") as file:
        file.write(b"!")
    blob.unlink()
    hold(tree, [data])
    assert view_faults(tree, view) == ["plain/net/model.onnx_data"]
    assert present(tree, view)
    assert_shows_all(view)


def without(monkeypatch: pytest.MonkeyPatch, *names: str, code: int = errno.EPERM) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    for name in names:
        monkeypatch.setattr(os, name, refuse)


@pytest.mark.parametrize("names", [("symlink",), ("link",), ("symlink", "link")])
def test_a_filesystem_without_links_gets_what_it_has(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    without(monkeypatch, *names)
    view = shown(tree)
    assert not present(tree, view)
    for path, placement in view.placements.items():
        if isinstance(placement.content, Digest) and "link" in names and len(names) == 2:
            status = os.lstat(view.folder / path)
            assert (status.st_nlink, status.st_mode & 0o777) == (1, 0o444)


def test_a_copy_of_a_blob_since_repaired_is_made_anew(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "symlink", "link")
    view = shown(tree)
    path = "plain/net/model.onnx"
    (view.folder / path).chmod(0o644)
    (view.folder / path).write_bytes(b"GRAPH")
    assert view_faults(tree, view) == [path]
    present(tree, view)
    assert_shows_all(view)


# -- refusals


def test_a_full_disk_is_a_typed_error_and_leaves_nothing(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "mkdir", code=errno.ENOSPC)
    with pytest.raises(NoRoom, match="store"):
        present(tree, plan_view(tree, both()))
    assert list(tree.views.iterdir()) == []


def test_a_file_in_a_views_place_is_a_typed_error(tree: Tree) -> None:
    view = plan_view(tree, both())
    view.folder.write_text("in the way")
    with pytest.raises(StoreError):
        present(tree, view)
    assert list(tree.views.iterdir()) == [view.folder]


READ_ONLY = """
import sys
from pathlib import Path
from modelkeep.present import plan_view, present
from modelkeep.store.tree import Tree
from modelkeep.spec.errors import KeepError
from layouts.made import both
tree = Tree(Path(sys.argv[1]))
for models in (both(), both()[:1]):
    try:
        print(present(tree, plan_view(tree, models)))
    except KeepError as error:
        print(type(error).__name__)
"""


def test_a_read_only_store_is_read_and_never_written(tree: Tree) -> None:
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    probe = ["unshare", "-m", "sh", "-c", mount, str(tree.home)]
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this user may not mount a folder read-only")
    view = shown(tree)
    done = child(READ_ONLY, tree, "unshare", "-m", "sh", "-c", _mounted(tree))
    assert done.communicate()[0].split() == ["False", "ReadOnlyStore"]
    assert list(tree.views.iterdir()) == [view.folder]


def _mounted(tree: Tree) -> str:
    home = f"'{tree.home}'"
    return f'mount --bind {home} {home} && mount -o remount,bind,ro {home} && exec "$0" "$@"'
