# SPDX-License-Identifier: Apache-2.0
"""The view is read by the real huggingface_hub, in a process that is offline."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelkeep.layouts.huggingface import HuggingFace
from modelkeep.present import View, plan_view, present
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue, UnsafePath
from modelkeep.spec.lock import LockedModel
from modelkeep.store.tree import Tree

from .made import COMMIT, FILES, OTHER_COMMIT, hold, locked

LAYOUT = HuggingFace()

READ = """
import json, sys
import huggingface_hub as hub
from huggingface_hub.errors import LocalEntryNotFoundError

def call(name, arguments):
    try:
        return getattr(hub, name)(**arguments)
    except Exception as error:
        return type(error).__name__

print(json.dumps([call(name, arguments) for name, arguments in json.load(sys.stdin)]))
"""


def ask(view: View, *calls: tuple[str, dict[str, Any]]) -> list[str]:
    """What huggingface_hub answers, when it sees nothing but the view."""
    pytest.importorskip("huggingface_hub")
    environment = {**os.environ, **view.variables(), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ],
        input=json.dumps(calls),
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def shown(tmp_path: Path, *models: LockedModel, blobs: Mapping[str, bytes] = FILES) -> View:
    tree = Tree(tmp_path / "store")
    hold(tree, blobs.values())
    view = plan_view(tree, models)
    assert present(tree, view)
    return view


def test_huggingface_hub_finds_a_whole_snapshot_offline(tmp_path: Path) -> None:
    model = locked()
    view = shown(tmp_path, model)
    folder = view.path_of(model)
    answers = ask(
        view,
        ("snapshot_download", {"repo_id": "org/name"}),
        ("snapshot_download", {"repo_id": "org/name", "revision": "main"}),
        ("snapshot_download", {"repo_id": "org/name", "revision": COMMIT}),
        ("snapshot_download", {"repo_id": "org/name", "allow_patterns": ["*.json"]}),
    )
    assert answers == [str(folder)] * 4
    for path, data in FILES.items():
        assert (folder / path).read_bytes() == data


def test_huggingface_hub_finds_single_files_offline(tmp_path: Path) -> None:
    model = locked(ref="v1.0")
    view = shown(tmp_path, model)
    name = {"repo_id": "org/name", "filename": "onnx/model.bin"}
    answers = ask(
        view,
        ("hf_hub_download", name),
        ("hf_hub_download", {**name, "revision": "v1.0"}),
        ("hf_hub_download", {**name, "revision": COMMIT}),
        ("try_to_load_from_cache", name),
        ("hf_hub_download", {**name, "filename": "tokenizer.json"}),
        ("hf_hub_download", {**name, "repo_id": "org/other"}),
    )
    assert answers[:4] == [str(view.path_of(model) / "onnx/model.bin")] * 4
    assert answers[4:] == ["LocalEntryNotFoundError"] * 2


def test_a_dataset_is_shown_as_one(tmp_path: Path) -> None:
    model = locked(source="hf:datasets/org/data", ref="refs/pr/1")
    view = shown(tmp_path, model)
    assert view.path_of(model).parts[-4:-2] == ("hub", "datasets--org--data")
    asked = {"repo_id": "org/data", "repo_type": "dataset"}
    answers = ask(
        view,
        ("snapshot_download", asked),
        ("snapshot_download", {**asked, "revision": "refs/pr/1"}),
        ("snapshot_download", {"repo_id": "org/data"}),
    )
    assert answers == [str(view.path_of(model))] * 2 + ["LocalEntryNotFoundError"]


def test_two_models_of_one_repository_share_a_snapshot(tmp_path: Path) -> None:
    small = locked("small", {"config.json": b"{}", "small.bin": b"s"})
    large = locked("large", {"config.json": b"{}", "large.bin": b"l"}, ref="v2")
    view = shown(tmp_path, small, large, blobs={"c": b"{}", "s": b"s", "l": b"l"})
    folder = view.path_of(small)
    assert folder == view.path_of(large)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "large.bin", "small.bin"]
    revisions = ("main", "v2", COMMIT)
    answers = ask(
        view, *(("snapshot_download", {"repo_id": "org/name", "revision": r}) for r in revisions)
    )
    assert answers == [str(folder)] * 3


def test_two_commits_of_one_repository_stand_side_by_side(tmp_path: Path) -> None:
    one = locked("one", {"a": b"1"}, ref="v1")
    two = locked("two", {"a": b"2"}, revision=OTHER_COMMIT, ref="v2")
    view = shown(tmp_path, two, one, blobs={"1": b"1", "2": b"2"})
    revisions = ("main", "v1", COMMIT, "v2", OTHER_COMMIT)
    answers = ask(
        view, *(("snapshot_download", {"repo_id": "org/name", "revision": r}) for r in revisions)
    )
    assert answers == [str(view.path_of(one))] * 3 + [str(view.path_of(two))] * 2
    assert (view.path_of(two) / "a").read_bytes() == b"2"


def test_bytes_from_elsewhere_are_shown_as_the_repository_that_is_named(tmp_path: Path) -> None:
    model = locked(source="file:x", revision="", ref="", layout="huggingface:org/shown")
    view = shown(tmp_path, model)
    assert view.path_of(model).name == model.identity.hex[:40]
    asked = {"repo_id": "org/shown", "filename": "config.json"}
    answers = ask(
        view,
        ("hf_hub_download", asked),
        ("snapshot_download", {"repo_id": "org/shown", "revision": model.identity.hex[:40]}),
    )
    assert answers == [str(view.path_of(model) / "config.json"), str(view.path_of(model))]


@pytest.mark.parametrize(
    ("source", "layout", "home"),
    [
        ("hf:gpt2", "huggingface", "hub/models--gpt2"),
        ("hf:org/name", "huggingface", "hub/models--org--name"),
        ("hf:spaces/org/name", "huggingface", "hub/spaces--org--name"),
        ("hf:org/name", "huggingface:my/copy", "hub/models--my--copy"),
        ("pypi:x", "huggingface:datasets/my/data", "hub/datasets--my--data"),
    ],
)
def test_a_repository_has_the_folder_that_clients_expect(
    source: str, layout: str, home: str
) -> None:
    assert LAYOUT.folder(locked(source=source, layout=layout)) == f"{home}/snapshots/{COMMIT}"


def test_a_source_that_is_no_repository_needs_a_name() -> None:
    with pytest.raises(InvalidValue, match="huggingface:org/name"):
        LAYOUT.place([locked(source="https://host/x")])


def test_a_ref_holds_exactly_forty_characters() -> None:
    placements = LAYOUT.place([locked(ref="v1/rc")])
    refs = {p.path: p.content for p in placements if "/refs/" in p.path}
    assert refs == {
        "hub/models--org--name/refs/main": COMMIT.encode(),
        "hub/models--org--name/refs/v1/rc": COMMIT.encode(),
    }


def test_a_commit_that_was_asked_for_by_itself_is_no_ref() -> None:
    paths = {placement.path for placement in LAYOUT.place([locked(ref=COMMIT)])}
    assert f"hub/models--org--name/refs/{COMMIT}" not in paths


def test_a_tree_lists_exactly_the_locked_files() -> None:
    (tree,) = (p.content for p in LAYOUT.place([locked()]) if "/trees/" in p.path)
    assert isinstance(tree, bytes)
    data = FILES["onnx/model.bin"]
    whole = json.loads(tree)
    assert whole["format_version"] == 1
    assert list(whole["files"]) == ["config.json", "onnx/model.bin"]
    assert whole["files"]["onnx/model.bin"] == {
        "size": len(data),
        "blob_id": Digest.of(data).hex[:40],
        "lfs_sha256": Digest.of(data).hex,
        "lfs_size": len(data),
    }


def test_two_contents_for_one_path_are_refused_and_never_mixed(tmp_path: Path) -> None:
    one = locked("one", {"a": b"1"}, source="file:x", layout="huggingface:org/name")
    two = locked("two", {"a": b"2"})
    with pytest.raises(UnsafePath, match="one content"):
        plan_view(Tree(tmp_path), [one, two])


@pytest.mark.parametrize("ref", ["../../x", "/etc", "a//b"])
def test_a_ref_that_climbs_out_is_refused(tmp_path: Path, ref: str) -> None:
    with pytest.raises(UnsafePath):
        plan_view(Tree(tmp_path), [locked(ref=ref)])


def test_the_variables_lead_to_the_view_and_keep_everybody_offline(tmp_path: Path) -> None:
    variables = LAYOUT.variables(tmp_path)
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "SENTENCE_TRANSFORMERS_HOME"):
        assert variables[name] == str(tmp_path / "hub")
    assert variables["HF_HUB_OFFLINE"] == variables["TRANSFORMERS_OFFLINE"] == "1"
