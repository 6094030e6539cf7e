# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelkeep import loaders
from modelkeep.loaders.base import LoadSpec
from modelkeep.spec.errors import BadInput, ForbiddenFormat, LoadFailed, MissingExtra
from modelkeep.spec.tensor import TensorSpec

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "mat", "##s"]
TEXTS = ["the cat sat", "the mat", "cats on the mats sat on the cat"]
installed = importlib.util.find_spec("sentence_transformers") is not None


def spec(folder: Path, **options: Any) -> LoadSpec:
    return LoadSpec("m", folder, "sentence-transformers", options=options)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights as sentence-transformers saves it."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    tokenizer = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    words = models.Transformer(str(folder), max_seq_length=16)
    pooling = models.Pooling(32, pooling_mode="mean")
    target = tmp_path_factory.mktemp("saved")
    SentenceTransformer(modules=[words, pooling], device="cpu").save(str(target))
    return target


@pytest.mark.torch
def test_embeddings_are_those_of_the_package_itself(saved: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = loaders.load(spec(saved, batch_size=2))
    assert model.schema.inputs == (TensorSpec("text", "BYTES", (-1,)),)
    assert model.schema.outputs == (TensorSpec("embedding", "FP32", (-1, 32)),)
    expected = SentenceTransformer(str(saved), device="cpu").encode(TEXTS)
    found = model.predict({"text": TEXTS})["embedding"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(found[0], found[1])
    assert model.predict({"text": []})["embedding"].shape == (0, 32)
    assert model.predict({"text": "the cat sat"})["embedding"].shape == (1, 32)
    model.close()


@pytest.mark.torch
def test_its_options_reach_the_package(saved: Path) -> None:
    normal = loaders.load(spec(saved, normalize=True)).predict({"text": TEXTS})["embedding"]
    np.testing.assert_allclose(np.linalg.norm(normal, axis=1), 1, rtol=1e-5)
    short = loaders.load(spec(saved, max_seq_length=3))
    cut = short.predict({"text": ["the cat", "the mat"]})["embedding"]
    np.testing.assert_allclose(cut[0], cut[1], rtol=1e-5)
    plain = loaders.load(spec(saved))
    asked = loaders.load(spec(saved, prompt="the ")).predict({"text": "cat"})["embedding"]
    written = plain.predict({"text": "the cat"})["embedding"]
    np.testing.assert_allclose(asked, written, rtol=1e-5, atol=1e-6)


@pytest.mark.torch
def test_texts_must_be_utf8(saved: Path) -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        loaders.load(spec(saved)).predict({"text": [b"\xff"]})


@pytest.mark.torch
def test_weights_that_torch_pickled_are_refused(saved: Path, tmp_path: Path) -> None:
    import torch

    torch.save({"w": torch.zeros(3)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ForbiddenFormat, match=r"pytorch_model\.bin"):
        loaders.load(spec(tmp_path))
    torch.save({"w": torch.zeros(3)}, tmp_path / "b", _use_new_zipfile_serialization=False)
    with pytest.raises(ForbiddenFormat, match=r"b, pytorch_model\.bin"):
        loaders.load(spec(tmp_path))


@pytest.mark.torch
def test_a_class_that_the_folder_names_is_not_imported(saved: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "named"
    shutil.copytree(saved, folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "antigravity.Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(LoadFailed):
        loaders.load(spec(folder))


def test_pickle_and_code_are_refused_before_anything_is_imported(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(pickle.dumps({"w": 1}, 4))
    with pytest.raises(ForbiddenFormat, match=r"model\.bin"):
        loaders.load(spec(tmp_path))
    (tmp_path / "model.bin").unlink()
    (tmp_path / "modeling.py").write_text("")
    with pytest.raises(ForbiddenFormat, match=r"modeling\.py"):
        loaders.load(spec(tmp_path))


def test_an_unknown_option_is_a_failed_load(tmp_path: Path) -> None:
    with pytest.raises(
        LoadFailed, match="batch_size, max_seq_length, normalize, prompt, got batch"
    ):
        loaders.load(spec(tmp_path, batch=3))


@pytest.mark.skipif(installed, reason="sentence-transformers is installed")
def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    with pytest.raises(MissingExtra) as caught:
        loaders.load(spec(tmp_path))
    assert (caught.value.package, caught.value.extra) == ("sentence-transformers",) * 2


def test_the_weight_is_the_whole_folder(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert loaders.find("sentence-transformers").weigh(spec(tmp_path)) == 2
