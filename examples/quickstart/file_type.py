# SPDX-License-Identifier: Apache-2.0
"""File types by Magika: the bytes before its network, and the label behind it.

The network sees the two ends of a file, without the white space around it
(https://securityresearch.google/magika/, model standard_v3_3); its `config.min.json`
says how much of them, and how sure it must be of each label.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileType:
    """A label such as `python`, and how sure the network is of it (0 to 1)."""

    label: str
    score: float


@dataclass(frozen=True)
class Rules:
    """What `config.min.json` says.

    Attributes:
        labels: The label of each class.
        begin_size: Bytes seen from the beginning.
        end_size: Bytes seen from the end.
        block_size: Bytes from each end that white space is stripped from.
        padding: The value that stands for "no byte".
        min_size: Files with fewer bytes are not shown to the network.
        min_score: Confidence that a label needs, where `min_scores` names no other.
        min_scores: Confidence that certain labels need.
        renamed: Labels that are reported under another name.
    """

    labels: tuple[str, ...]
    begin_size: int
    end_size: int
    block_size: int
    padding: int
    min_size: int
    min_score: float
    min_scores: Mapping[str, float]
    renamed: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Rules:
        """Read a `config.min.json`.

        Raises:
            ValueError: The configuration is of a kind that this file does not understand.
        """
        config = json.loads(text)
        if config["mid_size"] or config["use_inputs_at_offsets"]:
            raise ValueError(
                f"magika: expected features from both ends only, got mid_size "
                f"{config['mid_size']}, use_inputs_at_offsets {config['use_inputs_at_offsets']}"
            )
        return cls(
            labels=tuple(config["target_labels_space"]),
            begin_size=config["beg_size"],
            end_size=config["end_size"],
            block_size=config["block_size"],
            padding=config["padding_token"],
            min_size=config["min_file_size_for_dl"],
            min_score=config["medium_confidence_threshold"],
            min_scores=config["thresholds"],
            renamed=config["overwrite_map"],
        )

    @classmethod
    def read(cls, folder: Path) -> Rules:
        """Read the rules from the model's folder."""
        return cls.parse((folder / "config.min.json").read_text("utf-8"))


def features(data: bytes, rules: Rules) -> NDArray[np.int32]:
    """The row of numbers that the network sees of a file.

    The beginning stands at the left of its half and the end at the right of its own; what
    a short file leaves free between them is padding.

    Returns:
        Shape [begin_size + end_size], each a byte or the padding.
    """
    row = np.full(rules.begin_size + rules.end_size, rules.padding, np.int32)
    # bytes.lstrip and rstrip take ASCII white space, which is what the network learned on.
    begin = data[: rules.block_size].lstrip()[: rules.begin_size]
    end = data[-rules.block_size :].rstrip()[-rules.end_size :]
    row[: len(begin)] = np.frombuffer(begin, np.uint8)
    row[len(row) - len(end) :] = np.frombuffer(end, np.uint8)
    return row


def _plain(data: bytes, rules: Rules) -> str:
    """`txt` or `unknown`: all that can be said without the network."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # A block that is cut out of a longer file may end in the middle of a character.
        decoder.decode(data[: rules.block_size], final=len(data) <= rules.block_size)
    except UnicodeDecodeError:
        return "unknown"
    return "txt"


def without_network(data: bytes, rules: Rules) -> FileType | None:
    """The type of a file that is empty or too short for the network, else None."""
    if not data:
        return FileType("empty", 1.0)
    if len(data[: rules.block_size].lstrip()) < rules.min_size:
        return FileType(_plain(data, rules), 1.0)
    return None


def from_scores(scores: Sequence[float], data: bytes, rules: Rules) -> FileType:
    """The type of a file that the network has seen.

    Args:
        scores: One per class, each between 0 and 1.
        data: The file; if the network is not sure, it is called text if it reads as text.
        rules: What `config.min.json` says.

    Raises:
        ValueError: There is not one score per label.
    """
    if len(scores) != len(rules.labels):
        raise ValueError(
            f"magika: expected {len(rules.labels)} scores, one per label, got {len(scores)}"
        )
    best = int(np.argmax(scores))
    label, score = rules.labels[best], float(scores[best])
    if score >= rules.min_scores.get(label, rules.min_score):
        return FileType(rules.renamed.get(label, label), score)
    return FileType(_plain(data, rules), score)
