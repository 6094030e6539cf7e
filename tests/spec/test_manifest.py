# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidValue, KeepError, UnsafePath
from modelkeep.spec.manifest import FileRow, Manifest

ONE, TWO = Digest.of(b"one"), Digest.of(b"two!")
ROWS = [FileRow("b/weights.bin", 4, TWO), FileRow("a.json", 3, ONE)]


def test_the_canonical_bytes_are_the_written_form() -> None:
    expected = (
        f'{{"files":[{{"path":"a.json","size_bytes":3,"digest":"{ONE}"}},'
        f'{{"path":"b/weights.bin","size_bytes":4,"digest":"{TWO}"}}],"version":1}}'
    )
    manifest = Manifest.of(ROWS)
    assert manifest.canonical == expected.encode()
    assert manifest.identity.hex == hashlib.sha256(expected.encode()).hexdigest()
    assert manifest.size_bytes == 7


def test_the_order_of_rows_changes_nothing() -> None:
    assert Manifest.of(ROWS) == Manifest.of(reversed(ROWS))


def test_rows_sort_by_the_bytes_of_their_paths() -> None:
    paths = ["a/b", "a.b", "Z", "é", "z", "\U0001f600", "\ufb00"]
    manifest = Manifest.of(FileRow(path, 0, ONE) for path in paths)
    assert [row.path for row in manifest.files] == sorted(paths, key=str.encode)


def test_a_renamed_file_changes_the_identity() -> None:
    renamed = [FileRow("c.json", 3, ONE), ROWS[0]]
    assert Manifest.of(renamed).identity != Manifest.of(ROWS).identity


def test_swapped_digests_change_the_identity() -> None:
    swapped = [FileRow("a.json", 3, TWO), FileRow("b/weights.bin", 4, ONE)]
    assert Manifest.of(swapped).identity != Manifest.of(ROWS).identity


def test_an_added_file_changes_the_identity() -> None:
    assert Manifest.of([*ROWS, FileRow("c", 0, ONE)]).identity != Manifest.of(ROWS).identity


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([], InvalidValue),
        ([FileRow("a", -1, ONE)], InvalidValue),
        ([FileRow("../a", 1, ONE)], UnsafePath),
        ([FileRow("a\ud800", 1, ONE)], UnsafePath),
        ([FileRow("a", 1, ONE), FileRow("a", 1, ONE)], UnsafePath),
        ([FileRow("a", 1, ONE), FileRow("a/b", 1, ONE)], UnsafePath),
    ],
)
def test_rows_that_cannot_be_a_model_are_refused(
    rows: list[FileRow], kind: type[KeepError]
) -> None:
    with pytest.raises(kind):
        Manifest.of(rows)


def _canonical() -> str:
    return Manifest.of(ROWS).canonical.decode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"files":[],"version":1}',
        b'{"files":{"path":1},"version":1}',
        b'{"files":[1],"version":1}',
        b"[" * 100_000,
        _canonical().replace(":3,", ":3.0,").encode(),
        _canonical().replace(":3,", ":1e999,").encode(),
        _canonical().replace(":3,", ":NaN,").encode(),
        _canonical().replace(":3,", ":true,").encode(),
        _canonical().replace(":3,", ":" + "9" * 5000 + ",").encode(),
        _canonical().replace('"a.json"', "5").encode(),
        _canonical().replace("sha256:", "sha512:").encode(),
        _canonical().replace(f'"{ONE}"', "7").encode(),
        _canonical().replace('"version":1', '"version":2').encode(),
        _canonical().replace(',"version":1', "").encode(),
        _canonical().replace('"version"', '"extra":0,"version"').encode(),
        _canonical().replace("a.json", "z.json").encode(),
        _canonical().replace("a.json", "\\u0061.json").encode(),
        (_canonical() + "\n").encode(),
        _canonical().replace(",", ", ").encode(),
    ],
)
def test_anything_but_the_canonical_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        Manifest.parse(data)


@pytest.mark.parametrize("path", ["../a", "/a", "a\\\\b", "\\ud800"])
def test_a_path_that_climbs_out_is_refused_from_bytes_too(path: str) -> None:
    with pytest.raises(UnsafePath):
        Manifest.parse(_canonical().replace("a.json", path).encode())


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"),
    min_size=1,
    max_size=20,
)
rows = st.lists(
    st.builds(
        FileRow,
        st.lists(names, min_size=1, max_size=3).map("/".join),
        st.integers(0, 2**63),
        st.binary(max_size=4).map(Digest.of),
    ),
    min_size=1,
    max_size=6,
)


@given(rows)
def test_every_manifest_reads_back_as_itself(files: list[FileRow]) -> None:
    try:
        manifest = Manifest.of(files)
    except UnsafePath:
        assume(False)
    assert Manifest.parse(manifest.canonical) == manifest
    assert [row["path"] for row in json.loads(manifest.canonical)["files"]] == [
        row.path for row in manifest.files
    ]


@given(st.data())
def test_one_changed_byte_is_refused_or_is_another_model(data: st.DataObject) -> None:
    manifest = Manifest.of(ROWS)
    place = data.draw(st.integers(0, len(manifest.canonical) - 1))
    other = bytearray(manifest.canonical)
    other[place] ^= data.draw(st.integers(1, 255))
    with suppress(KeepError):
        assert Manifest.parse(bytes(other)).identity != manifest.identity
