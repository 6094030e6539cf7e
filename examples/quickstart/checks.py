# SPDX-License-Identifier: Apache-2.0
"""Is an answer the expected one? Values in, findings out.

`expected.toml` says what the models answered when they were asked directly, in one
process and without a server.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Segments = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Finding:
    """One comparison: of what, what was expected, what came, and whether that is right."""

    what: str
    expected: str
    got: str
    right: bool

    def __str__(self) -> str:
        if self.right:
            return f"ok     {self.what}: {self.got}"
        return f"WRONG  {self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True)
class Reading:
    """A picture, the lines in it, and the least score that each must reach."""

    file: str
    text: tuple[str, ...]
    min_score: float


@dataclass(frozen=True)
class Speech:
    """A recording, the stretches of speech in it, and how far a limit may be off."""

    file: str
    segments_s: tuple[tuple[float, float], ...]
    tolerance_s: float


@dataclass(frozen=True)
class Pair:
    """Two sentences and the cosine of the angle between their vectors."""

    first: str
    second: str
    cosine: float


@dataclass(frozen=True)
class Sentences:
    """Pairs of sentences, the most similar first, and how far a cosine may be off."""

    pairs: tuple[Pair, ...]
    tolerance: float

    @property
    def texts(self) -> list[str]:
        """Every sentence once, in order of appearance."""
        both = (text for pair in self.pairs for text in (pair.first, pair.second))
        return list(dict.fromkeys(both))


@dataclass(frozen=True)
class Expected:
    """What the four models answer; file types by file."""

    file_types: Mapping[str, str]
    reading: Reading
    speech: Speech
    sentences: Sentences

    @classmethod
    def parse(cls, text: str) -> Expected:
        """Read an `expected.toml`."""
        table: dict[str, Any] = tomllib.loads(text)
        reading, speech, sentences = table["reading"], table["speech"], table["sentences"]
        return cls(
            file_types=dict(table["file_types"]),
            reading=Reading(reading["file"], tuple(reading["text"]), reading["min_score"]),
            speech=Speech(
                speech["file"],
                tuple((start_s, end_s) for start_s, end_s in speech["segments_s"]),
                speech["tolerance_s"],
            ),
            sentences=Sentences(
                tuple(Pair(**pair) for pair in sentences["pairs"]), sentences["tolerance"]
            ),
        )


def check_file_types(expected: Mapping[str, str], labels: Mapping[str, str]) -> list[Finding]:
    """Every file has its label, exactly."""
    return [
        Finding(file, label, labels.get(file, "nothing"), labels.get(file) == label)
        for file, label in expected.items()
    ]


def check_reading(expected: Reading, text: Sequence[str], scores: Sequence[float]) -> list[Finding]:
    """Every line is read exactly and surely, and no other is found."""
    lowest = min(scores, default=0.0)
    return [
        Finding("text", _quoted(expected.text), _quoted(text), tuple(text) == expected.text),
        Finding(
            "lowest score",
            f"at least {expected.min_score}",
            f"{lowest:.3f}",
            lowest >= expected.min_score,
        ),
    ]


def check_speech(what: str, expected: Segments, segments: Segments, tolerance_s: float) -> Finding:
    """As many stretches as expected, and each begins and ends where it should."""
    # In thousandths, since 0.75 - 0.6 is a little more than 0.15 in binary.
    near = len(expected) == len(segments) and all(
        round(1000 * abs(right_s - got_s)) <= round(1000 * tolerance_s)
        for right, got in zip(expected, segments, strict=True)
        for right_s, got_s in zip(right, got, strict=True)
    )
    return Finding(what, _spans(expected), _spans(segments), near)


def cosines(pairs: Sequence[Pair], texts: Sequence[str], rows: NDArray[np.float32]) -> list[float]:
    """The cosine of each pair, from one vector per text."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = dict(zip(texts, rows / lengths, strict=True))
    return [float(unit[pair.first] @ unit[pair.second]) for pair in pairs]


def check_sentences(expected: Sentences, got: Sequence[float]) -> list[Finding]:
    """Every cosine is near the expected one, and the more similar pair is the nearer."""
    findings = [
        Finding(
            f"{pair.first!r} and {pair.second!r}",
            f"{pair.cosine:.4f} within {expected.tolerance}",
            f"{cosine:.4f}",
            abs(pair.cosine - cosine) <= expected.tolerance,
        )
        for pair, cosine in zip(expected.pairs, got, strict=True)
    ]
    falling = all(before > after for before, after in pairwise(got))
    order = " > ".join(f"{cosine:.3f}" for cosine in got)
    return [*findings, Finding("order", "the most similar pair first", order, falling)]


def _quoted(lines: Sequence[str]) -> str:
    return " / ".join(lines) or "no text"


def _spans(segments: Segments) -> str:
    spans = (f"{start_s:.2f}-{end_s:.2f} s" for start_s, end_s in segments)
    return ", ".join(spans) or "no speech"
