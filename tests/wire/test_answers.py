# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec.errors import AccessDenied, NotFound, Unreachable
from modelkeep.wire.answers import (
    MAX_WAIT_S,
    Denied,
    Extent,
    Hop,
    Missing,
    Transient,
    WrongRange,
    asked_wait_s,
    beyond_end,
    content_length,
    extent,
    refusal,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def hop(status: int, **headers: str) -> Hop:
    return Hop("https://h/", status, {k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccessDenied),
        (403, AccessDenied),
        (404, NotFound),
        (410, NotFound),
        (408, Transient),
        (425, Transient),
        (429, Transient),
        (500, Transient),
        (502, Transient),
        (503, Transient),
        (504, Transient),
        (400, Unreachable),
        (405, Unreachable),
        (451, Unreachable),
        (501, Unreachable),
        (505, Unreachable),
    ],
)
def test_each_status_stands_for_one_error(status, kind):
    error = refusal("it", hop(status), redirected=False)
    assert isinstance(error, kind)
    assert isinstance(error, Transient) == (kind is Transient)
    assert str(status) in str(error)


def test_a_refusal_keeps_the_head_of_the_answer():
    for status, kind in ((403, Denied), (404, Missing)):
        error = refusal("it", hop(status, x_error_code="GatedRepo"), redirected=False)
        assert isinstance(error, kind)
        assert error.answer.headers["x-error-code"] == "GatedRepo"


def test_a_403_where_a_redirect_led_may_pass_but_a_401_does_not():
    assert isinstance(refusal("it", hop(403), redirected=True), Transient)
    assert isinstance(refusal("it", hop(401), redirected=True), Denied)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "86400"}, MAX_WAIT_S),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"}, 30.0),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:35 -0000"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 02 Jan 2099 03:04:35 GMT"}, MAX_WAIT_S),
        ({"retry-after": "soon"}, None),
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api";r=3;t=55'}, None),
        ({"ratelimit": '"api";r=0;t=9999'}, MAX_WAIT_S),
        ({"retry-after": "2", "ratelimit": '"api";r=0;t=55'}, 2.0),
    ],
)
def test_the_wait_is_what_the_server_asked_for_within_reason(headers, wait_s):
    assert asked_wait_s(headers, NOW) == wait_s


@given(st.text())
def test_no_header_breaks_the_reading_of_waits(text):
    wait_s = asked_wait_s({"retry-after": text, "ratelimit": text}, NOW)
    assert wait_s is None or 0 <= wait_s <= MAX_WAIT_S


def test_a_whole_answer_begins_at_zero_though_a_range_was_asked():
    assert extent("it", hop(200, content_length="9"), 4) == Extent(0, 9)
    assert extent("it", hop(200), 4) == Extent(0, None)


@pytest.mark.parametrize(
    ("content_range", "length", "found"),
    [
        ("bytes 4-8/9", "5", Extent(4, 9)),
        ("BYTES 4-8/9", "5", Extent(4, 9)),
        ("bytes 4-8/*", "5", Extent(4, 9)),
        ("bytes 4-8/*", "", Extent(4, None)),
    ],
)
def test_a_partial_answer_says_where_it_lies(content_range, length, found):
    answer = hop(206, content_range=content_range, content_length=length)
    assert extent("it", answer, 4) == found


@pytest.mark.parametrize(
    "text", ["", "bytes 0-8/9", "bytes 5-8/9", "bytes */9", "bytes 4-9/9", "bytes 4-3/9", "4-8/9"]
)
def test_a_wrong_content_range_is_refused(text):
    with pytest.raises(WrongRange, match="bytes from 4 on"):
        extent("it", hop(206, content_range=text, content_length="5"), 4)


def test_compressed_bytes_are_not_taken_for_the_file():
    with pytest.raises(Unreachable, match="gzip"):
        extent("it", hop(200, content_encoding="gzip"), 0)


def test_416_at_the_end_of_the_file_means_that_nothing_is_left():
    assert beyond_end("it", hop(416, content_range="bytes */9"), 9) == Extent(9, 9)


@pytest.mark.parametrize("text", ["bytes */8", "bytes */*", "", "nonsense"])
def test_416_anywhere_else_is_a_wrong_range(text):
    with pytest.raises(WrongRange):
        beyond_end("it", hop(416, content_range=text), 9)


@pytest.mark.parametrize(
    ("text", "length"), [("", None), ("12", 12), ("-1", None), ("x", None), ("²", None)]
)
def test_a_content_length_is_a_number_or_nothing(text, length):
    assert content_length({"content-length": text}) == length
