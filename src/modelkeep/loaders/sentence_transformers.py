# SPDX-License-Identifier: Apache-2.0
"""Texts to vectors by the package sentence-transformers, from local files only.

Options: ``batch_size`` (texts computed together, 32 where absent),
``max_seq_length`` (tokens that are read of a text), ``normalize`` (scale each
vector to length one), ``prompt`` (put before each text). Source: Reimers and
Gurevych 2019, Sentence-BERT.
"""

from __future__ import annotations

from typing import Any

from modelkeep.loaders import formats, options
from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.spec.errors import LoadFailed, MissingExtra
from modelkeep.spec.tensor import Schema, TensorSpec


class SentenceTransformersLoader:
    """Loads a folder that sentence-transformers has saved."""

    def weigh(self, spec: LoadSpec) -> int:
        """Bytes of the whole folder."""
        return formats.size_of(spec.folder)

    def load(self, spec: LoadSpec) -> SentenceModel:
        """Load the modules of the folder.

        Raises:
            ForbiddenFormat: pickle or Python code without permission.
            MissingExtra: the package is not installed.
            LoadFailed: an unknown option, or a folder that gives no vectors.
        """
        options.check_known(spec, ("batch_size", "max_seq_length", "normalize", "prompt"))
        formats.check_allowed(spec)
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            extra = "sentence-transformers"
            raise MissingExtra(f"loader {spec.loader}", extra, extra) from error
        encoder = SentenceTransformer(
            str(spec.folder),
            device=spec.device or "cpu",
            trust_remote_code=spec.allow_code,
            local_files_only=True,
        )
        limit = options.count(spec, "max_seq_length")
        if limit is not None:
            encoder.max_seq_length = limit
        return SentenceModel(spec, encoder)


class SentenceModel:
    """A loaded encoder: input ``text``, output ``embedding``."""

    def __init__(self, spec: LoadSpec, encoder: Any) -> None:
        self._encoder = encoder
        self._batch_size = options.count(spec, "batch_size") or 32
        self._normalize = options.flag(spec, "normalize")
        self._prompt = options.text(spec, "prompt")
        # The first name is the newer one; both say the same.
        measure = getattr(encoder, "get_embedding_dimension", None)
        width = (measure or encoder.get_sentence_embedding_dimension)()
        if not isinstance(width, int):
            raise LoadFailed(f"model {spec.name}", "vectors of a fixed length", repr(width))
        self.schema = Schema(
            (TensorSpec("text", "BYTES", (-1,)),),
            (TensorSpec("embedding", "FP32", (-1, width)),),
            "sentence_transformers",
        )

    def predict(self, inputs: Values) -> Values:
        """Encode texts.

        Raises:
            BadInput: no input ``text``, or one that is not UTF-8.
        """
        import numpy as np

        from modelkeep.loaders import values

        given = values.inputs_of(inputs, self.schema.inputs)["text"]
        texts = values.texts_of(given, "text").tolist()
        if not texts:
            return {"embedding": np.zeros((0, self.schema.outputs[0].shape[1]), np.float32)}
        embedding = self._encoder.encode(
            texts,
            batch_size=self._batch_size,
            normalize_embeddings=self._normalize,
            prompt=self._prompt,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return {"embedding": np.asarray(embedding, np.float32)}

    def close(self) -> None:
        """Let the encoder go."""
        self._encoder = None
