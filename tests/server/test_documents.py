# SPDX-License-Identifier: Apache-2.0
"""JSON bodies are read strictly."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.server.documents import read_document, write_document
from modelkeep.spec.errors import BadInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(JSON)
def test_what_is_written_reads_back_as_it_was(document: object) -> None:
    assert read_document(write_document(document)) == document


@given(st.binary())
def test_any_bytes_are_a_value_or_a_bad_input(body: bytes) -> None:
    with contextlib.suppress(BadInput):
        read_document(body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xff", b"{} {}", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000]
)
def test_what_is_no_json_is_a_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_document(body)


@pytest.mark.parametrize("body", [b'{"a": 1, "b": 2, "a": 1}', b'[{"x": {"a": 1, "a": 2}}]'])
def test_a_key_that_stands_twice_in_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput, match="'a' twice"):
        read_document(body)


def test_the_words_that_python_writes_for_odd_floats_are_read() -> None:
    got = read_document(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(got[0])
    assert got[1:] == [math.inf, -math.inf]


def test_odd_floats_are_never_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_document([math.nan])


def test_text_stays_readable_and_half_surrogates_are_escaped() -> None:
    assert write_document("Zürich") == '"Zürich"'.encode()
    assert json.loads(write_document("\ud800")) == "\ud800"
