# SPDX-License-Identifier: Apache-2.0
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.errors import UnsafePath
from modelkeep.spec.path import MAX_PART_BYTES, check_closed, check_path

GOOD = [
    "a",
    "config.json",
    "onnx/model.onnx",
    "...",
    "a..b/c",
    ".gitattributes",
    "with space/ünïcode/日本語.bin",
    "ab:c",
    "1:b",
    "-rf",
    "x" * MAX_PART_BYTES,
    "/".join(["x" * 203] * 5),
]

BAD = [
    ("", "empty path"),
    ("/", "absolute"),
    ("/etc/passwd", "absolute"),
    ("//host/share", "absolute"),
    ("..", "'..' part"),
    (".", "'.' or"),
    ("../a", "'..' part"),
    ("a/../b", "'..' part"),
    ("a/..", "'..' part"),
    ("a/./b", "'.' or"),
    ("a//b", "empty"),
    ("a/", "empty"),
    ("a\\b", "backslash"),
    ("..\\a", "backslash"),
    ("C:/windows", "drive"),
    ("c:a", "drive"),
    ("c:", "drive"),
    ("a\0b", "control"),
    ("a\nb", "control"),
    ("a\x1b[2Jb", "control"),
    ("a\x7fb", "control"),
    ("a\x9bb", "control"),
    ("a\ud800b", "no text"),
    ("x" * (MAX_PART_BYTES + 1), "a part longer"),
    ("ü" * 128, "a part longer"),
    ("/".join(["x" * 205] * 5), "bytes, more than"),
]


@pytest.mark.parametrize("path", GOOD)
def test_a_harmless_path_is_itself(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(("path", "reason"), BAD)
def test_a_harmful_path_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(UnsafePath) as caught:
        check_path(path)
    assert reason in caught.value.got
    assert repr(path) in caught.value.subject


@given(st.text(st.sampled_from("ab./\\:~\0\n\u0085é"), max_size=12))
def test_no_accepted_path_leaves_its_folder(path: str) -> None:
    try:
        check_path(path)
    except UnsafePath:
        return
    parts = PurePosixPath("/root", path).parts
    assert parts[:2] == ("/", "root")
    assert not {"..", "."} & set(parts)
    assert str(PurePosixPath(path)) == path


def test_the_same_path_twice_is_refused() -> None:
    with pytest.raises(UnsafePath, match=r"'a/b'.*the same path twice"):
        check_closed(["x", "a/b", "a/b"])


@pytest.mark.parametrize("paths", [["a", "a/b"], ["a/b/c", "z", "a/b"], ["a/b/c/d", "a"]])
def test_a_file_cannot_also_be_a_folder(paths: list[str]) -> None:
    with pytest.raises(UnsafePath, match="in its way"):
        check_closed(paths)


def test_neighbours_that_share_a_beginning_are_no_clash() -> None:
    check_closed(["a", "ab", "a.b/c", "a-b", "b/a", "b/ab"])
