# SPDX-License-Identifier: Apache-2.0
import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.sources import archive
from modelkeep.sources.archive import members, open_member, open_members
from modelkeep.spec.errors import KeepError, NotFound, UnsafeArchive
from servers.index import make_sdist, make_wheel
from sources.reading import read

FILES = {"pkg/__init__.py": b"", "pkg/model.bin": os.urandom(2_500_000), "pkg/sub/é": b"x"}


def as_tar(files):
    return make_sdist("", files)


FORMS = pytest.mark.parametrize("make", [make_wheel, as_tar])


@pytest.fixture
def write(tmp_path):
    def put(data):
        path = tmp_path / "archive"
        path.write_bytes(data)
        return path

    return put


def tar_of(*infos):
    """A tar.gz of headers and their data."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as made:
        for info, data in infos:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def zip_of(*infos):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as made:
        for info, data in infos:
            made.writestr(info, data)
    return whole.getvalue()


@FORMS
def test_members_are_listed_with_their_sizes_and_read_to_the_byte(write, make):
    path = write(make(FILES))
    assert members(path) == tuple((name, len(data)) for name, data in FILES.items())
    for name, data in FILES.items():
        stream = open_member(path, name)
        assert (stream.start_byte, stream.size_bytes) == (0, len(data))
        assert read(stream) == data


@FORMS
def test_many_members_come_in_one_pass(write, make):
    wanted = ["pkg/sub/é", "pkg/__init__.py"]
    found = {name: read(stream) for name, stream in open_members(write(make(FILES)), wanted)}
    assert found == {name: FILES[name] for name in wanted}


@FORMS
def test_members_that_are_skipped_or_half_read_do_not_disturb_the_next(write, make):
    streams = open_members(write(make(FILES)), FILES)
    next(streams)
    _, large = next(streams)
    next(iter(large))
    name, last = next(streams)
    assert (name, read(last)) == ("pkg/sub/é", b"x")


@FORMS
def test_a_member_that_is_not_there_is_not_found(write, make):
    path = write(make(FILES))
    with pytest.raises(NotFound, match="gone"):
        open_member(path, "gone")
    with pytest.raises(NotFound, match="gone"):
        list(open_members(path, ["gone", "pkg/__init__.py"]))


def test_an_archive_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        members(tmp_path / "none")


def test_folders_are_no_members(write):
    folder = tarfile.TarInfo("pkg")
    folder.type = tarfile.DIRTYPE
    assert members(write(tar_of((folder, b"")))) == ()
    assert members(write(zip_of((zipfile.ZipInfo("pkg/"), b"")))) == ()


def test_an_empty_archive_has_no_members(write):
    assert members(write(make_wheel({}))) == ()
    assert members(write(as_tar({}))) == ()


@FORMS
@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "a//b", "./a", "a\\..\\b", "C:/x", "a/\x01", "a" * 300]
)
def test_a_name_that_climbs_or_cannot_be_kept_is_refused(write, make, name):
    path = write(make({"good": b"1", name: b"2"}))
    with pytest.raises(UnsafeArchive):
        members(path)
    with pytest.raises(UnsafeArchive):
        open_member(path, "later")


def test_a_name_that_was_cut_at_a_zero_byte_is_refused(write):
    data = make_wheel({"good.py~.bin": b"1"}).replace(b"good.py~.bin", b"good.py\0.bin")
    with pytest.raises(UnsafeArchive):
        members(write(data))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar_are_refused(write, kind):
    info = tarfile.TarInfo("pkg/link")
    info.type, info.linkname = kind, "../../etc/passwd"
    with pytest.raises(UnsafeArchive, match="regular files only"):
        members(write(tar_of((info, b""))))


def test_a_sparse_file_in_a_tar_is_refused(write):
    info = tarfile.TarInfo("pkg/holes")
    info.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(UnsafeArchive):
        members(write(tar_of((info, b""))))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_links_and_devices_in_a_zip_are_refused(write, kind):
    info = zipfile.ZipInfo("pkg/link")
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(UnsafeArchive, match="regular files only"):
        members(write(zip_of((info, b"../../etc/passwd"))))


def test_an_encrypted_member_is_refused(write):
    data = bytearray(make_wheel({"a": b"1"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    with pytest.raises(UnsafeArchive, match="encrypted"):
        members(write(bytes(data)))


def test_a_name_twice_is_refused(write):
    rows = [("a", b"1"), ("b", b"2"), ("a", b"3")]
    with pytest.warns(UserWarning, match="Duplicate"):
        doubled = zip_of(*((zipfile.ZipInfo(name), data) for name, data in rows))
    for data in (doubled, tar_of(*((tarfile.TarInfo(name), data) for name, data in rows))):
        with pytest.raises(UnsafeArchive, match="'a' twice"):
            members(write(data))


@FORMS
def test_a_file_in_the_place_of_a_folder_is_refused(write, make):
    with pytest.raises(UnsafeArchive, match="in its way"):
        members(write(make({"a/b": b"1", "a": b"2"})))


@FORMS
def test_a_bomb_is_refused_before_it_goes_off(write, make):
    path = write(make({"zeros": bytes(64 * 2**20)}))
    with pytest.raises(UnsafeArchive, match="when unpacked"):
        members(path)
    with pytest.raises(UnsafeArchive, match="when unpacked"):
        open_member(path, "zeros")


@FORMS
def test_a_small_file_may_be_as_empty_as_it_likes(write, make):
    assert members(write(make({"zeros": bytes(2**20 - 1)})))


@FORMS
def test_too_many_members_are_refused(write, make, monkeypatch):
    path = write(make({str(n): b"" for n in range(11)}))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 10)
    with pytest.raises(UnsafeArchive, match="at most 10 members"):
        members(path)


def test_a_header_that_would_fill_the_memory_is_refused(write):
    long = tarfile.TarInfo("pax")
    long.type = tarfile.XHDTYPE
    with pytest.raises(UnsafeArchive, match="headers of a few KiB"):
        members(write(tar_of((long, os.urandom(2**20) * 5))))


def test_unpacked_bytes_beyond_what_was_declared_are_not_read(write, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 0)
    monkeypatch.setattr(archive, "FREE_BYTES", 1000)
    monkeypatch.setattr(archive, "MAX_RATIO", 1)
    with pytest.raises(UnsafeArchive, match="when unpacked"):
        members(write(gzip.compress(bytes(10_000))))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04 nothing", b"\x1f\x8b", b"hello, world"])
def test_what_is_no_archive_is_refused(write, data):
    with pytest.raises(UnsafeArchive):
        members(write(data))


@FORMS
def test_a_truncated_archive_is_refused_wherever_it_ends(write, make):
    whole = make({"a/first": os.urandom(3000), "a/second": os.urandom(3000)})
    for end in range(0, len(whole), 97):
        with pytest.raises(UnsafeArchive):
            members(write(whole[:end]))


def test_a_tar_without_its_end_mark_or_with_more_behind_it_is_refused(write):
    plain = gzip.decompress(as_tar({"a": b"1"}))
    assert members(write(gzip.compress(plain)))
    for changed in (plain[:1024], plain + b"more", plain[:1024] + b"x" * 512 + plain[1024:]):
        with pytest.raises(UnsafeArchive):
            members(write(gzip.compress(changed)))


@FORMS
@given(place=st.floats(0, 0.999), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found_or_harmless(tmp_path_factory, make, place, bit):
    files = {"a/first": bytes(range(256)) * 10, "a/second": b"text " * 100}
    data = bytearray(make(files))
    data[int(place * len(data))] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(data)
    try:
        found = {name: read(open_member(path, name)) for name, _ in members(path)}
    except KeepError:
        return
    # Times, modes, spare bytes and names of a zip have no guard; the digest has them.
    assert set(found.values()) <= set(files.values())


def test_damage_within_a_member_is_found_when_it_is_read(write):
    data = bytearray(zip_of((zipfile.ZipInfo("a"), b"0123456789" * 10)))
    data[data.index(b"0123456789") + 50] ^= 1
    path = write(bytes(data))
    assert members(path) == (("a", 100),)
    with pytest.raises(UnsafeArchive, match="CRC"):
        read(open_member(path, "a"))


def test_a_member_smaller_than_it_declares_is_refused(write):
    data = make_wheel({"a": b"x" * 50})
    at = data.index(b"PK\x01\x02") + 24
    path = write(data[:at] + (51).to_bytes(4, "little") + data[at + 4 :])
    with pytest.raises(UnsafeArchive):
        read(open_member(path, "a"))
