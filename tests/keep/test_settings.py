# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
from pathlib import Path

import pytest

from modelkeep.keep.network import find_network
from modelkeep.keep.pip_settings import read_pip_settings
from modelkeep.keep.settings import Settings, find_settings
from modelkeep.spec.errors import InvalidDocument, InvalidValue


def settings(
    flags: dict[str, object] | None = None,
    environment: dict[str, str] | None = None,
    project: dict[str, tuple[object, str]] | None = None,
) -> Settings:
    return find_settings(
        flags=flags or {},
        environment=environment or {},
        project=project or {},
        folder=Path("/project"),
    )


def test_flag_beats_environment_beats_file_beats_default() -> None:
    project: dict[str, tuple[object, str]] = {"fetch.retries": (7, "file")}
    environment = {"MODEL_DOWNLOAD_MAX_RETRIES": "8"}
    flags: dict[str, object] = {"fetch.retries": "9"}
    assert settings().found["fetch.retries"].value == 3
    assert settings(None, None, project).found["fetch.retries"].came_from == "file"
    found = settings(None, environment, project).found["fetch.retries"]
    assert (found.value, found.came_from) == (8, "environment MODEL_DOWNLOAD_MAX_RETRIES")
    found = settings(flags, environment, project).found["fetch.retries"]
    assert (found.value, found.came_from) == (9, "flag --fetch.retries")


def test_the_defaults_are_those_that_the_documentation_promises() -> None:
    found = settings()
    assert found.number("fetch.retries") == 3
    assert found.seconds("fetch.retry_delay") == 5.0
    assert found.number("store.max_size") == 50 * 10**9
    assert found.number("runtime.max_parallel_loads") == 2
    assert found.seconds("runtime.startup_timeout") == 300.0


def test_an_empty_variable_counts_as_not_set_and_a_wrong_one_is_named() -> None:
    assert settings(None, {"LOG_LEVEL": ""}).text("server.log_level") == "info"
    with pytest.raises(InvalidValue, match="environment MODEL_DOWNLOAD_RETRY_DELAY"):
        settings(None, {"MODEL_DOWNLOAD_RETRY_DELAY": "soon"})


def test_the_store_is_absolute_wherever_it_is_named() -> None:
    assert settings(None, {"XDG_CACHE_HOME": "/c"}).store == Path("/c/modelkeep")
    assert settings(None, {"MODEL_CACHE_DIR": "/models"}).store == Path("/models")
    both = {"MODEL_CACHE_DIR": "/models", "MODELKEEP_HOME": "/home"}
    assert settings(None, both).store == Path("/home")
    named: dict[str, tuple[object, str]] = {"store.path": (Path("cache"), "file")}
    assert settings(None, None, named).store == Path("/project/cache")
    assert settings({"store.path": "here"}).store == Path.cwd() / "here"
    assert settings().store.is_absolute()


def test_pips_files_and_variables_are_read_in_pips_order(tmp_path: Path) -> None:
    config = tmp_path / ".config" / "pip"
    config.mkdir(parents=True)
    (config / "pip.conf").write_text(
        "[global]\nindex-url = https://user:p%40ss@mirror.example/simple\n"
        "extra-index-url =\n    https://one.example/simple\n    https://two.example/simple\n"
        "trusted-host = mirror.example:8443\nproxy = proxy.example:3128\n"
        "[install]\nfind-links = /wheels\ncert = /ca.pem\n"
    )
    isolated = {"XDG_CONFIG_DIRS": "/nowhere"}
    found = read_pip_settings(isolated, tmp_path)
    assert found.indexes.urls == (
        "https://mirror.example/simple",
        "https://one.example/simple",
        "https://two.example/simple",
    )
    assert found.indexes.find_links == ("/wheels",)
    assert found.insecure_hosts == ("mirror.example:8443",)
    assert found.credentials[0].origin == "https://mirror.example"
    assert found.credentials[0].authorization == (
        "Basic " + base64.b64encode(b"user:p@ss").decode()
    )
    assert "p@ss" not in repr(found)
    network = find_network(settings(), found, environment={}, home=tmp_path)
    assert network.ca_bundle == "/ca.pem"
    assert network.proxies["https"] == "http://proxy.example:3128"
    one = read_pip_settings({**isolated, "PIP_INDEX_URL": "https://env.example/simple"}, tmp_path)
    assert one.indexes.urls[0] == "https://env.example/simple"
    assert read_pip_settings({**isolated, "PIP_NO_INDEX": "1"}, tmp_path).indexes.urls == ()


def test_pips_files_are_left_alone_when_pip_would_leave_them(tmp_path: Path) -> None:
    folder = tmp_path / ".pip"
    folder.mkdir()
    (folder / "pip.conf").write_text("[global]\nindex-url = https://home.example/simple\n")
    assert "home.example" in read_pip_settings({}, tmp_path).indexes.urls[0]
    alone = read_pip_settings({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path)
    assert "home.example" not in alone.indexes.urls[0]
    chosen = tmp_path / "chosen.conf"
    chosen.write_text("[global]\nindex-url = https://chosen.example/simple\n")
    named = read_pip_settings({"PIP_CONFIG_FILE": str(chosen)}, tmp_path)
    assert named.indexes.urls == ("https://chosen.example/simple",)
    chosen.write_text("no section\n")
    with pytest.raises(InvalidDocument, match="pip's settings"):
        read_pip_settings({"PIP_CONFIG_FILE": str(chosen)}, tmp_path)


def test_tokens_are_bound_to_the_hub_and_hosts_of_netrc(tmp_path: Path) -> None:
    pip = read_pip_settings({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path)
    (tmp_path / ".netrc").write_text("machine files.example login me password secret\n")
    (tmp_path / ".cache" / "huggingface").mkdir(parents=True)
    (tmp_path / ".cache" / "huggingface" / "token").write_text("from-file\n")
    found = find_network(settings(), pip, environment={}, home=tmp_path).credentials
    assert (found[0].origin, found[0].authorization) == (
        "https://huggingface.co",
        "Bearer from-file",
    )
    assert found[1].origin == "https://files.example"
    environment = {"HF_TOKEN": "given", "HF_ENDPOINT": "https://mirror.example"}
    mirror = settings(None, environment)
    first = find_network(mirror, pip, environment=environment, home=tmp_path).credentials[0]
    assert (first.origin, first.authorization) == ("https://mirror.example", "Bearer given")


def test_proxies_and_certificates_come_from_the_usual_variables(tmp_path: Path) -> None:
    pip = read_pip_settings({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path)
    environment = {
        "HTTPS_PROXY": "http://upper:1",
        "https_proxy": "http://lower:1",
        "NO_PROXY": "localhost",
        "SSL_CERT_FILE": "/certs.pem",
    }
    network = find_network(settings(), pip, environment=environment, home=tmp_path)
    assert network.proxies == {"https": "http://lower:1", "no": "localhost"}
    assert network.ca_bundle == "/certs.pem"
