# SPDX-License-Identifier: Apache-2.0
import os
from dataclasses import replace

import pytest

from modelkeep.sources import find
from modelkeep.sources.package import url_to_lock
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import (
    AccessDenied,
    ForbiddenAddress,
    InvalidValue,
    NotFound,
    Offline,
    Unreachable,
)
from modelkeep.spec.listing import ListedFile, Origin
from modelkeep.spec.settings import Credential, PackageIndexes
from modelkeep.spec.uri import SourceUri
from modelkeep.wire.answers import Transient
from servers.index import Index, make_sdist, make_wheel, page, write_tree
from servers.origin import Origin as Server
from sources.reading import read

WHEEL = make_wheel(
    {
        "some_model/__init__.py": b"raise SystemExit",
        "some_model/data/model.bin": b"weights",
        "some_model/data/sub/config.json": b"{}",
        "some_model-1.0.dist-info/METADATA": b"Name: some-model",
    }
)
SDIST = make_sdist("some_model-2.0", {"setup.py": b"raise SystemExit", "data/model.bin": b"new"})
WHEEL_NAME, SDIST_NAME = "some_model-1.0-py3-none-any.whl", "some_model-2.0.tar.gz"
PACKAGES = {"some-model": {WHEEL_NAME: WHEEL, SDIST_NAME: SDIST}}


@pytest.fixture
def index():
    with Index(PACKAGES) as server:
        yield server


@pytest.fixture
def listed(context, tmp_path):
    """Lists with these indexes; gives the source, the listing, and what was brought."""

    def run(text, urls=(), find_links=(), revision=None, **settings):
        indexes = PackageIndexes(tuple(urls), tuple(find_links))
        source = find("pypi", context(indexes=indexes, **settings))
        brought = []

        def bring(origin):
            data = read(source.open_archive(origin, 0))
            assert Digest.of(data) == origin.archive.digest
            path = tmp_path / f"brought-{len(brought)}"
            path.write_bytes(data)
            brought.append(origin)
            return path

        return source, source.list(SourceUri.parse(text), revision, bring), brought

    return run


@pytest.mark.parametrize("html_only", [False, True])
def test_a_package_lists_its_archives_members(listed, html_only):
    with Index(PACKAGES, html_only=html_only) as index:
        _, listing, brought = listed("pypi:Some_Model==1.0/some_model/data", [index.index_url])
    assert listing.files == (
        ListedFile("model.bin", 7),
        ListedFile("sub/config.json", 2),
    )
    origin = listing.origin
    assert (origin.source, origin.revision) == ("pypi:Some_Model/some_model/data", "1.0")
    assert origin.archive.filename == WHEEL_NAME
    assert origin.archive.url == f"{index.url}/files/{WHEEL_NAME}"
    assert origin.archive.digest == Digest.of(WHEEL)
    assert origin.archive.member("model.bin") == "some_model/data/model.bin"
    assert len(brought) == 1


def test_the_newest_is_an_sdist_whose_own_folder_is_left_out(listed, index):
    _, listing, _ = listed("pypi:some-model", [index.index_url])
    assert listing.origin.revision == "2.0"
    assert listing.origin.archive.root == "some_model-2.0"
    assert [file.path for file in listing.files] == ["data/model.bin", "setup.py"]
    _, listing, _ = listed("pypi:some-model/data", [index.index_url])
    assert listing.origin.archive.member("model.bin") == "some_model-2.0/data/model.bin"


def test_an_sdist_without_a_folder_of_its_own_is_taken_as_it_is(listed):
    flat = make_sdist("", {"setup.py": b"", "data/model.bin": b"1"})
    with Index({"flat": {"flat-1.0.tar.gz": flat}}) as index:
        _, listing, _ = listed("pypi:flat", [index.index_url])
    assert listing.origin.archive.root == ""
    assert [file.path for file in listing.files] == ["data/model.bin", "setup.py"]


def test_a_revision_beside_the_uri_may_be_a_specifier(listed, index):
    _, listing, _ = listed("pypi:some-model", [index.index_url], revision=">=1,<2")
    assert listing.origin.revision == "1.0"


def test_a_folder_that_the_archive_lacks_is_not_found(listed, index):
    with pytest.raises(NotFound, match="files in that folder"):
        listed("pypi:some-model==1.0/gone", [index.index_url])


def test_a_package_that_no_index_has_is_not_found(listed, index):
    with pytest.raises(NotFound, match="no such package"):
        listed("pypi:other", [index.index_url], [str(index.url) + "/none"])
    with pytest.raises(NotFound, match="an index"):
        listed("pypi:other")


def test_indexes_are_merged_and_those_without_the_package_passed_over(listed, index, tmp_path):
    newer = make_wheel({"some_model/x": b"3"})
    with Index({"some-model": {"some_model-3.0-py3-none-any.whl": newer}}) as second:
        urls = [f"{index.url}/nothing", index.index_url, second.index_url + "/"]
        _, listing, _ = listed("pypi:some-model", urls)
        assert listing.origin.revision == "3.0"
        _, listing, _ = listed("pypi:some-model==1.0", urls)
        assert listing.origin.archive.url.startswith(index.url)


def test_an_index_that_gives_no_answer_is_an_error_and_not_passed_over(listed, index):
    index.fail("/simple/some-model/", 500, times=None)
    with pytest.raises(Unreachable), Index(PACKAGES) as second:
        listed("pypi:some-model", [index.index_url, second.index_url])


def test_a_tree_of_files_is_an_index_too_and_needs_no_network(listed, tmp_path):
    url = write_tree(tmp_path / "my index", PACKAGES)
    source, listing, _ = listed("pypi:some-model==1.0", [url], offline=True)
    assert listing.origin.archive.url.endswith(f"/my%20index/simple/some-model/{WHEEL_NAME}")
    assert read(source.open_archive(listing.origin, 5)) == WHEEL[5:]


@pytest.mark.parametrize("form", ["wheels", "{}/wheels", "file://{}/wheels"])
def test_a_folder_of_archives_is_found_by_find_links_and_digested_here(listed, tmp_path, form):
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / WHEEL_NAME).write_bytes(WHEEL)
    (folder / "other-9.tar.gz").write_bytes(b"other")
    (folder / "notes.txt").write_bytes(b"")
    (folder / "sub").mkdir()
    _, listing, _ = listed("pypi:some-model", find_links=[form.format(tmp_path)], offline=True)
    assert listing.origin.archive.digest == Digest.of(WHEEL)


def test_a_page_of_links_may_be_a_file_or_a_url(listed, index, tmp_path):
    (tmp_path / "links.html").write_text(f'<a href="{SDIST_NAME}">x</a>')
    (tmp_path / SDIST_NAME).write_bytes(SDIST)
    _, listing, _ = listed("pypi:some-model", find_links=["links.html"], offline=True)
    assert listing.origin.archive.digest == Digest.of(SDIST)
    index.files[f"/pages/{SDIST_NAME}"] = SDIST
    index.files["/pages/links"] = page({SDIST_NAME: SDIST, "other-1.zip": b""}).encode()
    _, listing, _ = listed("pypi:some-model", find_links=[f"{index.url}/pages/links"])
    assert listing.origin.archive.url == f"{index.url}/pages/{SDIST_NAME}"


def test_a_place_that_is_not_there_is_passed_over(listed, index, tmp_path):
    places = ["nowhere", (tmp_path / "no").as_uri()]
    _, listing, _ = listed("pypi:some-model", [places[1], index.index_url], places)
    assert listing.origin.revision == "2.0"


def test_an_archive_whose_digest_the_index_does_not_tell_is_refused(listed):
    with (
        Index(PACKAGES, without_digest=frozenset({SDIST_NAME})) as index,
        pytest.raises(InvalidValue, match="a sha256 at its index"),
    ):
        listed("pypi:some-model", [index.index_url])


def test_a_yanked_version_is_taken_only_when_asked_for_exactly(listed):
    with Index(PACKAGES, yanked=frozenset({SDIST_NAME})) as index:
        assert listed("pypi:some-model", [index.index_url])[1].origin.revision == "1.0"
        assert listed("pypi:some-model==2.0", [index.index_url])[1].origin.revision == "2.0"


def test_the_credential_of_an_index_goes_to_its_pages_and_files_only(listed, index):
    elsewhere = Server({f"/{WHEEL_NAME}": WHEEL})
    secret = (Credential(index.url, "Basic hunter2"),)
    with elsewhere:
        index.redirect(f"/files/{WHEEL_NAME}", elsewhere.url_for(f"/{WHEEL_NAME}"))
        _, listing, _ = listed("pypi:some-model==1.0", [index.index_url], credentials=secret)
    assert {r.headers.get("authorization") for r in index.requests} == {"Basic hunter2"}
    assert "hunter2" not in str([dict(r.headers) for r in elsewhere.requests])
    assert "hunter2" not in str(listing)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/f/a.whl", "https://h/f/a.whl"),
        ("https://me:pw@h:8/f/a.whl?b=1", "https://h:8/f/a.whl?b=1"),
        ("https://h/f/a.whl?token=hunter2&b=1", "https://h/f/a.whl"),
        ("file:///srv/a%20b.whl", "file:///srv/a%20b.whl"),
    ],
)
def test_no_secret_of_a_url_enters_the_lock(url, shown):
    assert url_to_lock(url) == shown


# -- opening what was locked ---------------------------------------------------


def locked(listed, index):
    return listed("pypi:some-model==1.0", [index.index_url])[1].origin


def opener(context, urls=(), find_links=(), **settings):
    return find("pypi", context(indexes=PackageIndexes(tuple(urls), tuple(find_links)), **settings))


def test_another_sites_mirror_serves_what_was_locked_elsewhere(listed, context, index):
    origin = locked(listed, index)
    index.close()
    with Index(PACKAGES) as mirror:
        assert read(opener(context, [mirror.index_url]).open_archive(origin, 7)) == WHEEL[7:]


def test_other_bytes_under_the_same_name_are_not_taken(listed, context, index):
    origin = locked(listed, index)
    other = {"some-model": {WHEEL_NAME: make_wheel({"some_model/x": b"evil"})}}
    with Index(other) as mirror:
        source = opener(context, [mirror.index_url, index.index_url])
        assert read(source.open_archive(origin, 0)) == WHEEL
        assert not mirror.asked(f"/files/{WHEEL_NAME}")


def test_a_local_file_of_that_digest_serves_and_another_does_not(listed, context, index, tmp_path):
    origin = locked(listed, index)
    index.close()
    (tmp_path / WHEEL_NAME).write_bytes(WHEEL)
    source = opener(context, find_links=["."], offline=True)
    assert read(source.open_archive(origin, 0)) == WHEEL
    (tmp_path / WHEEL_NAME).write_bytes(b"other")
    with pytest.raises(Offline):
        source.open_archive(origin, 0)


def test_the_locked_url_is_no_named_one_unless_its_host_is_an_indexs(listed, context, index):
    origin = locked(listed, index)
    with pytest.raises(ForbiddenAddress):
        opener(context).open_archive(origin, 0)
    source = opener(context, [f"{index.url}/elsewhere"])
    assert read(source.open_archive(origin, 0)) == WHEEL
    source = opener(context, private_hosts=("127.0.0.1",))
    assert read(source.open_archive(origin, 0)) == WHEEL


def test_an_index_that_is_down_does_not_hide_the_locked_url(listed, context, index):
    origin = locked(listed, index)
    index.fail("/simple/some-model/", 500, times=None)
    source = opener(context, [index.index_url])
    assert read(source.open_archive(origin, 0)) == WHEEL


def test_of_several_failures_one_that_may_pass_is_told(listed, context, index):
    origin = locked(listed, index)
    index.fail("/simple/some-model/", 403, times=None)
    index.fail(f"/files/{WHEEL_NAME}", 503)
    source = opener(context, [index.index_url])
    with pytest.raises(Transient):
        source.open_archive(origin, 0)
    index.fail(f"/files/{WHEEL_NAME}", 404)
    with pytest.raises(AccessDenied):
        source.open_archive(origin, 0)


def test_an_origin_without_archive_and_a_file_by_itself_are_not_found(context):
    source = opener(context)
    with pytest.raises(NotFound):
        source.open_archive(Origin("pypi:some-model", "1.0"), 0)
    with pytest.raises(NotFound):
        source.open(Origin("pypi:some-model", "1.0"), "model.bin", 0)


def test_a_locked_pipe_is_not_waited_for(listed, context, index, tmp_path):
    origin = locked(listed, index)
    os.mkfifo(tmp_path / "pipe")
    url = (tmp_path / "pipe").as_uri()
    with pytest.raises(InvalidValue, match="pipe"):
        opener(context).open_archive(replace(origin, archive=replace(origin.archive, url=url)), 0)
