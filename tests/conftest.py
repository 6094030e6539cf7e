# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: an empty home, no outside network, tools named when lacking."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FOREIGN = ("MODELKEEP_", "MODEL_", "HF_", "HUGGING", "TRANSFORMERS_", "PIP_", "SENTENCE_", "XDG_")
_OTHERS = ("LOG_LEVEL", "NETRC", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def _forget_the_users_own() -> Path:
    """Before anything is imported that reads the environment once and for all."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _OTHERS or name.lower().endswith("_proxy"):
            del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="modelkeep-home-"))
    os.environ["HOME"] = str(home)
    os.environ["PIP_CONFIG_FILE"] = os.devnull
    return home


_HOME = _forget_the_users_own()


def _refuse_outside(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host = str(arguments[1][0])
    try:
        outside = not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        outside = host != "localhost"
    if outside:
        raise ConnectionRefusedError(f"a test reached for {host}, outside of this machine")


sys.addaudithook(_refuse_outside)


@pytest.fixture(scope="session", autouse=True)
def _home_goes_away() -> Iterator[None]:
    yield
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("tool"):
        if not shutil.which(marker.args[0]):
            pytest.skip(f"the program {marker.args[0]} is not installed")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where all tools are promised (MODELKEEP_NO_SKIPS=1) a skip is a failure."""
    if not os.environ.get("MODELKEEP_NO_SKIPS") or session.exitstatus:
        return
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
