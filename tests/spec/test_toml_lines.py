# SPDX-License-Identifier: Apache-2.0
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.toml_lines import line_of

TEXT = '''\
# models.pat.comment = 1
title = "x"

[settings]
store.path = "/x"
fetch = { offline = true }

[models.pat]   # a comment
source = "hf:org/name"
'priority' = "lazy"
options = { threads = 1, nested = { deep = true } }
options2.threads = 2
files = [
  "a = b",
]
metadata.text = """
priority = "not this one"
"""

[ models . "tap" ]
"source" = "hf:org/other"

[[things]]
name = "first"
[[things]]
name = "second"

[profiles.edge.models.pat]
source="hf:org/small"
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("title", 2),
        ("settings", 4),
        ("settings.store.path", 5),
        ("settings.store", 4),
        ("settings.fetch.offline", 6),
        ("models.pat", 8),
        ("models.pat.source", 9),
        ("models.pat.priority", 10),
        ("models.pat.options.threads", 11),
        ("models.pat.options.nested.deep", 11),
        ("models.pat.options2.threads", 12),
        ("models.pat.files", 13),
        ("models.pat.metadata.text", 16),
        ("models.pat.nothing", 8),
        ("models.tap", 20),
        ("models.tap.source", 21),
        ("things", 23),
        ("things.name", 24),
        ("profiles.edge.models.pat", 28),
        ("profiles.edge.models.pat.source", 29),
        ("models.comment", None),
        ("nowhere", None),
        ("", None),
    ],
)
def test_a_key_is_found_where_it_stands(key: str, line: int | None) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, key) == line


def test_lines_are_counted_as_toml_counts_them() -> None:
    text = '# one\u2028line\x85still\r\na = "\u2029"\r\nb = 1\r\n'
    assert tomllib.loads(text)["b"] == 1
    assert line_of(text, "b") == 3


@given(st.text(st.sampled_from("[]{}.=\"'# \n\r\tab\\\u2028")), st.text("ab.\"'", max_size=5))
def test_no_text_makes_it_raise(text: str, key: str) -> None:
    line = line_of(text, key)
    assert line is None or 1 <= line <= text.count("\n") + 1


@given(st.lists(st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,2})? = 1", fullmatch=True), max_size=6))
def test_the_line_of_a_plain_key_is_the_one_that_says_it(lines: list[str]) -> None:
    text = "\n".join(lines)
    with suppress(tomllib.TOMLDecodeError):
        tomllib.loads(text)
        for number, line in enumerate(lines, 1):
            assert line_of(text, line.partition(" ")[0]) == number
