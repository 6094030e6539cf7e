# SPDX-License-Identifier: Apache-2.0
"""Sentences: one vector per text, near for texts that mean the same.

all-MiniLM-L6-v2 (Sentence-BERT: Reimers and Gurevych 2019) over memory-mapped weights:
tokenise, encode, take the mean over the tokens, scale to length one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from quickstart_models.bert import Encoder, Floats, Ints, Shape
from quickstart_models.weights import map_tensors

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def mean_over_tokens(hidden: Floats, mask: Ints) -> Floats:
    """Mean of each text's token vectors; padding does not count.

    Args:
        hidden: Shape [texts, tokens, width].
        mask: 1 for a token, 0 for padding, shape [texts, tokens].

    Returns:
        Shape [texts, width].
    """
    weights = mask[..., None].astype(np.float32)
    return np.asarray((hidden * weights).sum(axis=1) / weights.sum(axis=1), np.float32)


def _check_pipeline(folder: Path) -> None:
    """Refuse a folder whose texts are not averaged and scaled to length one."""
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    kinds = [module["type"].rpartition(".")[2] for module in modules]
    if kinds != ["Transformer", "Pooling", "Normalize"]:
        raise ValueError(
            f"modules.json: expected Transformer, Pooling, Normalize, got {', '.join(kinds)}"
        )
    pooling = json.loads((folder / modules[1]["path"] / "config.json").read_text("utf-8"))
    chosen = sorted(key for key, on in pooling.items() if key.startswith("pooling_mode") and on)
    if chosen != ["pooling_mode_mean_tokens"]:
        raise ValueError(f"pooling: expected pooling_mode_mean_tokens, got {', '.join(chosen)}")


def _open_tokenizer(folder: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # The file carries settings for training, a fixed length of 128; the model's own
    # limit stands elsewhere, and a batch need only be as long as its longest text.
    limits = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))
    tokenizer.enable_truncation(int(limits["max_seq_length"]))
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id("[PAD]"), pad_token="[PAD]")
    return tokenizer


def _text(data: bytes, index: int) -> str:
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"text {index}: expected UTF-8, got the byte {data[error.start]:#04x} "
            f"at position {error.start}"
        ) from error


class SentenceEncoder:
    """all-MiniLM-L6-v2 behind modelkeep's contract for Python loaders."""

    inputs: ClassVar = [("text", "BYTES", [-1])]
    outputs: ClassVar = [("embedding", "FP32", [-1, 384])]

    def __init__(self, *, batch_size: int = 32) -> None:
        """Keep the options.

        Args:
            batch_size: Texts that are encoded together; bounds the memory of one request.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        self._batch_size = batch_size
        self._tokenizer: Tokenizer | None = None
        self._encoder: Encoder | None = None
        self._width = 0

    def load(self, folder: Path) -> None:
        """Map the weights and open the tokenizer."""
        _check_pipeline(folder)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        self._tokenizer = _open_tokenizer(folder)
        self._encoder = Encoder(map_tensors(folder / "model.safetensors"), Shape.parse(config))
        self._width = int(config["hidden_size"])

    def predict(self, inputs: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Encode texts; longer ones than the model's limit are cut short."""
        texts = [_text(bytes(one), index) for index, one in enumerate(inputs["text"].reshape(-1))]
        embedding = np.zeros((len(texts), self._width), np.float32)
        # Texts of like length share a batch, so that little padding is computed.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), self._batch_size):
            chosen = order[start : start + self._batch_size]
            embedding[chosen] = self._encode([texts[index] for index in chosen])
        return {"embedding": embedding}

    def _encode(self, texts: list[str]) -> Floats:
        if self._tokenizer is None or self._encoder is None:
            raise RuntimeError("sentences: expected a loaded model, got predict before load")
        rows = self._tokenizer.encode_batch(texts)
        ids = np.array([row.ids for row in rows], np.int64)
        mask = np.array([row.attention_mask for row in rows], np.int64)
        mean = mean_over_tokens(self._encoder(ids, mask), mask)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), np.float32)

    def close(self) -> None:
        """Let the weights and the tokenizer go."""
        self._encoder = None
        self._tokenizer = None
