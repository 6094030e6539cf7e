# SPDX-License-Identifier: Apache-2.0
import pytest

from modelkeep.sources import find
from modelkeep.sources.https import file_name
from modelkeep.spec.errors import (
    AccessDenied,
    InvalidValue,
    NotFound,
    Offline,
    Unreachable,
    UnsafePath,
)
from modelkeep.spec.listing import ListedFile, Origin
from modelkeep.spec.uri import SourceUri
from servers.origin import Origin as Server
from sources.reading import no_archive, read


@pytest.fixture
def server():
    with Server({"/dir/my model.bin": b"0123456789"}) as made:
        yield made


@pytest.fixture
def source(context):
    return find("http", context())


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b.bin", "b.bin"),
        ("https://h/a/my%20model.bin?x=/y#z", "my model.bin"),
        ("https://h/%C3%A9", "é"),
    ],
)
def test_the_name_is_the_last_part_decoded(url, name):
    assert file_name(url) == name


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://h/", InvalidValue),
        ("https://h/a/", InvalidValue),
        ("https://h/..", UnsafePath),
        ("https://h/%2e%2e", UnsafePath),
        ("https://h/a%2Fb", UnsafePath),
        ("https://h/a%5Cb", UnsafePath),
        ("https://h/%00", UnsafePath),
        ("https://h/%FF", UnsafePath),
    ],
)
def test_a_name_that_is_none_or_climbs_is_refused(url, error):
    with pytest.raises(error):
        file_name(url)


def listed(source, url):
    return source.list(SourceUri.parse(url), None, no_archive)


def test_a_url_lists_one_file_with_its_size_and_no_digest(source, server):
    url = server.url_for("/dir/my model.bin")
    listing = listed(source, url)
    assert listing.origin == Origin(url)
    assert listing.files == (ListedFile("my model.bin", 10, None),)
    assert [request.method for request in server.requests] == ["HEAD"]
    assert read(source.open(listing.origin, "my model.bin", 4)) == b"456789"


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_where_head_is_refused_a_get_is_asked_and_not_read(source, server, status):
    server.fail("/dir/my model.bin", status)
    assert listed(source, server.url_for("/dir/my model.bin")).files[0].size_bytes == 10
    assert [request.method for request in server.requests] == ["HEAD", "GET"]


def test_a_busy_server_is_asked_again(source, server):
    server.fail("/dir/my model.bin", 503, times=2)
    assert listed(source, server.url_for("/dir/my model.bin")).files[0].size_bytes == 10
    assert len(server.requests) == 3


def test_a_server_that_stays_busy_is_unreachable(source, server):
    server.fail("/x", 503, times=None)
    with pytest.raises(Unreachable):
        listed(source, server.url_for("/x"))
    assert len(server.requests) == 3


def test_a_size_that_is_not_told_is_none(source, server):
    server.change_headers("/dir/my model.bin", {"Content-Length": None})
    assert listed(source, server.url_for("/dir/my model.bin")).files[0].size_bytes is None


def test_missing_and_denied_are_told(source, server):
    with pytest.raises(NotFound):
        listed(source, server.url_for("/gone"))
    server.fail("/x", 401, times=None)
    with pytest.raises(AccessDenied):
        listed(source, server.url_for("/x"))


def test_another_path_is_not_found(source, server):
    with pytest.raises(NotFound):
        source.open(Origin(server.url_for("/dir/my model.bin")), "other", 0)


def test_offline_asks_nobody(context, server):
    with pytest.raises(Offline):
        listed(find("https", context(offline=True)), server.url_for("/x"))
    assert not server.requests


def test_a_url_has_no_archive(source):
    with pytest.raises(NotFound):
        source.open_archive(Origin("https://h/x"), 0)
