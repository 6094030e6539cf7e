# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.sources.index import Candidate, choose, choose_archive, parse_page, version_of
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue, NotFound, Unreachable

URL = "https://h/simple/some-model/"
HEX = "ab" * 32


def html_page(*rows):
    return "\n".join(["<!DOCTYPE html><html><body>", *rows]).encode()


def json_page(*rows, version="1.0"):
    return json.dumps({"meta": {"api-version": version}, "files": rows}).encode()


def parsed(data, media="text/html", url=URL):
    return parse_page(data, media, url)


@pytest.mark.parametrize(
    ("row", "candidate"),
    [
        (
            f'<a href="../../f/m-1.tar.gz#sha256={HEX}">m</a>',
            Candidate("m-1.tar.gz", "https://h/f/m-1.tar.gz", Digest(HEX)),
        ),
        (
            f'<A HREF="/f/m-1%2Bcpu.tar.gz#sha256={HEX.upper()}" data-yanked>m</A>',
            Candidate("m-1+cpu.tar.gz", "https://h/f/m-1%2Bcpu.tar.gz", Digest(HEX), True),
        ),
        (
            '<a href="http://other/m-1.zip?a=1&amp;b=2#md5=abc">m</a>',
            Candidate("m-1.zip", "http://other/m-1.zip?a=1&b=2"),
        ),
        (
            '<a data-gpg-sig="true" href=" m-1.zip#sha256=short ">m',
            Candidate("m-1.zip", URL + "m-1.zip"),
        ),
    ],
)
def test_a_link_of_an_html_page_is_a_candidate(row, candidate):
    assert parsed(html_page(row)) == (candidate,)


def test_a_base_moves_all_links():
    page = html_page('<base href="/other/">', '<a href="m-1.zip">m</a>', "<a>no link</a>")
    assert [one.url for one in parsed(page)] == ["https://h/other/m-1.zip"]


def test_a_json_page_says_the_same():
    page = json_page(
        {"filename": "m-1.tar.gz", "url": "../../f/m-1.tar.gz", "hashes": {"sha256": HEX}},
        {"filename": "m-2.tar.gz", "url": "/f/m-2.tar.gz", "hashes": {}, "yanked": "broken"},
        {"filename": "m-3.tar.gz", "url": "https://o/x", "hashes": {"md5": "1"}, "yanked": False},
        {"filename": "m-4.tar.gz", "url": "https://o/y", "hashes": {}, "yanked": ""},
    )
    assert parsed(page, "application/vnd.pypi.simple.v1+json; charset=utf-8") == (
        Candidate("m-1.tar.gz", "https://h/f/m-1.tar.gz", Digest(HEX)),
        Candidate("m-2.tar.gz", "https://h/f/m-2.tar.gz", None, True),
        Candidate("m-3.tar.gz", "https://o/x"),
        Candidate("m-4.tar.gz", "https://o/y", None, True),
    )


@pytest.mark.parametrize(
    ("data", "media"),
    [
        (b"not JSON", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (json_page({"url": "x"}), "application/json"),
        (json_page(7), "application/json"),
        (json_page(version="2.0"), "application/json"),
        (html_page('<meta name="pypi:repository-version" content="2.1">'), "text/html"),
    ],
)
def test_a_page_of_another_shape_or_version_is_refused(data, media):
    with pytest.raises(Unreachable, match="simple API"):
        parsed(data, media)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_pages(data):
    assert isinstance(parsed(data), tuple)
    with pytest.raises(Unreachable):
        parsed(data, "application/json")


def test_a_page_from_elsewhere_cannot_point_at_files_of_this_machine():
    page = html_page('<a href="file:///etc/m-1.zip">m</a>', '<a href="ftp://h/m-1.zip">m</a>')
    assert parsed(page) == ()
    assert [one.url for one in parsed(page, url="file:///srv/simple/m/index.html")] == [
        "file:///etc/m-1.zip"
    ]


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("some_model-1.0-py3-none-any.whl", "1.0"),
        ("Some.Model-1.0.tar.gz", "1.0"),
        ("some-model-2.0rc1.zip", "2.0rc1"),
        ("other-1.0.tar.gz", "None"),
        ("some_model-extra-1.0.tar.gz", "None"),
        ("some_model-x-py3-none-any.whl", "None"),
        ("some_model.whl", "None"),
        ("some_model-1.0.exe", "None"),
        ("README", "None"),
    ],
)
def test_a_file_name_says_its_version_or_is_none_of_the_package(filename, version):
    assert str(version_of(filename, "some-model")) == version


def sdists(*versions, yanked=()):
    return [
        Candidate(f"m-{text}.tar.gz", f"https://h/{text}", Digest(HEX), text in yanked)
        for text in versions
    ]


@pytest.mark.parametrize(
    ("wish", "versions", "yanked", "chosen"),
    [
        (None, ["1.0", "2.0", "1.10"], [], "2.0"),
        (None, ["1.0", "2.0rc1"], [], "1.0"),
        (None, ["2.0rc1", "2.0rc2"], [], "2.0rc2"),
        (None, ["1.0", "2.0"], ["2.0"], "1.0"),
        ("", ["1.0"], [], "1.0"),
        ("1.0", ["1.0", "1.0.1"], [], "1.0"),
        ("1.0", ["1.0.0", "2.0"], [], "1.0.0"),
        ("1.0", ["1.0", "1.0+cpu"], [], "1.0"),
        ("==2.0", ["1.0", "2.0"], ["2.0"], "2.0"),
        ("2.0rc1", ["1.0", "2.0rc1"], [], "2.0rc1"),
        (">=1,<2", ["0.9", "1.5", "2.0"], [], "1.5"),
        (">=1,<2", ["1.4", "1.5"], ["1.5"], "1.4"),
        (">=2.0rc1", ["1.0", "2.0rc2"], [], "2.0rc2"),
        ("~=1.4", ["1.4", "1.9", "2.0"], [], "1.9"),
        ("==1.*", ["1.4", "1.9", "2.0"], [], "1.9"),
    ],
)
def test_the_version_that_fits_a_wish_is_chosen(wish, versions, yanked, chosen):
    version, archive = choose(sdists(*versions, yanked=yanked), "m", wish)
    assert str(version) == chosen
    assert archive.url == f"https://h/{chosen}"


@pytest.mark.parametrize(
    ("wish", "versions", "yanked"),
    [("3.0", ["1.0"], []), (">3", ["1.0"], []), (None, ["1.0"], ["1.0"]), (None, [], [])],
)
def test_no_version_that_fits_is_an_error_that_lists_some(wish, versions, yanked):
    with pytest.raises(NotFound, match=versions[0] if versions else "none"):
        choose(sdists(*versions, yanked=yanked), "m", wish)


def test_a_wish_that_is_neither_version_nor_specifiers_is_refused():
    with pytest.raises(InvalidValue, match="specifiers"):
        choose(sdists("1.0"), "m", "newest please")


@pytest.mark.parametrize(
    ("filenames", "chosen"),
    [
        (["m-1-py3-none-any.whl", "m-1.tar.gz"], "m-1-py3-none-any.whl"),
        (["m-1.zip", "m-1.tar.gz"], "m-1.tar.gz"),
        (["m-1.tar.gz", "m-1-cp311-cp311-win32.whl"], "m-1-cp311-cp311-win32.whl"),
        (
            ["m-1-cp39-cp39-win32.whl", "m-1-cp310-abi3-linux_x86_64.whl"],
            "m-1-cp310-abi3-linux_x86_64.whl",
        ),
        (["m-1-cp310-cp310-any.whl", "m-1-py3-none-any.whl"], "m-1-py3-none-any.whl"),
        (["m-1-py2-none-any.whl", "m-1-py3-none-any.whl"], "m-1-py3-none-any.whl"),
        (["m-1-1-py3-none-any.whl", "m-1-12-py3-none-any.whl"], "m-1-12-py3-none-any.whl"),
    ],
)
def test_an_archive_is_chosen_without_regard_to_this_machine(filenames, chosen):
    for order in (filenames, filenames[::-1]):
        found = choose_archive(Candidate(name, f"https://h/{name}") for name in order)
        assert found.filename == chosen


def test_of_one_name_twice_the_first_that_can_be_verified_is_taken():
    bare = Candidate("m-1.zip", "https://a/m-1.zip")
    told = Candidate("m-1.zip", "https://b/m-1.zip", Digest(HEX))
    here = Candidate("m-1.zip", "file:///c/m-1.zip")
    assert choose_archive([bare, told, here]) is told
    assert choose_archive([here, told]) is here
    assert choose_archive([told, here]) is told
