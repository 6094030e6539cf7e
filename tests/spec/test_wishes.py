# SPDX-License-Identifier: Apache-2.0
from contextlib import suppress

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from modelkeep.spec.digest import Digest
from modelkeep.spec.errors import InvalidDocument
from modelkeep.spec.requirement import LayoutChoice, Requirement
from modelkeep.spec.uri import SourceUri
from modelkeep.spec.wishes import Wishes, parse_wishes

DIGEST = Digest.of(b"pat")

FULL = f"""\
[variables]
SIZE = "small"
MAJOR = 2
FAST = true

[settings.store]
path = "/models/${{SIZE}}"
max_size = "2GB"

[settings.fetch]
offline = true
private_hosts = ["mirror"]

[models.pat]
source = ["hf:org/${{SIZE}}", "file:spare"]
revision = "v${{MAJOR}}"
digest = "{DIGEST}"
files = ["*.json", "${{SIZE}}/*"]
exclude = "*.bin"
layout = "huggingface:org/shown"
loader = "onnx"
device = "cuda:0"
options = {{ threads = 2, names = ["${{SIZE}}"], fast = "${{FAST}}" }}
priority = "critical"
fallback = "mock"
enabled = true
allow_pickle = true
allow_code = true
metadata = {{ team = "vision", since = 2026-11-01 }}

[models.mock]
loader = "mock"

[profiles.edge.settings.store]
max_size = "1GB"

[profiles.edge.models.pat]
source = "hf:org/tiny"
priority = "lazy"

[profiles.edge.models.extra]
source = "pypi:package==1.0/inner"
"""


def read(text: str, profile: str = "default", **environment: str) -> Wishes:
    return parse_wishes(text, "models.toml", profile=profile, environment=environment)


def refused(text: str, profile: str = "default", **environment: str) -> InvalidDocument:
    with pytest.raises(InvalidDocument) as caught:
        read(text, profile, **environment)
    return caught.value


def test_every_key_is_read() -> None:
    assert read(FULL).models["pat"] == Requirement(
        name="pat",
        sources=(SourceUri("hf", "org/small"), SourceUri("file", "spare")),
        revision="v2",
        digest=DIGEST,
        files=("*.json", "small/*"),
        exclude=("*.bin",),
        layout=LayoutChoice("huggingface", "org/shown"),
        loader="onnx",
        device="cuda:0",
        options={"threads": 2, "names": ["small"], "fast": "true"},
        priority="critical",
        fallback="mock",
        enabled=True,
        allow_pickle=True,
        allow_code=True,
        metadata=read(FULL).models["pat"].metadata,
    )


def test_what_is_not_written_has_its_default() -> None:
    model = read('[models.pat]\nsource = "hf:org/name"').models["pat"]
    assert model == Requirement(
        "pat", (SourceUri("hf", "org/name"),), layout=LayoutChoice("huggingface")
    )
    assert (model.priority, model.enabled, model.allow_pickle) == ("preload", True, False)


def test_a_mock_needs_no_source() -> None:
    assert not read(FULL).models["mock"].has_files


def test_an_empty_file_wishes_for_nothing() -> None:
    assert read("") == Wishes({})


def test_settings_are_parsed_and_say_where_they_came_from() -> None:
    found = read(FULL).settings
    assert {key: (str(value), said) for key, (value, said) in found.items()} == {
        "store.path": ("/models/small", "file"),
        "store.max_size": ("2000000000", "file"),
        "fetch.offline": ("True", "file"),
        "fetch.private_hosts": ("('mirror',)", "file"),
    }


def test_a_profile_lays_over_the_file() -> None:
    wishes = read(FULL, "edge")
    assert wishes.profiles == ("default", "edge")
    assert wishes.profile == "edge"
    assert wishes.settings["store.max_size"] == (10**9, "profile edge")
    assert wishes.settings["fetch.offline"] == (True, "file")
    assert wishes.models["pat"].sources == (SourceUri("hf", "org/tiny"),)
    assert wishes.models["pat"].priority == "lazy"
    assert wishes.models["pat"].revision == "v2"
    assert wishes.models["extra"].sources[0].folder == "inner"
    assert "extra" not in read(FULL).models


def test_the_default_profile_may_be_written_too() -> None:
    text = (
        '[models.a]\nsource = "hf:o/a"\n[profiles.x]\n[profiles.default.models.a]\nrevision = "r"'
    )
    assert read(text).profiles == ("default", "x")
    assert read(text).models["a"].revision == "r"


def test_a_variable_is_taken_from_the_environment_where_it_is_listed() -> None:
    assert str(read(FULL, SIZE="large").models["pat"].sources[0]) == "hf:org/large"


def test_only_variables_that_decide_what_is_locked_are_recorded() -> None:
    assert read(FULL).variables == {"SIZE": "small", "MAJOR": "2"}
    assert read(FULL, MAJOR="3").variables == {"SIZE": "small", "MAJOR": "3"}
    only_options = '[variables]\nA="1"\n[models.m]\nloader="mock"\n[models.m.options]\nx="${A}"'
    assert read(only_options).variables == {}
    assert read(only_options, A="5").models["m"].options == {"x": "5"}


def test_a_disabled_model_records_no_variable() -> None:
    text = '[variables]\nA="1"\n[models.m]\nsource="hf:o/${A}"\nenabled=false'
    assert read(text).variables == {}


def test_an_expansion_is_not_expanded_again() -> None:
    text = (
        '[variables]\nA="${B}"\nB="x"\n[models.m]\nloader="mock"\n[models.m.options]\nv="${A}$B$"'
    )
    assert read(text).models["m"].options == {"v": "${B}$B$"}


M = '[models.m]\nsource = "hf:o/m"\n'

FAULTS = [
    # text, line, key, expected, got
    ("a = [", 1, "", "TOML", "Invalid value"),
    ("\n\nb = 1\nb = 2", 4, "", "TOML", "overwrite"),
    ("a = " + "1" * 5000, None, "", "TOML", "digits"),
    ("a = " + "[" * 5000, None, "", "TOML", "recursion"),
    ("\nmodel = 1", 2, "model", "keys variables, settings, models, profiles", "unknown key"),
    ("models = 1", 1, "models", "a table", "a number (1)"),
    ('[models]\npat = "x"', 2, "models.pat", "a table", "a text ('x')"),
    ('[models."a/b"]\nsource = "hf:o/m"', 1, "models.a/b", "letters, digits", "'a/b'"),
    ("[models.m]\n", 1, "models.m", "a source", "no source"),
    ("[models.m]\nloader = 'onnx'", 1, "models.m", "only the loader mock", "no source"),
    (M + "sources = 1", 3, "models.m.sources", "one of the keys source,", "unknown key"),
    ("[models.m]\nsource = 1", 2, "models.m.source", "a source URI", "a number (1)"),
    ("[models.m]\nsource = []", 2, "models.m.source", "at least one", "an empty list"),
    ("[models.m]\nsource = ['hf:o/m', 1]", 2, "models.m.source", "not empty", "1"),
    ("[models.m]\nsource = ''", 2, "models.m.source", "not empty", "''"),
    ("[models.m]\nsource = 'o/m'", 2, "models.m.source", "hf:", "'o/m'"),
    ("[models.m]\nsource = 'pypi:p/a/./b'", 2, "models.m.source", "pypi:", "/a/./b"),
    ("[models.m]\nsource = 'pypi:p/a\\b'", 2, "models.m.source", "pypi:", "a backslash"),
    ("[models.m]\nsource = 'https://u:hid@h/'", 2, "models.m.source", "no user", "***@h"),
    (M + "revision = 1", 3, "models.m.revision", "text", "a number (1)"),
    (M + "revision = ''", 3, "models.m.revision", "text", "an empty text"),
    (M + "digest = 'sha256:0'", 3, "models.m.digest", "sha256:<64", "'sha256:0'"),
    (M + "files = 1", 3, "models.m.files", "a list of globs", "a number (1)"),
    (M + "files = [1]", 3, "models.m.files", "not empty", "1"),
    (M + "exclude = ['']", 3, "models.m.exclude", "not empty", "''"),
    (M + "layout = 'x:'", 3, "models.m.layout", "LAYOUT or", "'x:'"),
    (M + "loader = ''", 3, "models.m.loader", "a loader's name", "an empty text"),
    (M + "loader = []", 3, "models.m.loader", "a loader's name", "a list ([])"),
    (M + "device = 0", 3, "models.m.device", "a device", "a number (0)"),
    (M + "options = 'x'", 3, "models.m.options", "a table", "a text ('x')"),
    (M + "priority = 'urgent'", 3, "models.m.priority", "critical, preload", "'urgent'"),
    (M + "priority = true", 3, "models.m.priority", "critical, preload", "a flag (True)"),
    (M + "fallback = 'n'", 3, "models.m.fallback", "a model of this file", "'n'"),
    (M + "fallback = 'm'", 3, "models.m.fallback", "a chain that ends", "m → m"),
    (M + "enabled = 1", 3, "models.m.enabled", "true or false", "a number (1)"),
    (M + "allow_pickle = 'true'", 3, "models.m.allow_pickle", "true or", "a text ('true')"),
    (M + "allow_code = 1.5", 3, "models.m.allow_code", "true or", "a number (1.5)"),
    (M + "metadata = 2026-11-01", 3, "models.m.metadata", "a table", "date"),
    ("variables = []", 1, "variables", "a table", "a list ([])"),
    ("[variables]\nA = []", 2, "variables.A", "a text, number or flag", "a list"),
    (M + "device = '${X}'", 3, "models.m.device", "(none is listed)", "${X}"),
    ("[variables]\nA=1\n" + M + "device = '${}'", 5, "models.m.device", "lists (A)", "${}"),
    (M + "[models.m.options]\nx = ['${X}']", 4, "models.m.options.x", "variable", "${X}"),
    ("settings = 1", 1, "settings", "a table", "a number"),
    ("[settings.shop]\n", 1, "settings.shop", "store, fetch, runtime, server", "unknown"),
    ("[settings]\nstore = 1", 2, "settings.store", "a table", "a number"),
    ("[settings.store]\nsize = 1", 2, "settings.store.size", "path, max_size", "unknown"),
    ("[settings.store]\nmax_size = 'x'", 2, "settings.store.max_size", "50GB", "'x'"),
    ("[settings.store]\npath = '${X}'", 2, "settings.store.path", "variable", "${X}"),
    ("[settings.fetch]\ntimeout = 1e999", 2, "settings.fetch.timeout", "seconds", "inf"),
    ("profiles = 1", 1, "profiles", "a table", "a number"),
    ("[profiles]\nx = 1", 2, "profiles.x", "a table", "a number"),
    ("[profiles.'a b']", 1, "profiles.a b", "letters, digits", "'a b'"),
    ("[profiles.x]\nmodel = 1", 2, "profiles.x.model", "models, settings", "unknown key"),
]


@pytest.mark.parametrize(("text", "line", "key", "expected", "got"), FAULTS)
def test_a_fault_names_file_line_key_what_was_expected_and_what_was_there(
    text: str, line: int | None, key: str, expected: str, got: str
) -> None:
    error = refused(text)
    assert (error.path, error.line, error.key) == ("models.toml", line, key)
    assert expected in error.expected
    assert got in error.got
    assert "hid" not in str(error)
    place = f"models.toml:{line}" if line else "models.toml"
    assert str(error).startswith(place)


PROFILE_FAULTS = [
    ("[profiles.x]\nmodels = 1", 2, "profiles.x.models", "a number"),
    ("[profiles.x]\nsettings = 1", 2, "profiles.x.settings", "a number"),
    ("[profiles.x.settings.store]\nz = 1", 2, "profiles.x.settings.store.z", "unknown key"),
    ("[profiles.x.settings]\nz = 1", 2, "profiles.x.settings.z", "unknown key"),
    (M + "[profiles.x.models.m]\npriority = 1", 4, "profiles.x.models.m.priority", "a number"),
    (M + "[profiles.x.models.m]\nz = 1", 4, "profiles.x.models.m.z", "unknown key"),
    ("[profiles.x.models.m]\nloader = 'onnx'", 1, "profiles.x.models.m", "no source"),
    (M + "[profiles.x.models.m]\nfallback = 'n'", 4, "profiles.x.models.m.fallback", "'n'"),
]


@pytest.mark.parametrize(("text", "line", "key", "got"), PROFILE_FAULTS)
def test_a_fault_in_a_profile_is_found_there(text: str, line: int, key: str, got: str) -> None:
    error = refused(text, "x")
    assert (error.line, error.key) == (line, key)
    assert got in error.got


def test_an_unknown_profile_is_refused_with_those_that_are_known() -> None:
    error = refused("[profiles.edge]\n[profiles.lab]", "prod")
    assert error.key == "profiles"
    assert error.expected == "one of default, edge, lab"
    assert "'prod'" in error.got


def test_two_revisions_for_one_source_are_refused_where_the_second_stands() -> None:
    error = refused("[models.m]\nsource = 'hf:o/m@v1'\nrevision = 'v2'")
    assert (error.line, error.key, error.got) == (3, "models.m.revision", "'v2'")
    error = refused("[models.m]\nsource='hf:o/m@v1'\n[profiles.x.models.m]\nrevision='v2'", "x")
    assert (error.line, error.key) == (4, "profiles.x.models.m.revision")
    same = read("[models.m]\nsource = 'hf:o/m@v1'\nrevision = 'v1'").models["m"]
    assert same.revision == "v1"


def mocks(**fallbacks: str) -> str:
    return "".join(
        f"[models.{name}]\nloader = 'mock'\n" + (f"fallback = '{spare}'\n" if spare else "")
        for name, spare in fallbacks.items()
    )


def test_a_chain_of_fallbacks_may_be_long() -> None:
    assert read(mocks(a="b", b="c", c="d", d="")).models["a"].fallback == "b"


@pytest.mark.parametrize(
    ("chain", "circle"),
    [
        ({"a": "b", "b": "a"}, "a → b → a"),
        ({"a": "b", "b": "c", "c": "b"}, "a → b → c → b"),
        ({"a": "", "b": "c", "c": "d", "d": "b"}, "b → c → d → b"),
    ],
)
def test_fallbacks_in_a_circle_are_refused(chain: dict[str, str], circle: str) -> None:
    error = refused(mocks(**chain))
    assert error.expected == "a chain that ends"
    assert error.got == circle


def test_a_broken_link_in_a_chain_is_named_where_it_is() -> None:
    assert refused(mocks(a="b", b="gone")).key == "models.b.fallback"


@settings(max_examples=150)
@given(st.data())
def test_a_file_with_one_changed_character_is_refused_with_its_name_or_reads(
    data: st.DataObject,
) -> None:
    place = data.draw(st.integers(0, len(FULL) - 1))
    character = data.draw(st.sampled_from('"[]{}=\n0a,#.$:/\\'))
    with suppress(InvalidDocument):
        read(FULL[:place] + character + FULL[place + 1 :], "edge")


values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5).map(lambda t: f"${{{t}}}") | st.text(),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
KEYS = ["source", "revision", "digest", "files", "layout", "loader", "options", "priority"]


@given(st.dictionaries(st.sampled_from([*KEYS, "enabled", "metadata", "x"]), values, max_size=4))
def test_any_value_of_any_key_is_read_or_refused(table: dict[str, object]) -> None:
    text = tomlkit.dumps({"models": {"m": {"source": "hf:o/m", **table}}})
    with suppress(InvalidDocument):
        read(text)
