# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import numpy as np
import pytest

from file_type import FileType, Rules, features, from_scores, without_network

CONFIG = {
    "beg_size": 6,
    "mid_size": 0,
    "end_size": 4,
    "use_inputs_at_offsets": False,
    "medium_confidence_threshold": 0.5,
    "min_file_size_for_dl": 3,
    "padding_token": 256,
    "block_size": 12,
    "target_labels_space": ["python", "markdown", "randomtxt", "png"],
    "thresholds": {"markdown": 0.75},
    "overwrite_map": {"randomtxt": "txt"},
    "version_major": 3,
}
RULES = Rules.parse(json.dumps(CONFIG))
PAD = 256


def seen(data: bytes) -> tuple[list[int], list[int]]:
    row = features(data, RULES).tolist()
    assert len(row) == RULES.begin_size + RULES.end_size
    return row[: RULES.begin_size], row[RULES.begin_size :]


def row(text: str) -> list[int]:
    """`_` is padding."""
    return [PAD if sign == "_" else ord(sign) for sign in text]


@pytest.mark.parametrize(
    ("data", "begin", "end"),
    [
        (b"abcdefghijkl", "abcdef", "ijkl"),
        (b"abc", "abc___", "_abc"),  # the beginning to the left, the end to the right
        (b"  abc \n", "abc \n_", " abc"),  # each end is stripped on its own side alone
        (b"\t\n\v\f\r abcdef", "abcdef", "cdef"),
        (b"abcdefghijklmnopqrst", "abcdef", "qrst"),
        (b"            abcdefgh", "______", "efgh"),  # a block of white space is no beginning
        (b"abcdefgh            ", "abcdef", "____"),
        (b"", "______", "____"),
    ],
)
def test_both_ends_are_seen_without_white_space(data: bytes, begin: str, end: str) -> None:
    assert seen(data) == (row(begin), row(end))


def test_features_are_whole_numbers_of_32_bits() -> None:
    assert features(b"\x00\xff\x80abc", RULES).dtype == np.int32
    assert seen(b"\x00\xff\x80abc")[0][:3] == [0, 255, 128]


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (b"", "empty"),
        (b"ab", "txt"),
        ("é".encode(), "txt"),
        (b"\xff\xfe", "unknown"),
        (b"   ab", "txt"),  # two bytes are left of it, and three are needed
        (b"   ab ", None),  # white space behind them counts
        (b"       \n  \t  ", "txt"),
        (b"\xff" + b" " * 20, None),
        (b"            abcdefgh", "txt"),  # only white space in the first block
        (b"abc", None),
    ],
)
def test_short_and_blank_files_need_no_network(data: bytes, label: str | None) -> None:
    assert without_network(data, RULES) == (None if label is None else FileType(label, 1.0))


@pytest.mark.parametrize(
    ("scores", "data", "label"),
    [
        ([0.6, 0.2, 0.1, 0.1], b"text", "python"),
        ([0.4, 0.3, 0.2, 0.1], b"text", "txt"),  # not sure enough, and reads as text
        ([0.4, 0.3, 0.2, 0.1], b"\xff\xd8", "unknown"),  # nor as text
        ([0.1, 0.7, 0.1, 0.1], b"# text", "txt"),  # this label asks for more
        ([0.1, 0.8, 0.1, 0.0], b"# text", "markdown"),
        ([0.0, 0.1, 0.9, 0.0], b"asdf", "txt"),  # reported under another name
        ([0.5, 0.5, 0.0, 0.0], b"text", "python"),  # the limit itself is enough
    ],
)
def test_the_best_label_counts_if_the_network_is_sure_of_it(scores, data, label) -> None:
    assert from_scores(scores, data, RULES) == FileType(label, max(scores))


def test_a_character_cut_by_the_block_is_still_text() -> None:
    unsure = [0.3, 0.3, 0.2, 0.2]
    cut = "abcdefghijké and more".encode()
    assert cut[: RULES.block_size][-1] == 0xC3
    assert from_scores(unsure, cut, RULES).label == "txt"
    assert from_scores(unsure, b"abc\xc3", RULES).label == "unknown"


def test_scores_for_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 4 scores, one per label, got 3"):
        from_scores([0.1, 0.2, 0.7], b"", RULES)


@pytest.mark.parametrize("change", [{"mid_size": 8}, {"use_inputs_at_offsets": True}])
def test_a_configuration_of_another_kind_is_refused(change) -> None:
    with pytest.raises(ValueError, match="expected features from both ends only"):
        Rules.parse(json.dumps(CONFIG | change))


def test_the_rules_are_read_from_the_models_folder(tmp_path) -> None:
    (tmp_path / "config.min.json").write_text(json.dumps(CONFIG), "utf-8")
    assert Rules.read(tmp_path) == RULES
