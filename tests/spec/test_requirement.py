# SPDX-License-Identifier: Apache-2.0
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue
from modelkeep.spec.requirement import LayoutChoice, Requirement, check_name, default_layout
from modelkeep.spec.uri import SourceUri

HUB = SourceUri.parse("hf:org/name@main")
PAT = Requirement("pat", (HUB,))


@pytest.mark.parametrize("name", ["a", "A1", "0", "pat-v1.2_x", "a" * 128])
def test_a_name_that_fits_everywhere_is_itself(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "-a", "_a", "a b", "a/b", "a\\b", "a..b", "a\n", "ä", "a:b", "a" * 129]
)
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="name"):
        check_name(name)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "huggingface",
        "huggingface:name",
        "huggingface:org/name",
        "huggingface:datasets/org/name",
        "x:spaces/a/b",
    ],
)
def test_a_layout_reads_back_as_itself(text: str) -> None:
    assert str(LayoutChoice.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", ":", ":a", "x:", "x:a/b/c", "x:../b", "x:a/..", "x:a b", "x:/a", "x:a/", "x:ä/b"]
)
def test_a_layout_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="layout"):
        LayoutChoice.parse(text)


@given(st.text())
def test_any_text_is_a_layout_or_a_typed_error(text: str) -> None:
    with suppress(InvalidValue):
        assert str(LayoutChoice.parse(text)) == text


@pytest.mark.parametrize(
    "change",
    [
        {"sources": (SourceUri.parse("hf:org/name@v2"),)},
        {"sources": (HUB, HUB)},
        {"revision": "main"},
        {"digest": Digest.of(b"")},
        {"files": ("*.json",)},
        {"exclude": ("*.json",)},
        {"layout": LayoutChoice("huggingface")},
        {"allow_pickle": True},
        {"allow_code": True},
    ],
)
def test_what_decides_the_bytes_is_in_the_wish(change: dict[str, Any]) -> None:
    assert replace(PAT, **change).wish != PAT.wish


@pytest.mark.parametrize(
    "change",
    [
        {"name": "tap"},
        {"loader": "onnx"},
        {"device": "cuda:0"},
        {"options": {"threads": 1}},
        {"priority": "lazy"},
        {"fallback": "tap"},
        {"enabled": False},
        {"metadata": {"team": "x"}},
    ],
)
def test_how_a_model_is_run_needs_no_new_lock(change: dict[str, Any]) -> None:
    assert replace(PAT, **change).wish == PAT.wish


def test_what_comes_from_the_hub_first_is_shown_as_the_hub_does() -> None:
    other = SourceUri.parse("file:x")
    assert default_layout((HUB, other)).name == "huggingface"
    assert default_layout((other, HUB)).name == "plain"
    assert default_layout(()).name == "plain"


def test_a_model_without_sources_has_no_files() -> None:
    assert PAT.has_files
    assert not Requirement("mock", ()).has_files
