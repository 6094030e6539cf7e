# SPDX-License-Identifier: Apache-2.0
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelkeep.spec import settings
from modelkeep.spec.errors import InvalidValue

Parse = Callable[[object], object]

GOOD: list[tuple[Parse, object, object]] = [
    (settings.parse_size, 0, 0),
    (settings.parse_size, 10**30, 10**30),
    (settings.parse_size, "0", 0),
    (settings.parse_size, "12", 12),
    (settings.parse_size, "1_000", 1000),
    (settings.parse_size, "5B", 5),
    (settings.parse_size, "50GB", 50 * 10**9),
    (settings.parse_size, "50gb", 50 * 10**9),
    (settings.parse_size, " 2 KiB ", 2048),
    (settings.parse_size, "64MiB", 64 * 2**20),
    (settings.parse_size, "1.5TB", 1_500_000_000_000),
    (settings.parse_size, "4.35GB", 4_350_000_000),
    (settings.parse_size, "2TiB", 2 * 2**40),
    (settings.parse_whole, 0, 0),
    (settings.parse_whole, " 7 ", 7),
    (settings.parse_count, "1", 1),
    (settings.parse_port, 0, 0),
    (settings.parse_port, "65535", 65535),
    (settings.parse_seconds, 0, 0.0),
    (settings.parse_seconds, "2.5", 2.5),
    (settings.parse_flag, True, True),
    (settings.parse_flag, "Yes", True),
    (settings.parse_flag, " on ", True),
    (settings.parse_flag, 1, True),
    (settings.parse_flag, "0", False),
    (settings.parse_flag, "", False),
    (settings.parse_flag, "off", False),
    (settings.parse_text, "x", "x"),
    (settings.parse_folder, "/a/b", Path("/a/b")),
    (settings.parse_names, "", ()),
    (settings.parse_names, "a, b,,c ", ("a", "b", "c")),
    (settings.parse_names, ["a", "b"], ("a", "b")),
]

BAD: list[tuple[Parse, list[object]]] = [
    (settings.parse_size, [-1, True, None, [], "", "GB", "-1GB", "1XB", "1I", "1 2", "0x10"]),
    (settings.parse_size, ["nan", "inf", "1e99GB"]),
    (settings.parse_whole, [-1, True, 1.0, None, "", "-1", "1.0", "²"]),
    (settings.parse_count, [0, "0", False]),
    (settings.parse_port, [65536, -1, "http"]),
    (settings.parse_seconds, [-1, True, None, [], "", "nan", "inf", "1e999", 1e999, 10**400]),
    (settings.parse_flag, ["maybe", 2, None, [], 1.0]),
    (settings.parse_text, ["", 1, None, []]),
    (settings.parse_folder, ["", 1, "~nobody-of-this-name/x"]),
    (settings.parse_names, [1, None, [1], {"a": 1}]),
]


@pytest.mark.parametrize(("parse", "value", "found"), GOOD)
def test_a_value_reads_as_people_mean_it(parse: Parse, value: object, found: object) -> None:
    assert parse(value) == found
    assert type(parse(value)) is type(found)


@pytest.mark.parametrize(
    ("parse", "value"), [(parse, value) for parse, values in BAD for value in values]
)
def test_a_value_that_is_none_is_refused(parse: Parse, value: object) -> None:
    with pytest.raises(InvalidValue):
        parse(value)


def test_a_tilde_is_the_users_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert settings.parse_folder("~/store") == Path("/somewhere/store")


@given(
    st.sampled_from(settings.TABLE),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text() | st.integers())
    | st.dictionaries(st.text(), st.text()),
)
def test_every_setting_takes_any_value_or_refuses_it(
    setting: settings.Setting, value: object
) -> None:
    with suppress(InvalidValue):
        setting.parse(value)


@pytest.mark.parametrize("setting", settings.TABLE, ids=lambda setting: setting.key)
def test_every_default_is_a_value_of_its_setting(setting: settings.Setting) -> None:
    if setting.default is not None:
        assert setting.parse(setting.default) == setting.default
    table, _, name = setting.key.partition(".")
    assert table in ("store", "fetch", "runtime", "server")
    assert name.isidentifier()
    assert setting.help


def test_every_setting_has_a_variable_of_its_own_name_first() -> None:
    assert settings.BY_KEY["store.path"].all_variables == (
        "MODELKEEP_STORE_PATH",
        "MODELKEEP_HOME",
        "MODEL_CACHE_DIR",
    )
    every = [name for setting in settings.TABLE for name in setting.all_variables]
    assert len(every) == len(set(every))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", ""])
def test_the_server_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(InvalidValue, match="one of"):
        settings.BY_KEY["server.host"].parse(host)


def test_a_credential_does_not_show_its_secret() -> None:
    credential = settings.Credential("https://host:443", "Bearer hunter2")
    assert "hunter2" not in repr(credential)
    assert "hunter2" not in repr(settings.Network(credentials=(credential,)))
