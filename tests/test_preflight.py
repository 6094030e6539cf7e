# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from layouts.made import FILES, hold, locked
from modelkeep.preflight import absent_digests, check_model
from modelkeep.present import plan_view, present
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import MissingFile
from modelkeep.store.tree import Tree

MODEL = locked()
WEIGHTS = Digest.of(FILES["onnx/model.bin"])


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "store")
    hold(tree, FILES.values())
    return tree


@pytest.fixture
def folder(tree: Tree) -> Path:
    view = plan_view(tree, [MODEL])
    present(tree, view)
    return view.path_of(MODEL)


def test_a_whole_model_passes(tree: Tree, folder: Path) -> None:
    assert absent_digests(tree, [MODEL]) == set()
    check_model(tree, folder, MODEL)


def test_a_store_that_is_not_there_lacks_everything(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "none")
    assert absent_digests(tree, [MODEL]) == {row.digest for row in MODEL.manifest.files}
    assert list(tmp_path.iterdir()) == []


def test_a_missing_blob_is_named_by_model_path_and_store(tree: Tree, folder: Path) -> None:
    tree.blob(WEIGHTS).unlink()
    assert absent_digests(tree, [MODEL, locked("tap")]) == {WEIGHTS}
    with pytest.raises(MissingFile) as caught:
        check_model(tree, folder, MODEL)
    error = caught.value
    assert (error.model, error.path, error.store) == ("pat", "onnx/model.bin", str(tree.home))


def test_a_blob_of_another_size_counts_as_missing(tree: Tree, folder: Path) -> None:
    tree.blob(WEIGHTS).chmod(0o644)
    tree.blob(WEIGHTS).write_bytes(b"short")
    assert absent_digests(tree, [MODEL]) == {WEIGHTS}
    with pytest.raises(MissingFile):
        check_model(tree, folder, MODEL)


def test_a_file_that_the_view_lacks_is_missing(tree: Tree, folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(MissingFile, match=r"config\.json"):
        check_model(tree, folder, MODEL)


def test_nothing_is_changed_by_looking(tree: Tree, folder: Path) -> None:
    before = sorted(tree.home.rglob("*"))
    check_model(tree, folder, MODEL)
    absent_digests(tree, [MODEL])
    assert sorted(tree.home.rglob("*")) == before
