# SPDX-License-Identifier: Apache-2.0
import os
import socket

import pytest

from modelkeep.sources import find
from modelkeep.spec.errors import (
    AccessDenied,
    InvalidValue,
    NotFound,
    Unreachable,
    UnsafePath,
)
from modelkeep.spec.listing import Origin
from modelkeep.spec.uri import SourceUri
from modelkeep.wire.answers import WrongRange
from servers.user import ordinary_user
from sources.reading import no_archive, read


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "model"
    (place / "sub" / "deep").mkdir(parents=True)
    (place / "b.bin").write_bytes(b"0123456789")
    (place / "sub" / "a").write_bytes(b"")
    (place / "sub" / "deep" / ".hidden").write_bytes(b"h")
    return place


@pytest.fixture
def source(context):
    return find("file", context())


def listed(source, text="file:model"):
    listing = source.list(SourceUri.parse(text), None, no_archive)
    return [(file.path, file.size_bytes, file.digest) for file in listing.files]


def test_a_folder_is_all_of_its_regular_files_sorted(source, folder):
    assert listed(source) == [
        ("b.bin", 10, None),
        ("sub/a", 0, None),
        ("sub/deep/.hidden", 1, None),
    ]


def test_the_origin_says_the_path_as_it_was_written(source, folder):
    listing = source.list(SourceUri.parse("file:./model/"), None, no_archive)
    assert listing.origin == Origin("file:./model/")
    assert read(source.open(listing.origin, "b.bin", 0)) == b"0123456789"


@pytest.mark.parametrize("form", ["file:{}", "file://{}", "file://localhost{}"])
def test_absolute_paths_and_urls_work_too(source, folder, form):
    assert len(listed(source, form.format(folder))) == 3


def test_a_url_with_another_host_is_refused(source):
    with pytest.raises(InvalidValue, match="this/machine"):
        listed(source, "file://elsewhere/share")


def test_one_file_is_a_listing_of_itself(source, folder):
    assert listed(source, "file:model/b.bin") == [("b.bin", 10, None)]
    origin = Origin("file:model/b.bin")
    assert read(source.open(origin, "b.bin", 4)) == b"456789"
    with pytest.raises(NotFound):
        source.open(origin, "other", 0)


def test_a_file_opens_from_any_byte(source, folder):
    for start in (0, 3, 10):
        stream = source.open(Origin("file:model"), "b.bin", start)
        assert (stream.start_byte, stream.size_bytes) == (start, 10)
        assert read(stream) == b"0123456789"[start:]
    with pytest.raises(WrongRange):
        source.open(Origin("file:model"), "b.bin", 11)


@pytest.mark.parametrize("text", ["file:nowhere", "file:model/b.bin/below"])
def test_a_missing_folder_is_not_found(source, folder, text):
    with pytest.raises(NotFound):
        listed(source, text)


def test_a_missing_file_is_not_found(source, folder):
    with pytest.raises(NotFound):
        source.open(Origin("file:model"), "gone", 0)


def test_a_link_to_a_file_is_that_file_also_outside(source, folder, tmp_path):
    (tmp_path / "blob").write_bytes(b"blob")
    (folder / "linked").symlink_to("../blob")
    assert ("linked", 4, None) in listed(source)
    assert read(source.open(Origin("file:model"), "linked", 1)) == b"lob"


def test_a_named_folder_may_itself_be_a_link(source, folder, tmp_path):
    (tmp_path / "current").symlink_to("model")
    assert len(listed(source, "file:current")) == 3


@pytest.mark.parametrize("target", ["sub", "..", "/"])
def test_a_link_to_a_folder_is_refused(source, folder, target):
    (folder / "loop").symlink_to(target)
    with pytest.raises(UnsafePath, match="link to a folder"):
        listed(source)
    with pytest.raises(UnsafePath):
        source.open(Origin("file:model"), "loop/a", 0)


def test_a_link_that_leads_nowhere_is_told(source, folder):
    (folder / "broken").symlink_to("gone")
    with pytest.raises(NotFound, match="leads nowhere"):
        listed(source)


def test_a_link_to_itself_is_told(source, folder):
    (folder / "self").symlink_to("self")
    with pytest.raises(Unreachable):
        listed(source)
    with pytest.raises(Unreachable):
        source.open(Origin("file:model"), "self", 0)


@pytest.mark.parametrize("path", ["../blob", "/etc/passwd", "sub/../b.bin", ""])
def test_a_path_that_climbs_out_is_refused(source, folder, path):
    with pytest.raises(UnsafePath):
        source.open(Origin("file:model"), path, 0)


def test_a_name_that_no_manifest_may_have_is_refused(source, folder):
    (folder / "a\\b").write_bytes(b"")
    with pytest.raises(UnsafePath):
        listed(source)


def test_pipes_sockets_and_folders_are_no_files(source, folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidValue, match="pipe"):
        listed(source)
    with pytest.raises(InvalidValue, match="pipe"):
        source.open(Origin("file:model"), "pipe", 0)  # and does not wait for a writer
    with pytest.raises(InvalidValue, match="folder"):
        source.open(Origin("file:model"), "sub", 0)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "s"))
        with pytest.raises(InvalidValue, match="socket"):
            listed(source)


def test_what_may_not_be_read_is_denied(source, folder):
    (folder / "b.bin").chmod(0)
    with ordinary_user(), pytest.raises(AccessDenied):
        source.open(Origin("file:model"), "b.bin", 0)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(source, folder):
    (folder / "big").write_bytes(bytes(3 * 2**20))
    stream = source.open(Origin("file:model"), "big", 0)
    pieces = iter(stream)
    next(pieces)
    os.truncate(folder / "big", 2**20)
    with pytest.raises(Unreachable, match="earlier"):
        next(pieces)
    stream.close()


def test_a_folder_has_no_archive(source):
    with pytest.raises(NotFound):
        source.open_archive(Origin("file:model"), 0)
