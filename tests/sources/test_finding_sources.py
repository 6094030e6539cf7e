# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

from modelkeep.sources import TABLE, find
from modelkeep.spec.errors import InvalidValue, Offline


@pytest.mark.parametrize("scheme", sorted(TABLE))
def test_every_scheme_of_the_table_gives_a_source(context, scheme):
    source = find(scheme, context())
    assert callable(source.list)
    assert callable(source.open)
    assert callable(source.open_archive)


def test_a_scheme_that_nobody_offers_is_an_error_that_lists_the_others(context):
    with pytest.raises(InvalidValue, match="hf, https, http, file, pypi"):
        find("nowhere", context())


def install(folder, monkeypatch, scheme, code):
    """Put a distribution with one entry point on the path."""
    (folder / "plugged.py").write_text(code)
    info = folder / "plugged-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[modelkeep.sources]\n{scheme} = plugged:make\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "plugged", raising=False)


def test_a_plugin_is_given_the_context(context, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "lan", "def make(context): return ('lan', context.hub)\n")
    assert find("lan", context(hub="http://h")) == ("lan", "http://h")


def test_a_plugin_cannot_take_the_place_of_a_built_in(context, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "hf", "def make(context): return 'mine now'\n")
    assert find("hf", context()) != "mine now"


def test_a_plugin_that_raises_is_told_as_such(context, tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "lan", "def make(context): raise KeyError('oops')\n")
    with pytest.raises(InvalidValue, match="oops"):
        find("lan", context())


def test_a_plugins_own_typed_error_comes_through(context, tmp_path, monkeypatch):
    code = (
        "from modelkeep.spec.errors import Offline\n"
        "def make(context): raise Offline('a', 'b', 'c')\n"
    )
    install(tmp_path, monkeypatch, "lan", code)
    with pytest.raises(Offline):
        find("lan", context())


def test_local_folders_need_no_http_library(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from modelkeep.sources import Context, find\n"
        "from modelkeep.spec.settings import PackageIndexes\n"
        "from modelkeep.spec.uri import SourceUri\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "(folder / 'f').write_bytes(b'x')\n"
        "made = Context(lambda: 1/0, 'https://h', PackageIndexes(()), folder)\n"
        "source = find('file', made)\n"
        "listing = source.list(SourceUri.parse('file:.'), None, lambda origin: 1/0)\n"
        "stream = source.open(listing.origin, 'f', 0)\n"
        "assert b''.join(stream) == b'x'\n"
        "assert not {'urllib3', 'stamina', 'ssl'} & set(sys.modules), sorted(sys.modules)\n"
    )
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=surroundings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
