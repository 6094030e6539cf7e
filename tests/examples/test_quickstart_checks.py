# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from checks import (
    Expected,
    Finding,
    Pair,
    Reading,
    Sentences,
    check_file_types,
    check_reading,
    check_sentences,
    check_speech,
    cosines,
)

READING = Reading("sign.png", ("one", "two"), 0.9)
PAIRS = (Pair("a", "b", 0.7), Pair("a", "c", 0.1))


def right(findings: list[Finding]) -> list[bool]:
    return [finding.right for finding in findings]


def test_a_label_is_right_only_if_it_is_the_same() -> None:
    found = check_file_types({"a": "png", "b": "json", "c": "wav"}, {"a": "png", "b": "jsonl"})
    assert right(found) == [True, False, False]
    assert str(found[0]) == "ok     a: png"
    assert str(found[1]) == "WRONG  b: expected json, got jsonl"
    assert found[2].got == "nothing"


@pytest.mark.parametrize(
    ("text", "scores", "expected"),
    [
        (["one", "two"], [0.9, 0.95], [True, True]),
        (["one", "two"], [0.95, 0.89], [True, False]),
        (["two", "one"], [0.99, 0.99], [False, True]),
        (["one", "two", "three"], [0.99, 0.99, 0.99], [False, True]),
        ([], [], [False, False]),
    ],
)
def test_text_is_right_to_the_letter_and_sure(text, scores, expected) -> None:
    assert right(check_reading(READING, text, scores)) == expected


@pytest.mark.parametrize(
    ("segments", "is_right"),
    [
        ([(0.6, 2.0), (3.0, 4.0)], True),
        ([(0.75, 1.85), (3.15, 4.15)], True),
        ([(0.76, 2.0), (3.0, 4.0)], False),
        ([(0.6, 2.0), (3.0, 4.2)], False),
        ([(0.6, 4.0)], False),
        ([], False),
    ],
)
def test_speech_is_right_within_its_tolerance(segments, is_right) -> None:
    assert check_speech("a.wav", [(0.6, 2.0), (3.0, 4.0)], segments, 0.15).right is is_right


def test_silence_must_stay_silent() -> None:
    assert check_speech("a.wav", (), [], 0.15).right
    heard = check_speech("a.wav", (), [(0.1, 0.5)], 0.15)
    assert str(heard) == "WRONG  a.wav: expected no speech, got 0.10-0.50 s"


def test_a_cosine_does_not_depend_on_length() -> None:
    rows = np.array([[3, 0], [5, 5], [0, 2]], np.float32)
    assert cosines(PAIRS, ["a", "b", "c"], rows) == pytest.approx([0.5**0.5, 0.0])


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ([0.7005, 0.0995], [True, True, True]),
        ([0.72, 0.1], [False, True, True]),
        ([0.1, 0.7], [False, False, False]),
        ([0.7, float("nan")], [True, False, False]),
    ],
)
def test_cosines_are_right_near_the_expected_and_in_order(got, expected) -> None:
    assert right(check_sentences(Sentences(PAIRS, 0.001), got)) == expected


def test_every_sentence_is_asked_once() -> None:
    assert Sentences(PAIRS, 0.001).texts == ["a", "b", "c"]


def test_the_examples_own_expectations_are_whole(quickstart) -> None:
    expected = Expected.parse((quickstart / "expected.toml").read_text("utf-8"))
    files = [*expected.file_types, expected.reading.file, expected.speech.file]
    assert [file for file in files if not (quickstart / file).is_file()] == []
    assert {"python", "json", "markdown", "png", "wav"} <= set(expected.file_types.values())
    falling = [pair.cosine for pair in expected.sentences.pairs]
    assert falling == sorted(falling, reverse=True)
    assert all(start_s < end_s for start_s, end_s in expected.speech.segments_s)
