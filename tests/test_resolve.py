# SPDX-License-Identifier: Apache-2.0
from typing import Any

import pytest

from layouts.made import locked
from modelkeep.resolve import matches, merge, resolve, select
from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import DigestMismatch, ForbiddenFormat, NotFound, UnsafePath
from modelkeep.spec.listing import ListedFile, Listing, Origin
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.requirement import LayoutChoice, Requirement
from modelkeep.spec.uri import SourceUri

ORIGIN = Origin("hf:org/name", "c" * 40, "main")
PATHS = ("README.md", "config.json", "onnx/model.onnx", "onnx/fp16/model.onnx", "a[1].bin")


def wish(**fields: Any) -> Requirement:
    return Requirement("pat", (SourceUri("hf", "org/name"),), **fields)


def listing(*paths: str) -> Listing:
    return Listing(ORIGIN, tuple(ListedFile(path) for path in paths))


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("*", PATHS),
        ("*.json", ("config.json",)),
        ("*.onnx", ("onnx/model.onnx", "onnx/fp16/model.onnx")),
        ("onnx/*", ("onnx/model.onnx", "onnx/fp16/model.onnx")),
        ("onnx/", ("onnx/model.onnx", "onnx/fp16/model.onnx")),
        ("onnx/fp16/", ("onnx/fp16/model.onnx",)),
        ("onnx", ()),
        ("model.onnx", ()),
        ("readme.md", ()),
        ("README.?d", ("README.md",)),
        ("[Rc]*", ("README.md", "config.json")),
        ("a[[]1].bin", ("a[1].bin",)),
        ("", ()),
        ("/", ()),
    ],
)
def test_a_glob_fits_whole_paths_and_crosses_folders(glob: str, found: tuple[str, ...]) -> None:
    assert tuple(path for path in PATHS if matches(path, glob)) == found


@pytest.mark.parametrize(
    ("files", "exclude", "kept"),
    [
        ((), (), PATHS),
        (("*.json", "onnx/"), (), PATHS[1:4]),
        ((), ("onnx/", "*.md"), ("config.json", "a[1].bin")),
        (("*.onnx",), ("*fp16*",), ("onnx/model.onnx",)),
        ((), ("*.none",), PATHS),
    ],
)
def test_files_are_kept_and_excluded_by_globs(
    files: tuple[str, ...], exclude: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    found = select(wish(files=files, exclude=exclude), listing(*PATHS))
    assert tuple(file.path for file in found) == kept


def test_a_glob_that_fits_nothing_is_named_with_what_there_is() -> None:
    with pytest.raises(NotFound) as caught:
        select(wish(files=("*.json", "*.gguf")), listing(*PATHS, "more"))
    assert "model pat" in caught.value.subject
    assert "'*.gguf' in hf:org/name" in caught.value.expected
    assert caught.value.got == ", ".join(PATHS)


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"exclude": ("*",)}, PATHS),
        ({}, ()),
        ({"files": ("*",)}, ()),
        ({"files": ("*",), "exclude": ("*",)}, PATHS),
    ],
)
def test_nothing_left_is_an_error(fields: dict[str, Any], paths: tuple[str, ...]) -> None:
    with pytest.raises(NotFound, match="model pat"):
        select(wish(**fields), listing(*paths))


def test_an_unsafe_path_is_refused_unless_it_is_left_out() -> None:
    with pytest.raises(UnsafePath):
        select(wish(), listing("config.json", "../evil"))
    assert len(select(wish(exclude=("../*",)), listing("config.json", "../evil"))) == 1


ONE, TWO = FileRow("a.json", 3, Digest.of(b"one")), FileRow("b.bin", 3, Digest.of(b"two"))


def test_a_resolved_wish_holds_all_that_the_lock_says() -> None:
    asked = wish(layout=LayoutChoice("plain"), allow_pickle=True, allow_code=True)
    model = resolve(asked, [ORIGIN, Origin("file:spare")], [TWO, ONE])
    assert (model.name, model.profiles, model.wish) == ("pat", (), asked.wish)
    assert model.layout == LayoutChoice("plain")
    assert [origin.source for origin in model.origins] == ["hf:org/name", "file:spare"]
    assert model.manifest == Manifest.of([ONE, TWO])
    assert model.identity == model.manifest.identity
    assert model.allow_pickle
    assert model.allow_code


def test_the_digest_of_a_wish_may_be_the_identity() -> None:
    identity = Manifest.of([ONE, TWO]).identity
    assert resolve(wish(digest=identity), [ORIGIN], [ONE, TWO]).identity == identity


def test_the_digest_of_a_wish_may_be_that_of_its_only_file() -> None:
    assert resolve(wish(digest=ONE.digest), [ORIGIN], [ONE])
    assert resolve(wish(digest=Manifest.of([ONE]).identity), [ORIGIN], [ONE])


@pytest.mark.parametrize("rows", [[ONE], [ONE, TWO]])
def test_another_digest_is_refused_with_the_one_that_came(rows: list[FileRow]) -> None:
    wanted = TWO.digest
    with pytest.raises(DigestMismatch) as caught:
        resolve(wish(digest=wanted), [ORIGIN], rows)
    assert caught.value.expected == str(wanted)
    came = rows[0].digest if len(rows) == 1 else Manifest.of(rows).identity
    assert caught.value.got == str(came)


def test_code_of_a_repository_needs_permission() -> None:
    repository = listing("config.json", "a/modeling.py")
    with pytest.raises(ForbiddenFormat) as caught:
        select(wish(), repository)
    assert 'exclude = ["a/modeling.py"], or allow_code = true' in caught.value.expected
    assert caught.value.got == "code in a/modeling.py"
    with pytest.raises(ForbiddenFormat, match=r"4\.py, …$"):
        select(wish(), listing(*(f"{number}.py" for number in range(6))))
    assert len(select(wish(allow_code=True), repository)) == 2
    assert len(select(wish(exclude=("*.py",)), repository)) == 1


PACKAGE = Listing(
    Origin("pypi:pat", "1.0"),
    tuple(
        ListedFile(path)
        for path in (
            "pat-1.0.dist-info/METADATA",
            "src/pat.egg-info/PKG-INFO",
            "PKG-INFO",
            "pat/__init__.py",
            "pat/_ops.so",
            "pat/py.typed",
            "pat/model.onnx",
            "pat/labels.json",
        )
    ),
)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, ["pat/model.onnx", "pat/labels.json"]),
        ({"exclude": ("*.json",)}, ["pat/model.onnx"]),
        ({"files": ("*.onnx", "*/METADATA")}, ["pat-1.0.dist-info/METADATA", "pat/model.onnx"]),
        (
            {"allow_code": True},
            ["pat/__init__.py", "pat/_ops.so", "pat/model.onnx", "pat/labels.json"],
        ),
    ],
)
def test_of_a_package_its_model_files_are_kept(fields: dict[str, Any], kept: list[str]) -> None:
    assert [file.path for file in select(wish(**fields), PACKAGE)] == kept


def test_code_of_a_package_that_is_asked_for_needs_permission_too() -> None:
    asked = wish(files=("pat/",))
    with pytest.raises(ForbiddenFormat, match=r"pat/__init__\.py"):
        select(asked, PACKAGE)
    assert len(select(wish(files=("pat/",), allow_code=True), PACKAGE)) == 5


def test_profiles_that_lock_the_same_share_a_row() -> None:
    pat, tap = locked("pat"), locked("tap")
    lock = merge({"default": {"pat": pat, "tap": tap}, "edge": {"pat": pat}}, {"B": "2", "A": "1"})
    assert [(m.name, m.profiles) for m in lock.models] == [
        ("pat", ("default", "edge")),
        ("tap", ("default",)),
    ]
    assert list(lock.variables) == ["A", "B"]
    assert lock.of_profile("edge").keys() == {"pat"}


def test_profiles_that_lock_other_bytes_have_their_own_rows() -> None:
    large, small = locked("pat"), locked("pat", {"small": b"s"})
    lock = merge({"edge": {"pat": small}, "default": {"pat": large}}, {})
    assert [m.profiles for m in lock.models] == [("default",), ("edge",)]
    assert lock.of_profile("edge")["pat"].identity == small.identity
