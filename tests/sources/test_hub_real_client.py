# SPDX-License-Identifier: Apache-2.0
"""What huggingface_hub downloads and what we list and open must be the same."""

import os
import subprocess
import sys

import pytest

from modelkeep.sources import find
from modelkeep.spec.uri import SourceUri
from servers.hub import Hub, Repo
from sources.reading import no_archive, read

WEIGHTS = os.urandom(300_000)
FILES = {"config.json": b"{}", "model.safetensors": WEIGHTS, "onnx/model #1.onnx": b"", "e": b""}
REFS = {"main": "a" * 40, "v1": "b" * 40}

DOWNLOAD = """
import sys
from huggingface_hub import HfApi, snapshot_download
for kind, repo in (("model", "org/name"), ("dataset", "org/data")):
    print(snapshot_download(repo, repo_type=kind, revision="v1", cache_dir=sys.argv[1]))
    for row in HfApi().list_repo_tree(repo, repo_type=kind, revision="v1", recursive=True):
        if hasattr(row, "size"):
            print("row", row.path, row.size, row.lfs.sha256 if row.lfs else "-", sep="\\t")
"""


def test_the_real_client_sees_the_same_bytes_tree_and_commit(context, tmp_path):
    pytest.importorskip("huggingface_hub")
    repos = {
        name: Repo(FILES, frozenset({"model.safetensors"}), REFS)
        for name in ("org/name", "datasets/org/data")
    }
    with Hub(repos) as hub:
        compare(find("hf", context(hub=hub.endpoint)), hub, tmp_path)


def compare(source, hub, tmp_path):
    surroundings = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", DOWNLOAD, str(tmp_path / "cache")],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for text in ("hf:org/name@v1", "hf:datasets/org/data@v1"):
        snapshot = lines.pop(0)
        listing = source.list(SourceUri.parse(text), None, no_archive)
        assert os.path.basename(snapshot) == listing.origin.revision
        theirs = []
        while lines and lines[0].startswith("row\t"):
            theirs.append(tuple(lines.pop(0).split("\t")[1:]))
        ours = [
            (file.path, str(file.size_bytes), file.digest.hex if file.digest else "-")
            for file in listing.files
        ]
        assert sorted(ours) == sorted(theirs)
        for file in listing.files:
            with open(os.path.join(snapshot, file.path), "rb") as handle:
                assert read(source.open(listing.origin, file.path, 0)) == handle.read()
