# SPDX-License-Identifier: Apache-2.0
"""The BERT encoder in plain numpy.

Devlin et al. 2018, as the published checkpoints name its parts: embeddings, then layers
of self-attention and a feed-forward block, each with a residual and a normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shape:
    """What `config.json` says of an encoder."""

    layers: int
    heads: int
    epsilon: float

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Shape:
        """Read the fields of a `config.json`.

        Raises:
            ValueError: The encoder is of a kind that this file does not compute.
        """
        for key, understood in (("hidden_act", "gelu"), ("position_embedding_type", "absolute")):
            if config.get(key, understood) != understood:
                raise ValueError(
                    f"config.json: {key}: expected {understood!r}, got {config[key]!r}"
                )
        return cls(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            epsilon=float(config["layer_norm_eps"]),
        )


def erf(x: Floats) -> Floats:
    """The error function, to within 3e-7 in single precision.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
    """
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    return np.asarray(np.copysign(1 - series * np.exp(-size * size), x), np.float32)


def gelu(x: Floats) -> Floats:
    """Gaussian error linear unit in its exact form, not the one with tanh."""
    return x * np.float32(0.5) * (1 + erf(x * np.float32(np.sqrt(0.5))))


def softmax(x: Floats) -> Floats:
    """Over the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


class Encoder:
    """A BERT encoder over named tensors."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], shape: Shape) -> None:
        """Take the tensors by the names of the published checkpoints."""
        self._tensors = tensors
        self._shape = shape

    def __call__(self, ids: Ints, mask: Ints) -> Floats:
        """Encode a batch of padded token rows.

        Args:
            ids: Token numbers, shape [batch, tokens].
            mask: 1 for a token, 0 for padding, same shape.

        Returns:
            Shape [batch, tokens, width]. Rows of padding hold no meaning.
        """
        table = self._tensors
        hidden = np.asarray(
            table["embeddings.word_embeddings.weight"][ids]
            + table["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + table["embeddings.token_type_embeddings.weight"][0],
            np.float32,
        )
        hidden = self._norm("embeddings.LayerNorm", hidden)
        # Padding gets so low a score that its share of attention is exactly zero.
        bias = np.where(mask[:, None, None, :] > 0, 0, np.finfo(np.float32).min)
        for index in range(self._shape.layers):
            hidden = self._layer(f"encoder.layer.{index}", hidden, bias.astype(np.float32))
        return hidden

    def _layer(self, name: str, hidden: Floats, bias: Floats) -> Floats:
        attended = self._attention(f"{name}.attention.self", hidden, bias)
        attended = self._dense(f"{name}.attention.output.dense", attended)
        hidden = self._norm(f"{name}.attention.output.LayerNorm", hidden + attended)
        inner = gelu(self._dense(f"{name}.intermediate.dense", hidden))
        outer = self._dense(f"{name}.output.dense", inner)
        return self._norm(f"{name}.output.LayerNorm", hidden + outer)

    def _attention(self, name: str, hidden: Floats, bias: Floats) -> Floats:
        batch, tokens, width = hidden.shape

        def heads(part: str) -> Floats:
            split = self._dense(f"{name}.{part}", hidden).reshape(
                batch, tokens, self._shape.heads, -1
            )
            return split.transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scale = np.float32(1 / np.sqrt(query.shape[-1]))
        weights = softmax(query @ key.transpose(0, 1, 3, 2) * scale + bias)
        return (weights @ value).transpose(0, 2, 1, 3).reshape(batch, tokens, width)

    def _dense(self, name: str, x: Floats) -> Floats:
        # Weights stand as [out, in].
        product = x @ self._tensors[f"{name}.weight"].T + self._tensors[f"{name}.bias"]
        return np.asarray(product, np.float32)

    def _norm(self, name: str, x: Floats) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self._shape.epsilon)
        scaled = centred / spread * self._tensors[f"{name}.weight"]
        return np.asarray(scaled + self._tensors[f"{name}.bias"], np.float32)
