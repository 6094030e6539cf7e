# SPDX-License-Identifier: Apache-2.0
import tomllib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidDocument
from modelkeep.spec.listing import Archive, Origin
from modelkeep.spec.lock import Lock, LockedModel
from modelkeep.spec.manifest import FileRow, Manifest
from modelkeep.spec.requirement import LayoutChoice

WISH = Digest.of(b"wish")
ONE = Digest.of(b"one")
COMMIT = "0123456789" * 4


def model(name: str = "pat", *profiles: str, path: str = "a.json") -> LockedModel:
    return LockedModel(
        name=name,
        profiles=profiles or ("default",),
        wish=WISH,
        layout=LayoutChoice("huggingface"),
        origins=(Origin("hf:org/name", COMMIT, "main"),),
        manifest=Manifest.of([FileRow(path, 3, ONE)]),
    )


FULL = Lock.of(
    [
        LockedModel(
            name="pip",
            profiles=("default", "edge"),
            wish=WISH,
            layout=LayoutChoice("plain"),
            origins=(
                Origin("pypi:pip", "1.0", archive=Archive("pip.whl", "https://h/x", ONE, "in/ner")),
                Origin("pypi:pip", "1.0", archive=Archive("pip.zip", "https://h/y", ONE)),
            ),
            manifest=Manifest.of([FileRow("b.bin", 9, WISH), FileRow("a.json", 3, ONE)]),
            allow_pickle=True,
            allow_code=True,
        ),
        model("nap"),
    ],
    {"SIZE": "small", "ARCH": "x"},
)

EXPECTED = f"""\
# Written by `modelkeep lock` from models.toml. Keep it under version control; do not edit it.
version = 1

[variables]
"ARCH" = "x"
"SIZE" = "small"

[[model]]
name = "nap"
profiles = ["default"]
requirement = "{WISH}"
identity = "{model().identity}"
size_bytes = 3
layout = "huggingface"
origins = [
  {{ source = "hf:org/name", revision = "{COMMIT}", ref = "main" }},
]
files = [
  {{ path = "a.json", size_bytes = 3, digest = "{ONE}" }},
]

[[model]]
name = "pip"
profiles = ["default", "edge"]
requirement = "{WISH}"
identity = "{FULL.models[1].identity}"
size_bytes = 12
layout = "plain"
allow_pickle = true
allow_code = true
origins = [
  {{ source = "pypi:pip", revision = "1.0", archive = {{ filename = "pip.whl", \
url = "https://h/x", digest = "{ONE}", root = "in/ner" }} }},
  {{ source = "pypi:pip", revision = "1.0", archive = {{ filename = "pip.zip", \
url = "https://h/y", digest = "{ONE}" }} }},
]
files = [
  {{ path = "a.json", size_bytes = 3, digest = "{ONE}" }},
  {{ path = "b.bin", size_bytes = 9, digest = "{WISH}" }},
]
"""


def test_a_lock_is_written_as_people_review_it() -> None:
    assert str(FULL) == EXPECTED


def test_a_lock_reads_back_as_itself() -> None:
    assert Lock.parse(EXPECTED) == FULL
    assert Lock.parse(str(Lock())) == Lock()


def test_the_order_in_which_models_came_changes_no_byte() -> None:
    rows = [model("b"), model("a", "edge"), model("a", "default")]
    texts = {str(Lock.of(rows[n:] + rows[:n], {"b": "1", "a": "2"})) for n in range(3)}
    assert len(texts) == 1
    names = [(m.name, m.profiles[0]) for m in Lock.of(rows, {}).models]
    assert names == [("a", "default"), ("a", "edge"), ("b", "default")]


def test_a_profile_has_its_own_models() -> None:
    small, large = model("pat", "default", path="s"), model("pat", "edge", "lab", path="l")
    lock = Lock.of([small, large], {})
    assert lock.of_profile("default") == {"pat": small}
    assert lock.of_profile("lab") == {"pat": large}
    assert lock.of_profile("none") == {}


def test_a_member_of_an_archive_stands_under_its_root() -> None:
    assert Archive("f", "u", ONE, "in/ner").member("a/b") == "in/ner/a/b"
    assert Archive("f", "u", ONE).member("a/b") == "a/b"


# Anything that TOML can hold: no lone surrogates; paths also without control characters.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
parts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\:"),
    min_size=1,
    max_size=12,
).filter(lambda part: part not in (".", ".."))
digests = st.binary(max_size=3).map(Digest.of)
archives = st.builds(Archive, texts, texts, digests, texts)
origins = st.builds(Origin, texts, texts, texts, st.none() | archives)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True)
models = st.builds(
    LockedModel,
    name=names,
    profiles=st.lists(names, min_size=1, max_size=3).map(tuple),
    wish=digests,
    layout=st.sampled_from([LayoutChoice("plain"), LayoutChoice("huggingface", "org/name")]),
    origins=st.lists(origins, min_size=1, max_size=3).map(tuple),
    manifest=st.dictionaries(parts, st.tuples(st.integers(0, 2**62), digests), min_size=1).map(
        lambda files: Manifest.of(FileRow(path, *rest) for path, rest in files.items())
    ),
    allow_pickle=st.booleans(),
    allow_code=st.booleans(),
)
locks = st.builds(Lock.of, st.lists(models, max_size=3), st.dictionaries(texts, texts, max_size=3))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(locks)
def test_every_lock_reads_back_as_itself_whatever_its_texts(lock: Lock) -> None:
    assert Lock.parse(str(lock)) == lock
    assert str(Lock.parse(str(lock))) == str(lock)


@settings(max_examples=200)
@given(st.data())
def test_a_lock_with_one_changed_character_is_refused_or_reads(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(EXPECTED) - 1))
    character = data.draw(st.sampled_from('"[]{}=\n0a,#.\\'))
    text = EXPECTED[:place] + character + EXPECTED[place + 1 :]
    with suppress(InvalidDocument):
        assert Lock.parse(text).models


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(InvalidDocument) as caught:
        Lock.parse(EXPECTED.replace("version = 1", "version = 2"), "some/models.lock")
    assert caught.value.key == "version"
    assert str(caught.value) == (
        "some/models.lock: version: expected version 1, the newest that this modelkeep reads, got 2"
    )


@pytest.mark.parametrize("text", ["", "a = [", "a = " + "[" * 5000, "a = " + "1" * 5000])
def test_a_text_that_is_no_lock_is_refused(text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"models\.lock"):
        Lock.parse(text)


def test_files_that_do_not_give_the_identity_are_refused() -> None:
    said = str(FULL.models[0].identity)
    with pytest.raises(InvalidDocument) as caught:
        Lock.parse(
            EXPECTED.replace('path = "a.json", size_bytes = 3', 'path = "c", size_bytes = 3')
        )
    assert caught.value.key == "model[0]"
    assert "which its files give" in caught.value.expected
    assert said in caught.value.got


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('path = "a.json"', 'path = "../a.json"'),
        ('path = "a.json"', 'path = "/a.json"'),
        ('path = "a.json"', "path = 1"),
        ('path = "a.json", ', ""),
        (", size_bytes = 3, ", ", size_bytes = 3.0, "),
        (", size_bytes = 3, ", ", size_bytes = inf, "),
        (", size_bytes = 3, ", ', size_bytes = "3", '),
        (", size_bytes = 3, ", ", size_bytes = true, "),
        (", size_bytes = 3, ", ", size_bytes = -3, "),
        (f'digest = "{ONE}" }},\n]', 'digest = "sha1:00" },\n]'),
        (f'digest = "{ONE}" }},\n]', "digest = 0 },\n]"),
        ('name = "nap"\n', ""),
        ('name = "nap"', 'name = "../nap"'),
        ('name = "nap"', "name = 1"),
        ('profiles = ["default"]', 'profiles = "default"'),
        ('profiles = ["default"]', "profiles = []"),
        ('profiles = ["default"]', "profiles = [1]"),
        ('layout = "huggingface"', 'layout = ""'),
        ('layout = "huggingface"', "layout = 1"),
        ('source = "hf:org/name"', "source = 1"),
        ('source = "hf:org/name", ', ""),
        ("allow_pickle = true", 'allow_pickle = "false"'),
        ("allow_code = true", "allow_code = 1"),
        ('filename = "pip.whl", ', ""),
        (', root = "in/ner"', ", root = 1"),
        (', digest = "' + str(ONE) + '", root', ", root"),
        ('requirement = "', 'requirement = "x'),
        ('"SIZE" = "small"', "SIZE = {"),
        ("[variables]", "[[variables]]"),
        ("[[model]]", "[[model.x]]"),
    ],
)
def test_a_lock_that_was_edited_into_nonsense_is_refused(old: str, new: str) -> None:
    assert old in EXPECTED
    with pytest.raises(InvalidDocument, match=r"models\.lock"):
        Lock.parse(EXPECTED.replace(old, new))


def test_a_lock_without_any_origin_is_refused() -> None:
    start, end = EXPECTED.index("origins = ["), EXPECTED.index("\nfiles = [")
    with pytest.raises(InvalidDocument, match="list with something in it"):
        Lock.parse(EXPECTED[:start] + "origins = []" + EXPECTED[end:])


def test_an_unsafe_path_in_a_lock_is_named() -> None:
    with pytest.raises(InvalidDocument) as caught:
        Lock.parse(EXPECTED.replace('path = "a.json"', 'path = "x/../../a"'))
    assert "x/../../a" in caught.value.got


def test_a_lock_is_toml_that_others_can_read() -> None:
    whole = tomllib.loads(EXPECTED)
    assert [table["name"] for table in whole["model"]] == ["nap", "pip"]
    assert whole["variables"] == {"ARCH": "x", "SIZE": "small"}
