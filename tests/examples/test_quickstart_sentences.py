# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from quickstart_models.bert import Encoder, Shape, erf, gelu, softmax
from quickstart_models.sentences import SentenceEncoder, mean_over_tokens
from quickstart_models.weights import map_tensors

WIDTH, INNER, HEADS, LAYERS, LONGEST = 16, 32, 4, 2, 8
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sleeps", "runs", "far", "away"]
CONFIG = {
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "layer_norm_eps": 1e-12,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "position_embedding_type": "absolute",
}


def random_tensors() -> dict[str, np.ndarray]:
    chance = np.random.default_rng(7)

    def some(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.5, shape).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": some(len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": some(LONGEST, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.position_ids": np.arange(LONGEST, dtype=np.int64)[None],
    }
    norms, dense = ["embeddings.LayerNorm"], []
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            dense.append((f"{layer}.attention.{part}", WIDTH, WIDTH))
        dense.append((f"{layer}.intermediate.dense", INNER, WIDTH))
        dense.append((f"{layer}.output.dense", WIDTH, INNER))
    for name in norms:
        tensors |= {f"{name}.weight": 1 + some(WIDTH) / 5, f"{name}.bias": some(WIDTH)}
    for name, out, into in dense:
        tensors |= {f"{name}.weight": some(out, into), f"{name}.bias": some(out)}
    return tensors


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # As published files do: settings of the training, which must not decide.
    made.enable_padding(length=5)
    made.enable_truncation(3)
    return made


def write_model(folder: Path) -> Path:
    save_file(random_tensors(), folder / "model.safetensors")
    tokenizer().save(str(folder / "tokenizer.json"))
    kinds = ["Transformer", "Pooling", "Normalize"]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"path": path, "type": f"sentence_transformers.models.{kind}"}
        for kind, path in zip(kinds, paths, strict=True)
    ]
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    for name, content in (
        ("config.json", CONFIG),
        ("modules.json", modules),
        ("sentence_bert_config.json", {"max_seq_length": LONGEST, "do_lower_case": False}),
        ("1_Pooling/config.json", {"word_embedding_dimension": WIDTH, **pooling}),
    ):
        (folder / name).write_text(json.dumps(content), "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path)


@pytest.fixture(scope="module")
def embed(tmp_path_factory, one):
    model = SentenceEncoder(batch_size=2)
    model.load(write_model(tmp_path_factory.mktemp("tiny")))

    def ask(*texts: str) -> np.ndarray:
        return model.predict({"text": one(*(text.encode() for text in texts))})["embedding"]

    yield ask
    model.close()


def attend(
    query: list[np.ndarray], key: list[np.ndarray], value: list[np.ndarray]
) -> list[np.ndarray]:
    """Self-attention of one layer, one token and one head at a time."""
    size = WIDTH // HEADS
    found = [np.zeros(WIDTH) for _ in query]
    for place, asked in enumerate(query):
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            powers = [math.exp(asked[part] @ k[part] / math.sqrt(size)) for k in key]
            for power, v in zip(powers, value, strict=True):
                found[place][part] += power / sum(powers) * v[part]
    return found


def by_hand(ids: list[int]) -> np.ndarray:
    """The encoder once more, token by token, in double precision."""
    table = {name: tensor.astype(np.float64) for name, tensor in random_tensors().items()}

    def norm(name: str, row: np.ndarray) -> np.ndarray:
        scaled = (row - np.mean(row)) / math.sqrt(np.var(row) + CONFIG["layer_norm_eps"])
        return scaled * table[f"{name}.weight"] + table[f"{name}.bias"]

    def dense(name: str, row: np.ndarray) -> np.ndarray:
        return table[f"{name}.weight"] @ row + table[f"{name}.bias"]

    rows = [
        norm(
            "embeddings.LayerNorm",
            table["embeddings.word_embeddings.weight"][token]
            + table["embeddings.position_embeddings.weight"][place]
            + table["embeddings.token_type_embeddings.weight"][0],
        )
        for place, token in enumerate(ids)
    ]
    for index in range(LAYERS):
        layer = f"encoder.layer.{index}"
        query, key, value = (
            [dense(f"{layer}.attention.self.{part}", row) for row in rows]
            for part in ("query", "key", "value")
        )
        after = []
        for row, mixed in zip(rows, attend(query, key, value), strict=True):
            mixed = dense(f"{layer}.attention.output.dense", mixed)
            row = norm(f"{layer}.attention.output.LayerNorm", row + mixed)
            inner = dense(f"{layer}.intermediate.dense", row)
            inner = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in inner])
            outer = dense(f"{layer}.output.dense", inner)
            after.append(norm(f"{layer}.output.LayerNorm", row + outer))
        rows = after
    return np.array(rows)


def test_the_error_function_is_right_to_a_millionth() -> None:
    x = np.concatenate([np.linspace(-6, 6, 20_001), [0.0, 30.0, -30.0]]).astype(np.float32)
    exact = np.array([math.erf(one) for one in x.tolist()])
    assert erf(x).dtype == np.float32
    assert np.abs(erf(x) - exact).max() < 5e-7


def test_gelu_is_the_exact_one() -> None:
    x = np.array([-3, -1, 0, 0.5, 2], np.float32)
    exact = [one * (1 + math.erf(one / math.sqrt(2))) / 2 for one in x.tolist()]
    assert gelu(x) == pytest.approx(exact, abs=1e-6)


def test_softmax_sums_to_one_and_bears_large_numbers() -> None:
    found = softmax(np.array([[1e4, 1e4, -3e38]], np.float32))
    assert found.tolist() == [[0.5, 0.5, 0.0]]


def test_the_encoder_computes_what_the_paper_says() -> None:
    ids = [2, 4, 5, 7, 3]
    encoder = Encoder(random_tensors(), Shape.parse(CONFIG))
    found = encoder(np.array([ids]), np.ones((1, len(ids)), np.int64))
    assert found.dtype == np.float32
    assert found[0] == pytest.approx(by_hand(ids), abs=2e-5)


def test_what_stands_in_the_padding_changes_nothing() -> None:
    encoder = Encoder(random_tensors(), Shape.parse(CONFIG))
    ids = np.array([[2, 4, 5, 3, 0, 0], [2, 4, 5, 3, 9, 6]])
    mask = np.array([[1, 1, 1, 1, 0, 0]] * 2)
    hidden = encoder(ids, mask)
    assert hidden[0, :4] == pytest.approx(hidden[1, :4], abs=1e-6)
    alone = encoder(ids[:1, :4], mask[:1, :4])
    assert hidden[0, :4] == pytest.approx(alone[0], abs=1e-5)


def test_the_mean_leaves_the_padding_out() -> None:
    hidden = np.array([[[1, 2], [3, 4], [100, 100]]], np.float32)
    assert mean_over_tokens(hidden, np.array([[1, 1, 0]])).tolist() == [[2, 3]]


def test_every_row_has_length_one(embed) -> None:
    rows = embed("the cat sleeps", "", "a dog nobody knows")
    assert rows.shape == (3, WIDTH)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_batch_gives_what_each_text_gives_alone(embed) -> None:
    texts = ["the cat sleeps", "dog", "the dog runs far away", "far", ""]
    together = embed(*texts)
    for text, row in zip(texts, together, strict=True):
        assert row == pytest.approx(embed(text)[0], abs=1e-5)


def test_the_rows_come_in_the_order_of_the_texts(embed) -> None:
    forth, back = embed("dog", "the dog runs far"), embed("the dog runs far", "dog")
    assert forth == pytest.approx(back[::-1], abs=1e-5)
    assert np.abs(forth[0] - forth[1]).max() > 0.01


def test_no_text_gives_no_row(embed) -> None:
    assert embed().shape == (0, WIDTH)


def test_long_texts_are_cut_where_the_model_says_and_not_the_tokenizer(embed) -> None:
    six = "the cat sleeps far away the"
    assert embed(f"{six} dog runs") == pytest.approx(embed(six), abs=1e-6)
    assert np.abs(embed("the cat sleeps far away dog") - embed(six)).max() > 1e-3


def test_what_is_no_utf8_is_refused_with_its_place(folder, one) -> None:
    model = SentenceEncoder()
    model.load(folder)
    with pytest.raises(ValueError, match="text 1: expected UTF-8, got the byte 0xff at position 3"):
        model.predict({"text": one(b"cat", b"dog\xff")})


def test_a_model_that_is_not_loaded_says_so(one) -> None:
    with pytest.raises(RuntimeError, match="predict before load"):
        SentenceEncoder().predict({"text": one(b"cat")})


@pytest.mark.parametrize(
    ("file", "key", "value", "told"),
    [
        ("config.json", "hidden_act", "relu", "hidden_act: expected 'gelu', got 'relu'"),
        ("config.json", "position_embedding_type", "relative_key", "expected 'absolute'"),
        ("1_Pooling/config.json", "pooling_mode_cls_token", True, "pooling: expected"),
    ],
)
def test_a_model_of_another_kind_is_refused(folder, file, key, value, told) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")
    with pytest.raises(ValueError, match=told):
        SentenceEncoder().load(folder)


def test_a_model_that_is_not_scaled_to_length_one_is_refused(folder) -> None:
    path = folder / "modules.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8"))[:2]), "utf-8")
    with pytest.raises(ValueError, match="Normalize, got Transformer, Pooling"):
        SentenceEncoder().load(folder)


def test_mapped_tensors_equal_the_saved_ones_and_cannot_be_written(folder) -> None:
    saved, mapped = random_tensors(), map_tensors(folder / "model.safetensors")
    assert set(mapped) == set(saved)
    for name, tensor in saved.items():
        assert (mapped[name] == tensor).all()
        assert mapped[name].dtype == tensor.dtype
        assert not mapped[name].flags.writeable


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff" * 16, "expected a safetensors header within 16 bytes"),
        (b"\x00" * 16, "expected a safetensors header within 16 bytes, got one that ends at 8"),
        (b"PK\x03\x04" * 8, "expected a safetensors header"),
    ],
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, content, told) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=told):
        map_tensors(path)


def test_a_type_that_is_not_understood_is_named(tmp_path) -> None:
    save_file({"half": np.zeros(2, np.float16)}, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="tensor half: expected one of F32, I64, got F16"):
        map_tensors(tmp_path / "m.safetensors")
